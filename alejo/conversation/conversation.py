"""A turn: the user's message is committed, felt, seen and set beside what is remembered; a brain answers; the answer is
committed with what it leaves behind, and only then acknowledged.

States on disk: received → done | failed | interrupted. "Answering" is the time between, and lives in this process: the
same request then attaches to the running turn. A request id with another body is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

import msgspec

from alejo.clock import Clock
from alejo.conversation.desk import TurnDesk
from alejo.conversation.senses import Senses, sense
from alejo.conversation.turns import Turns, Underway
from alejo.errors import PluginFailed, Unavailable
from alejo.ids import Ids
from alejo.memory import Memories, build
from alejo.plugins import PluginHost
from alejo.roles import Turn
from alejo.types import Accepted, Answer, Ask, Context, Memory, Message, Scope

Event = Accepted | str | Answer


class Conversation:
    """Answers turns. `budget` is the token budget of a brain's context."""

    def __init__(
        self,
        turns: Turns,
        memories: Memories,
        plugins: PluginHost,
        ids: Ids,
        clock: Clock,
        budget: int,
        told: Callable[[Answer, Sequence[Memory]], None],
    ) -> None:
        self._turns = turns
        self._memories = memories
        self._plugins = plugins
        self._ids = ids
        self._clock = clock
        self._budget = budget
        self._told = told
        self._live: dict[tuple[Scope, str], asyncio.Future[Answer]] = {}
        self._endings: set[asyncio.Task[None]] = set()

    async def chat(self, scope: Scope, ask: Ask) -> Answer:
        """One turn, answered at once. Errors are those of `stream`."""
        async with aclosing(self.stream(scope, ask)) as events:
            async for event in events:
                if isinstance(event, Answer):
                    return event
        raise Unavailable("The turn ended without an answer; send it again with the same request id.")

    async def stream(self, scope: Scope, ask: Ask) -> AsyncGenerator[Event, None]:
        """One turn: Accepted when the user's message is on disk, pieces of text, and the Answer when that is too.

        Raises NotFound or FailedPrecondition for the session, AlreadyExists for a request id with another body,
        PluginFailed when no brain could answer, StorageFull. Closing the iterator interrupts the turn: the user's
        message is kept, no partial answer is.
        """
        if not ask.request_id:
            ask = msgspec.structs.replace(ask, request_id=self._ids.new())
        place = (scope, ask.request_id)
        running = self._live.get(place)
        if running is not None:
            async for event in self._attach(scope, ask, running):
                yield event
            return
        future = self._live[place] = asyncio.get_running_loop().create_future()
        try:
            async with aclosing(self._answer(scope, ask)) as events:
                async for event in events:
                    if isinstance(event, Answer):
                        future.set_result(event)
                    yield event
        finally:
            del self._live[place]
            if not future.done():
                future.cancel()

    async def _attach(self, scope: Scope, ask: Ask, running: asyncio.Future[Answer]) -> AsyncGenerator[Event, None]:
        await self._turns.find(scope, ask)  # refuses another body
        try:
            answer = await asyncio.shield(running)
        except asyncio.CancelledError:
            if not running.cancelled():
                raise
            raise Unavailable("The turn was interrupted; send it again with the same request id.") from None
        answer = msgspec.structs.replace(answer, replayed=True)
        for event in _whole(answer):
            yield event

    async def _answer(self, scope: Scope, ask: Ask) -> AsyncGenerator[Event, None]:
        found = await self._turns.find(scope, ask)
        if isinstance(found, Answer):
            for event in _whole(found):
                yield event
            return
        underway = await self._turns.receive(scope, ask, found)
        try:
            # What the message says is felt and looked up while it is on its way to the disk.
            senses = await sense(self._plugins, self._memories, scope, underway.message)
            if underway.committed is not None:
                await asyncio.shield(underway.committed)
            turn = underway.turn
            yield Accepted(turn.id, turn.request_id, turn.session_id, underway.message)
            desk = TurnDesk(scope, underway.message, self._memories, self._plugins)
            pieces: list[str] = []
            async with aclosing(await self._respond(scope, underway, senses, desk)) as said:
                async for piece in said:
                    pieces.append(piece)
                    yield piece
            answer = await self._turns.finish(underway, senses, desk, "".join(pieces))
        except (asyncio.CancelledError, GeneratorExit):
            self._interrupt(underway)
            raise
        except Exception:
            await self._turns.end(underway, "failed")
            raise
        self._told(answer, underway.memories)
        yield answer

    def _interrupt(self, underway: Underway) -> None:
        # The caller is gone and must not wait for the disk; the note is written behind its back.
        task = asyncio.get_running_loop().create_task(self._turns.end(underway, "interrupted"))
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _respond(
        self, scope: Scope, underway: Underway, senses: Senses, desk: TurnDesk
    ) -> AsyncGenerator[str, None]:
        brain = self._plugins.one("brain")
        if brain is None:
            raise PluginFailed("", "brain", "vacant")
        turn = Turn(
            underway.session,
            underway.message,
            await self._context(scope, underway.earlier, senses),
            senses.recalled,
            senses.appraisal,
            senses.percepts,
            tuple(senses.degraded),
            tuple(slot.spec for slot in self._plugins.every("command") if slot.spec is not None),
            self._clock.now(),
            desk,
        )
        desk.turn = turn
        return self._plugins.stream(brain, "respond", turn)

    async def _context(self, scope: Scope, earlier: tuple[Message, ...], senses: Senses) -> Context:
        pinned = await self._memories.pinned(scope) if self._plugins.one("memory") else ()
        return build(earlier, senses.recalled, pinned, self._budget)

    async def close(self) -> None:
        """Waits until interrupted turns are noted on disk."""
        if self._endings:
            await asyncio.wait(self._endings)


def _whole(answer: Answer) -> tuple[Event, ...]:
    accepted = Accepted(answer.turn_id, answer.request_id, answer.session_id, answer.user_message)
    return accepted, answer.message.text, answer
