"""What works through jobs beside the server: its own worker processes, and whoever else joins it on this machine."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from alejo import log
from alejo.errors import AlejoError
from alejo.reflection.crew import Crew, first
from alejo.storage.relay import Relay

if TYPE_CHECKING:
    from alejo.app import Assistant
    from alejo.metrics import Metrics

PATIENCE = 10.0  # seconds after which workers start although nothing is to be done: sessions are compared with jobs


class Workers:
    """The workers of a server, from `open` to `close`. With `own`, it has processes of its own."""

    def __init__(self, assistant: Assistant, *, own: bool) -> None:
        settings = assistant.settings
        count = settings["reflection.workers"] if own else 0
        self.relay = Relay(assistant.storage, assistant.store, capacity=settings["reflection.capacity"])
        self.crew = Crew(count, settings.environment()) if count else None
        self._assistant = assistant
        self._running: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listens for workers, and starts the own ones when there is something to do. Raises StartupError."""
        await self.relay.open(self._assistant.folder.relay_path)
        self._assistant.cleared = self.relay.cleared
        if self.crew is not None:
            self._running = asyncio.create_task(self._run(self.crew))

    def stop(self) -> None:
        """Asks the own workers to end, which give back what they have under way."""
        if self.crew is not None:
            self.crew.stop()

    async def close(self) -> None:
        """Waits until the own workers have ended, and lets go of the others."""
        self.stop()
        if self._running is not None:
            await asyncio.wait([self._running])
        await self.relay.close()

    def observe(self, metrics: Metrics) -> None:
        """Has metrics tell of the worker processes, and of what they had the server commit."""
        ends, commits = "Ends of own workers that nobody asked for.", "Commits of workers that rode with the server's."
        metrics.gauge("alejo_worker_ends", ends, lambda: float(self.crew.restarts) if self.crew else 0.0)
        metrics.gauge("alejo_worker_commits", commits, lambda: float(self.relay.commits))

    async def _run(self, crew: Crew) -> None:
        reflection = self._assistant.reflection
        with contextlib.suppress(AlejoError):
            depth = await reflection.queue.depth()
            if not depth.queued + depth.delayed + depth.running:
                stopping = asyncio.ensure_future(crew.stopping.wait())
                await first([reflection.promises.made.wait(), stopping], PATIENCE)
        try:
            await crew.run()
        except OSError as error:
            log.get().error("no worker can be started", why=error.strerror)
