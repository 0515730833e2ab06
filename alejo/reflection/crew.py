"""Workers as processes of their own: started, started again when they end, and ended with the process that has them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Collection, Mapping

import structlog

COMMAND = (sys.executable, "-m", "alejo", "reflect", "--beside")
LEAST_REST, MOST_REST = 0.5, 60.0  # seconds before a worker that ended is started again
WELL_SECONDS = 60.0  # after so long a worker is taken for sound
STOPPING_SECONDS = 4.0


class Crew:
    """So many workers, set by an environment. `running` are the processes, `restarts` counts the ends nobody asked for.

    Each holds the other end of a pipe to its standard input: when that is closed, by whatever end of this process, it
    gives back what it has under way and ends.
    """

    def __init__(self, workers: int, environment: Mapping[str, str]) -> None:
        self.running: dict[int, asyncio.subprocess.Process] = {}
        self.restarts = 0
        self._environment = environment
        self._workers = workers
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Keeps the workers going until `stop`."""
        await asyncio.gather(*(self._keep(number) for number in range(self._workers)))

    def stop(self) -> None:
        """Asks every worker to end; `run` returns when they have."""
        self.stopping.set()

    async def _keep(self, number: int) -> None:
        rest, loop = LEAST_REST, asyncio.get_running_loop()
        while not self.stopping.is_set():
            began = loop.time()
            code = await self._one(number)
            if self.stopping.is_set():
                return
            self.restarts += 1
            rest = LEAST_REST if loop.time() - began > WELL_SECONDS else min(2 * rest, MOST_REST)
            structlog.get_logger().warning("a worker ended and is started again", code=code, rest=rest)
            await first([self.stopping.wait()], rest)

    async def _one(self, number: int) -> int:
        """Runs one worker to its end; returns the exit code."""
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            env=dict(self._environment),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the one that has them
        )
        self.running[number] = process
        try:
            await first([process.wait(), self.stopping.wait()])
            if process.returncode is None:
                await self._end(process)
            return process.returncode or 0
        finally:
            del self.running[number]
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is not None:
            process.stdin.close()
        await first([process.wait()], STOPPING_SECONDS)


async def first(waits: Collection[Awaitable[object]], seconds: float | None = None) -> None:
    """Returns when one of these is done, or after so many seconds; the others are waited for no more."""
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
