"""The reminders that fall due while a chat is open: shown once, and then acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import aclosing

from alejo.errors import AlejoError
from alejo.types import Reminder

from . import output
from .link import Link


class Due:
    """Listens beside a conversation, from its first line on; what fell due before comes first."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._shown: set[tuple[str, int]] = set()
        self._task: asyncio.Task[None] | None = None

    def listen(self) -> None:
        """Listens, if it does not; a server that went away ended it."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        with contextlib.suppress(AlejoError):  # what is not heard is told with the next answer
            async with aclosing(self._link.client.reminders.watch()) as reminders:
                async for reminder in reminders:
                    await self.show(reminder)

    async def show(self, reminder: Reminder) -> None:
        """Shows a reminder, unless it was shown, and says that it was heard."""
        told = reminder.id, reminder.due
        if told in self._shown:
            return
        self._shown.add(told)
        output.say(f"Reminder: {output.one_line(reminder.text)} ({output.date(reminder.due)})", fg="yellow")
        with contextlib.suppress(AlejoError):  # then it is told again by the next chat
            await self._link.client.reminders.acknowledge(reminder)

    async def close(self) -> None:
        """Listens no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
