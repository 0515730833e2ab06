"""Jobs, typed."""

from __future__ import annotations

import json
import queue
import signal
import threading
from collections.abc import Iterator
from subprocess import Popen
from typing import Any

import alejo
from alejo.jobs import Cause, Failure
from alejo.settings import read

from .home import SECONDS, Home

GONE = Failure(Cause.PERMANENT, "unknown_schema", "statistics")


async def died(home: Home) -> str:
    """A job of the local user's that failed for good."""
    async with alejo.open(settings=read(home.environment, {"reflection.workers": 0})) as assistant:
        await assistant.chat("Hello")
        (job,) = await assistant.reflection.queue.lease()
        return (await assistant.reflection.queue.dead_letter(job, GONE)).id


def changes(process: Popen[str]) -> Iterator[dict[str, Any]]:
    """What a watch prints, as it comes; not longer than a command may take."""
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout
    threading.Thread(target=lambda: [lines.put(line) for line in process.stdout or ()], daemon=True).start()
    while True:
        yield json.loads(lines.get(timeout=SECONDS))


async def test_jobs_are_listed_shown_and_decided_on(home: Home) -> None:
    """What failed for good is listed with its history, requeued, done, counted in the status, and watched meanwhile."""
    job_id = await died(home)
    _, banner = home.serve()
    assert "! 1 job failed for good. Try: alejo jobs list --state dead" in banner
    watch = home.start("jobs", "watch", "--json", "--kind", "reflection")
    seen = changes(watch)
    change = next(seen)
    assert (change["id"], change["state"], change["attempts"][-1]["code"]) == (job_id, "dead", "unknown_schema")
    (dead,) = home.json("jobs", "list", "--state", "dead", "--kind", "reflection")
    assert (dead["id"], dead["messages"], dead["attempt"]) == (job_id, "1-2", 1)
    (shown,) = home.json("jobs", "show", job_id)
    assert [one["cause"] for one in shown["attempts"]] == ["permanent"]
    assert "unknown_schema" in home.run("jobs", "show", job_id).stdout
    home.run("jobs", "pause", "reflection")
    (requeued,) = home.json("jobs", "requeue", job_id)
    assert requeued["state"] == "queued"
    status = home.json("jobs", "status")
    depth = next(one for one in status["kinds"] if one["kind"] == "reflection")
    assert (depth["queued"], depth["dead"], depth["paused_at"] > "") == (1, 0, True)
    assert home.run("jobs", "status").stdout.startswith("KIND")
    home.run("jobs", "resume", "reflection")
    while next(seen)["state"] != "done":
        pass
    watch.send_signal(signal.SIGINT)
    assert watch.wait(SECONDS) == 130
    assert "is done, not dead" in home.run("jobs", "discard", job_id, code=1).stderr


async def test_dead_letters_are_given_up(home: Home) -> None:
    """All at once only after a question; and only what was named; doctor warns of them until then."""
    job_id = await died(home)
    doctor = {one["check"]: one for one in home.json("doctor")}
    assert (doctor["jobs"]["level"], doctor["jobs"]["hint"]) == ("warn", "alejo jobs list --state dead")
    assert "Name jobs" in home.run("jobs", "discard", code=2).stderr
    home.run("jobs", "discard", "--all", lines="n\n", code=130)
    assert len(home.json("jobs", "list", "--state", "dead")) == 1
    (gone,) = home.json("jobs", "discard", "--all", "--yes")
    assert (gone["id"], gone["state"]) == (job_id, "cancelled")
    assert "no such dead letters" in home.run("jobs", "requeue", "--all").stderr
    assert {one["check"]: one["level"] for one in home.json("doctor")}["jobs"] == "ok"
