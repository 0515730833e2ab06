"""A turn: the user's message is committed, felt, seen and set beside what is remembered; a brain answers; the answer is
committed with what it leaves behind, and only then acknowledged.

States on disk: received → done | failed | interrupted. "Answering" is the time between, and lives in this process: the
same request then attaches to the running turn. A request id with another body is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Protocol

import msgspec

from alejo.clock import Clock
from alejo.conversation.desk import Rooms, TurnDesk
from alejo.conversation.looking import Looking
from alejo.conversation.moods import Moods
from alejo.conversation.review import STOPS, Review
from alejo.conversation.senses import SENSES, Senses, sense
from alejo.conversation.turns import Turns, Underway, another_body, body
from alejo.conversation.workspace import Attention
from alejo.errors import PluginFailed, Unavailable
from alejo.events import Events
from alejo.ids import Ids
from alejo.memory.prediction import Prediction
from alejo.models import REMEMBERED, LanguageModels, Wish, at_hand
from alejo.plugins import PluginHost
from alejo.roles import Turn
from alejo.storage.store import Row
from alejo.storage.tables import TurnRow
from alejo.types import Accepted, Answer, Ask, Degraded, Event, Hit, Replacement, Scope

MODE = "mode"  # among the other preferences
_BEARING = 0.3  # of the message's information, from which what a recalled memory prefers counts
_SHORT = 40  # characters of what confirms


class Reflecting(Protocol):
    """What a turn has to do with reflection; see alejo.reflection."""

    async def lend(self) -> Sequence[Degraded]:
        """Does a little of what waits, if that is asked of turns now, and says so."""
        ...

    async def keep_up(self, scope: Scope, session_id: str) -> None:
        """Waits until what was said is reflected on, if that is how it is set."""
        ...


class _Flight:
    """A turn being answered in this process: the answer to come, and the turn once its message is on its way."""

    __slots__ = ("answer", "ask", "fresh", "turn")

    def __init__(self, ask: Ask, answer: asyncio.Future[Answer], *, fresh: bool) -> None:
        self.fresh = fresh  # its request id was made here
        self.ask = ask
        self.answer = answer
        self.turn: Underway | None = None

    @property
    def session_id(self) -> str:
        """The session it is in, once that is known."""
        return self.turn.session.id if self.turn is not None else self.ask.session_id


class Conversation:
    """Answers turns. `budget` is the token budget of a brain's context."""

    def __init__(
        self,
        turns: Turns,
        rooms: Rooms,
        plugins: PluginHost,
        ids: Ids,
        clock: Clock,
        budget: int,
        models: LanguageModels,
        events: Events,
        reflecting: Reflecting,
        attention: Attention,
        moods: Moods,
        prediction: Prediction,
        looking: Looking,
    ) -> None:
        self._turns = turns
        self._rooms = rooms
        self._memories = rooms.memories
        self._profiles = rooms.profiles
        self._plugins = plugins
        self._ids = ids
        self._clock = clock
        self._budget = budget
        self._models = models
        self._looking = looking
        self._events = events
        self._reflecting = reflecting
        self._attention = attention
        self._moods = moods
        self._prediction = prediction
        self._live: dict[tuple[Scope, str], _Flight] = {}
        self._endings: set[asyncio.Task[None]] = set()

    async def chat(self, scope: Scope, ask: Ask) -> Answer:
        """One turn, answered at once. Errors are those of `stream`."""
        answer: Answer | None = None
        async for event in self.stream(scope, ask):  # to its end, so that nothing is left to close
            if isinstance(event, Answer):
                answer = event
        if answer is not None:
            return answer
        raise Unavailable("The turn ended without an answer; send it again with the same request id.")

    async def turn(self, scope: Scope, request_id: str) -> Answer:
        """A turn that is done, as it was answered but for what was forgotten since. Raises NotFound."""
        return await self._turns.done(scope, request_id)

    async def stream(self, scope: Scope, ask: Ask) -> AsyncGenerator[Event, None]:
        """One turn: Accepted when the user's message is on disk, pieces of text, and the Answer when that is too.

        Raises NotFound or FailedPrecondition for the session, AlreadyExists for a request id with another body,
        PluginFailed when no brain could answer, StorageFull. Closing the iterator interrupts the turn: the user's
        message is kept, no partial answer is.
        """
        fresh = not ask.request_id
        if fresh:
            ask = msgspec.structs.replace(ask, request_id=self._ids.new())
        place = (scope, ask.request_id)
        flight = self._live.get(place)
        if flight is not None:
            for event in _whole(await _join(ask, flight)):
                yield event
            return
        flight = self._live[place] = _Flight(ask, asyncio.get_running_loop().create_future(), fresh=fresh)
        self._prediction.began()
        try:
            known = None if fresh else await self._turns.find(scope, ask)
            if isinstance(known, Answer):
                events = _whole(known)
            else:
                turn, desk, senses = await self._begin(scope, ask, flight, known)
                yield Accepted(turn.turn.id, ask.request_id, turn.session.id, turn.message)
                async with aclosing(self._respond(turn, desk, senses)) as said:
                    async for piece in said:
                        yield piece
                senses.degraded += await self._reflecting.lend()
                known = await self._turns.finish(turn, senses, desk, desk.review.said)
                await self._reflecting.keep_up(scope, known.session_id)
                events = (known,)
                if not known.replayed:
                    for memory in turn.formed:
                        self._events.tell("memory_formed", known.session_id, memory)
                    self._events.tell("response_generated", known.session_id, known.user_message, known.message)
                    self._attention.attended(turn, senses, known, desk.zone)
            flight.answer.set_result(known)
        except BaseException as error:
            await self._cut(flight, error)
            raise
        finally:
            del self._live[place]
            flight.answer.cancel()
            self._prediction.ended(scope, flight.session_id)
        for event in events:
            yield event

    async def _begin(
        self, scope: Scope, ask: Ask, flight: _Flight, before: Row[TurnRow] | None
    ) -> tuple[Underway, TurnDesk, Senses]:
        # What the message says is felt and looked up while it is on its way to the disk.
        slots = {role: self._plugins.one(role) for role in SENSES}
        beside = any(slots.values())
        turn = flight.turn = await self._turns.receive(scope, ask, before, beside=beside, fresh=flight.fresh)
        preferences = await self._profiles.get(scope)
        zone = self._memories.zones.named(turn.session, preferences)
        review = await self._review(turn, preferences.language, zone)
        judging = review.request(turn.message.text) if review is not None else None
        senses = await sense(self._plugins, slots, self._memories, scope, turn.message, self._looking, judging)
        await self._moods.live(scope, turn.message, turn.memories, senses, preferences)
        if turn.committed is not None:
            await asyncio.shield(turn.committed)
        if before is None:
            self._heard(turn)
        if review is not None:
            senses.percepts = await review.seen(senses.percepts)
        senses.surprise = self._prediction.came(scope, turn.session.id, senses.recalled, turn.memories, zone)
        senses.workspace = await self._attention.attend(turn, senses)
        desk = TurnDesk(
            scope,
            turn.message,
            turn.earlier,
            senses.recalled,
            self._rooms,
            self._plugins,
            preferences.context_tokens or self._budget,
            turn.session,
            senses.appraisal,
            review,
        )
        desk.preferences = preferences
        desk.zone = zone
        return turn, desk, senses

    def _heard(self, turn: Underway) -> None:
        self._events.tell("message_received", turn.session.id, turn.message)
        for memory in turn.memories:
            self._events.tell("memory_formed", turn.session.id, memory)

    async def _review(self, turn: Underway, language: str, zone: str) -> Review | None:
        """The conscience of a turn, which knows what the user was asked to confirm if this may be the answer to it."""
        slot = self._plugins.one("conscience")
        if slot is None:
            return None
        pending = ""
        if len(turn.message.text) <= _SHORT and len(turn.earlier) > 1:
            *_, asked, answered = turn.earlier
            pending = asked.text if await self._turns.asked(turn.scope, answered) else ""
        return Review(self._plugins, slot, pending, language, zone)

    async def _cut(self, flight: _Flight, error: BaseException) -> None:
        """Notes on disk how a turn ended that has no answer."""
        if flight.turn is None or flight.answer.done():
            return
        if isinstance(error, Exception):
            await self._turns.end(flight.turn, "failed")
        else:
            self._interrupt(flight.turn)

    def _interrupt(self, underway: Underway) -> None:
        # The caller is gone and must not wait for the disk; the note is written behind its back.
        task = asyncio.get_running_loop().create_task(self._turns.end(underway, "interrupted"))
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _respond(self, turn: Underway, desk: TurnDesk, senses: Senses) -> AsyncGenerator[str | Replacement, None]:
        asked = desk.review.asked
        if asked.ruling in STOPS:
            desk.review.said = asked.text
            yield asked.text
            senses.degraded += desk.review.degraded
            return
        brain = self._plugins.one("brain")
        if brain is None:
            raise PluginFailed("", "brain", "vacant")
        lived = senses.lived
        desk.models = models = at_hand(
            self._models, turn.scope, *_wishes(senses.recalled), Wish(desk.preferences.model)
        )
        if models is not None:
            models.showing = desk.leaving
        desk.turn = Turn(
            turn.session,
            msgspec.structs.replace(turn.message, text=asked.text) if asked.text else turn.message,
            senses.recalled,
            senses.appraisal,
            senses.percepts,
            tuple(senses.degraded),
            tuple(slot.spec for slot in self._plugins.every("command") if slot.spec is not None),
            self._clock.now(),
            desk,
            desk.preferences,
            models,
            desk.zone,
            senses.workspace,
            None if lived is None else lived.mood,
            None if lived is None else lived.tone,
            desk.preferences.others.get(MODE, ""),
        )
        seconds = None if models is None else models.seconds + self._plugins.call_seconds
        said = self._plugins.stream(brain, "respond", desk.turn, timeout=seconds)
        async with aclosing(said), aclosing(desk.review.answer(said)) as pieces:
            async for piece in pieces:
                yield piece
        senses.degraded += desk.review.degraded + ([] if models is None else models.degraded)

    async def close(self) -> None:
        """Waits until interrupted turns are noted on disk, and what was felt is summed up."""
        await self._attention.close()
        if self._endings:
            await asyncio.wait(self._endings)
        await self._moods.close()


async def _join(ask: Ask, flight: _Flight) -> Answer:
    """The answer of the same turn, which is being made. Raises AlreadyExists for another body."""
    if body(ask) != body(flight.ask):
        raise another_body()
    try:
        return msgspec.structs.replace(await asyncio.shield(flight.answer), replayed=True)
    except asyncio.CancelledError:
        if not flight.answer.cancelled():
            raise
        raise Unavailable("The turn was interrupted; send it again with the same request id.") from None


def _wishes(recalled: Sequence[Hit]) -> list[Wish]:
    """The models that recalled memories prefer, where they have something to do with what is asked, best first."""
    return [
        Wish(hit.memory.model, REMEMBERED, hit.memory.id)
        for hit in recalled
        if hit.memory.model and hit.coverage >= _BEARING and not hit.memory.outdated
    ]


def _whole(answer: Answer) -> tuple[Event, ...]:
    accepted = Accepted(answer.turn_id, answer.request_id, answer.session_id, answer.user_message)
    return accepted, answer.message.text, answer
