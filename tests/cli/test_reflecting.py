"""`alejo reflect`, and the workers of a server: real processes over one data folder."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from alejo.app import Part, open_assistant
from alejo.identity import LOCAL
from alejo.queue.rows import WATERMARKS
from alejo.settings import read
from alejo.storage.tables import SESSION_LOGS

from .home import Home


def workers_of(pid: int) -> list[int]:
    """The processes that a process has started and that are at work."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if b"reflect" in Path(f"/proc/{child}/cmdline").read_bytes()]


async def settled(home: Home) -> int:
    """Waits, as another process on the same folder, until nothing is left to do; returns the messages asked."""
    settings = read(home.environment)
    async with open_assistant(settings=settings, part=Part.SERVER, entry_points=[]) as assistant:
        assert assistant.reflection.worker is None
        await asyncio.wait_for(assistant.reflection.settled(), 60)
        logs = await assistant.store.scan(LOCAL, SESSION_LOGS)
        assert all([await assistant.store.scan(LOCAL, WATERMARKS, row.key) for row in logs])
        return sum(row.value.asked for row in logs)


def test_a_server_has_a_worker(home: Home) -> None:
    """What is said to a server is worked through by a process of its own, which ends with it, however that ends."""
    server, _ = home.serve()
    home.run("chat", lines="My dog is called Luna.\nHe is old.\n")
    assert asyncio.run(settled(home)) == 2
    (worker,) = workers_of(server.pid)
    assert os.getpriority(os.PRIO_PROCESS, worker) > os.getpriority(os.PRIO_PROCESS, server.pid)
    server.kill()
    server.wait()
    server, _ = home.serve()
    home.run("chat", lines="She likes tea.\n")
    assert asyncio.run(settled(home)) == 3
    server.terminate()
    assert server.wait(20) == 0
    assert server.stderr
    server.stderr.read()  # to the end: its worker is gone too


def test_a_worker_that_is_killed_is_replaced(home: Home) -> None:
    """A worker's end loses nothing: another one is started and goes on."""
    server, _ = home.serve()
    home.run("chat", lines="One.\n")
    assert asyncio.run(settled(home)) == 1
    (worker,) = workers_of(server.pid)
    os.kill(worker, signal.SIGKILL)
    home.run("chat", lines="Two.\n")
    assert asyncio.run(settled(home)) == 2
    assert workers_of(server.pid) != [worker]


def test_the_files_are_made_anew_beside_workers(home: Home) -> None:
    """Workers let go of the records for as long as the files are made anew, and go on then."""
    home.environment["ALEJO_REFLECTION_WORKERS"] = "0"
    home.serve()
    worker = home.start("reflect")
    assert worker.stderr
    assert worker.stderr.readline().startswith("At work on ")
    home.run("chat", lines="One.\n")
    assert asyncio.run(settled(home)) == 1
    assert "Compacted" in home.run("compact").stderr
    home.run("chat", lines="Two.\n")
    assert asyncio.run(settled(home)) == 2
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0


def test_workers_need_no_server(home: Home) -> None:
    """Several workers work through what was said to a server that is gone."""
    home.environment["ALEJO_REFLECTION_WORKERS"] = "0"
    home.run("chat", lines="One.\n")
    workers = home.start("reflect", "--workers", "2")
    assert asyncio.run(settled(home)) == 1
    workers.send_signal(signal.SIGINT)
    assert workers.wait(20) == 0
