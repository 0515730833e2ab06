"""A process that is stopped in the middle of a job: another one does it, and the late commit is refused."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from alejo.types import Scope

from .late import open_queue
from .storm import EFFECTS, KINDS
from .test_kills import PATIENCE, ROOT

SCOPE, SESSION = Scope("stopped", "ada"), "1" * 32


async def test_a_stopped_process_comes_too_late(tmp_path: Path) -> None:
    """SIGSTOP keeps a job from nobody: it is run once its lease has ended, and the late commit leaves nothing."""
    store, queue = open_queue(tmp_path)
    writer = await store.writer(SCOPE)
    await queue.enqueue(writer, SCOPE, SESSION, "reflect", 2)
    await writer.commit()
    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.queue.late", str(tmp_path)), cwd=ROOT, stdin=PIPE, stdout=PIPE
    )
    try:
        assert other.stdout
        assert other.stdin
        assert await other.stdout.readline() == b"leased\n"
        other.send_signal(signal.SIGSTOP)
        async with asyncio.timeout(PATIENCE):
            while True:
                await queue.reap()
                if jobs := await queue.lease():
                    break
                await asyncio.sleep(0.01)
        (job,) = jobs
        assert job.attempt == 2
        other.send_signal(signal.SIGCONT)
        other.stdin.write(b"\n")
        assert await other.stdout.readline() == b"LEASE_LOST\n"
        await other.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            other.kill()
    (job,) = await queue.beat(job) or jobs
    writer = await store.writer(SCOPE)
    writer.append(EFFECTS, (SESSION, "here", job.from_seq, job.to_seq))
    await queue.ack(writer, job, processors=KINDS["reflect"])
    effects = [row.value for row in await store.scan(SCOPE, EFFECTS)]
    assert effects == [(SESSION, "here", 1, 2)]
    await queue.close()
    await store.close()
