"""One conversation over a link: asks, survives the loss of the server, and knows what the commands speak of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from alejo.client import NOT_REACHABLE, new_request_id
from alejo.errors import DRAINING, AlejoError, Unavailable
from alejo.types import Answer, Ask, Image, Memory, Replacement

from . import output
from .due import Due
from .link import Link

# Servers that went away during one question before we give up: more than any accident, fewer than a loop.
_ATTEMPTS = 4


class Talk:
    """Where the conversation stands: its session, the last answer, the memories and sessions listed last.

    `due` shows the reminders that fall due meanwhile.
    """

    def __init__(self, link: Link, session_id: str = "") -> None:
        self.link = link
        self.session_id = session_id
        self.answer: Answer | None = None
        self.memories: list[Memory] = []
        self.sessions: list[str] = []
        self.due = Due(link)

    async def ask(self, text: str, show: Callable[[str], None], images: tuple[Image, ...] = ()) -> Answer:
        """Asks, shows the answer as it comes, and returns it when it is on disk. Raises AlejoError.

        When the server goes away the question is asked again under the same request id, so nothing is done twice.
        """
        ask = Ask(text, self.session_id, new_request_id(), images)
        self.due.listen()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._once(ask, show)
            except Unavailable as error:
                if error.reason not in {NOT_REACHABLE, DRAINING} or attempt == _ATTEMPTS:
                    raise
                if error.reason == DRAINING:  # another server of that address may take over
                    await asyncio.sleep(error.retry_after)
                else:
                    await self.link.reopen()
                output.say("\n(The server went away; asking again.)", dim=True)
        raise AssertionError

    async def _once(self, ask: Ask, show: Callable[[str], None]) -> Answer:
        said, answer = False, None
        async with aclosing(self.link.client.stream(ask)) as frames:
            async for frame in frames:  # to the very end: leaving earlier would cancel the call
                if isinstance(frame, str):
                    said = True
                    show(frame)
                elif isinstance(frame, Replacement):
                    show(f"\n{frame.text}" if said else frame.text)
                    said = True
                else:
                    self.session_id = frame.session_id
                    answer = frame if isinstance(frame, Answer) else None
        if answer is None:
            raise AlejoError("The server ended the answer too early.")
        if not said:  # one that was stored before comes without pieces
            show(answer.message.text)
        self.answer = answer
        return answer
