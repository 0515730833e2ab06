"""What is kept of how each user feels: lived through with every turn, told, corrected, and taken away again.

The emotion plugin judges what stays of a turn; the sums of that are kept here, in the user's sealed records.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from alejo.clock import Clock
from alejo.conversation.senses import Senses
from alejo.errors import AlejoError, Conflict, InvalidArgument, PluginFailed
from alejo.memory.entities import SELF, VALUE
from alejo.plugins import PluginHost
from alejo.roles import Moment
from alejo.storage import audit, impressions
from alejo.storage.requests import Requests, digest, key
from alejo.storage.store import Store, Writer
from alejo.types import (
    Correction,
    Degraded,
    Emotions,
    Feelings,
    Impression,
    Memory,
    Message,
    Preferences,
    Reminder,
    Scope,
)

_TRIES = 8
_OFF = "off"
_PREFERENCE = "emotions"
_CORRECT = "correct"  # the command
_IN_TIME = 3_600_000_000  # after a reminder fell due, in µs


class Moods:
    """The emotions of every user, each reached through a scope. `half_lives` are of the mood and the usual, in µs."""

    def __init__(
        self,
        store: Store,
        requests: Requests,
        plugins: PluginHost,
        preferences: Callable[[Scope], Awaitable[Preferences]],
        clock: Clock,
        half_lives: tuple[int, int],
    ) -> None:
        self._store = store
        self._requests = requests
        self._plugins = plugins
        self._preferences = preferences
        self._clock = clock
        self._half_lives = half_lives
        self._hot = impressions.Hot(store, half_lives)
        self._settling: dict[Scope, asyncio.Task[None]] = {}

    async def live(
        self, scope: Scope, message: Message, memories: Sequence[Memory], senses: Senses, preferences: Preferences
    ) -> None:
        """Finds what a turn leaves, if something was felt in it and somebody judges that; notes it in `senses`."""
        slot = self._plugins.offering("emotion", "live")
        if slot is None or senses.appraisal is None:
            return
        if _off(preferences):
            if not (await self._standing(scope)).empty:
                await self._clear(scope)
            return
        before, due = await self._hot.look(scope)
        if due:
            self._settle(scope)
        at = min(message.sent_at, message.recorded_at)
        names, disclosed = _stated(memories)
        moment = Moment(message, at, senses.appraisal, before, names, disclosed)
        try:
            senses.lived = await self._plugins.call(slot, "live", moment)
            senses.disclosed = disclosed
        except PluginFailed as failure:
            senses.degraded.append(Degraded("emotion", failure.plugin, failure.why))
        except InvalidArgument:
            senses.degraded.append(Degraded("emotion", slot.plugin, "rejected"))

    async def tell(self, scope: Scope) -> Feelings:
        """All that is told of how a user feels. Raises PluginFailed."""
        if _off(await self._preferences(scope)):
            if not (await self._standing(scope)).empty:
                await self._clear(scope)
            return Feelings()
        return await self._told((await self._standing(scope)).emotions)

    async def correct_mood(
        self, scope: Scope, *, valence: float | None, arousal: float | None, request_id: str = ""
    ) -> Feelings:
        """Makes the mood what the user says it is now; from there it goes on as it would. Raises PluginFailed."""

        async def change(emotions: Emotions) -> Correction:
            told = (await self._told(_uncorrected(emotions, mood=True))).mood
            return msgspec.structs.replace(
                emotions.correction,
                valence=0.0 if valence is None else valence - told.valence,
                arousal=0.0 if arousal is None else arousal - told.arousal,
                at=self._clock.now(),
            )

        body = digest(("mood.correct", valence, arousal))
        return await self._correct(scope, "mood.correct", body, request_id, change)

    async def update_relationship(
        self, scope: Scope, *, trust: float | None, familiarity: float | None, request_id: str = ""
    ) -> Feelings:
        """Makes trust and familiarity what the user says they are now. Raises PluginFailed."""

        async def change(emotions: Emotions) -> Correction:
            told, given = (await self._told(_uncorrected(emotions, mood=False))).relationship, emotions.correction
            return msgspec.structs.replace(
                given,
                trust=given.trust if trust is None else trust - told.trust,
                familiarity=given.familiarity if familiarity is None else familiarity - told.familiarity,
            )

        body = digest(("relationship.update", trust, familiarity))
        return await self._correct(scope, "relationship.update", body, request_id, change)

    async def forget_trigger(self, scope: Scope, topic: str, *, request_id: str = "") -> bool:
        """Forgets a topic, wherever it is kept here; whether it was there. What is felt of it later counts anew."""
        action, body = "trigger.forget", digest(("trigger.forget", topic))
        name = topic.casefold()
        for _ in range(_TRIES):
            done = await self._requests.find(scope, request_id, action, body)
            if done is not None:
                return bool(done)
            await impressions.settle(self._store, scope, self._half_lives)
            found = await impressions.scrub(self._store, scope, name)
            known = await self._standing(scope)
            if any(name in row.value.impression.topics for row in known.waiting):
                continue
            found = found or name in known.sums.topics
            writer = await self._store.writer(scope)
            topics = {each: said for each, said in known.sums.topics.items() if each != name}
            if found:
                impressions.put(writer, known, msgspec.structs.replace(known.sums, topics=topics))
            if await self._done(writer, action, body, request_id, found):
                return found
        raise _busy()

    async def reset(self, scope: Scope, *, request_id: str = "") -> int:
        """Deletes all that is kept of a user's emotions; returns of how many turns something was."""
        action, body = "emotions.reset", digest("emotions.reset")
        done = await self._requests.find(scope, request_id, action, body)
        if done is not None:
            return int(done)
        count = await self._clear(scope)
        await self._done(await self._store.writer(scope), action, body, request_id, count)
        return count

    def keep(self, writer: Writer, turn: bytes, senses: Senses, commands: Sequence[str]) -> None:
        """Adds to the batch of a turn, by its key, what it leaves."""
        if senses.lived is not None:
            one = senses.lived.impression
            counts = {"turns": 1.0, "disclosures": float(senses.disclosed), "corrections": float(_CORRECT in commands)}
            own = {name: amount for name, amount in counts.items() if amount}
            impressions.note(writer, turn, msgspec.structs.replace(one, counts={**one.counts, **own}))

    async def promise_kept(self, scope: Scope, writer: Writer, reminder: Reminder, at: int) -> None:
        """Adds to the batch of a reminder that was heard at a time that it came in time, if it did and that is kept."""
        if at - reminder.due > _IN_TIME or self._plugins.offering("emotion", "live") is None:
            return
        if not _off(await self._preferences(scope)):
            once = key(f"reminder/{reminder.id}/{reminder.due}")
            impressions.note(writer, once, Impression(at, counts={"promises": 1.0}))

    async def close(self) -> None:
        """Waits until what is being summed up is on disk."""
        if self._settling:
            await asyncio.wait(self._settling.values())

    async def _standing(self, scope: Scope) -> impressions.Standing:
        return await impressions.standing(self._store, scope, self._half_lives)

    async def _told(self, emotions: Emotions) -> Feelings:
        slot = self._plugins.offering("emotion", "tell")
        if slot is None:
            raise PluginFailed("", "emotion", "vacant")
        told: Feelings = await self._plugins.call(slot, "tell", emotions, self._clock.now())
        return told

    async def _correct(
        self,
        scope: Scope,
        action: str,
        body: bytes,
        request_id: str,
        change: Callable[[Emotions], Awaitable[Correction]],
    ) -> Feelings:
        for _ in range(_TRIES):
            if await self._requests.find(scope, request_id, action, body) is not None:
                return await self.tell(scope)
            known = await self._standing(scope)
            correction = await change(known.emotions)
            writer = await self._store.writer(scope)
            impressions.put(writer, known, msgspec.structs.replace(known.sums, correction=correction))
            if await self._done(writer, action, body, request_id, True):
                return await self.tell(scope)
        raise _busy()

    async def _done(self, writer: Writer, action: str, body: bytes, request_id: str, answer: object) -> bool:
        """Commits what was asked for; False if somebody else was faster."""
        self._requests.add(writer, request_id, action, body, answer)
        audit.record(writer, action, "", self._clock.now())
        try:
            await writer.commit()
        except Conflict:
            return False
        return True

    async def _clear(self, scope: Scope) -> int:
        running = self._settling.get(scope)
        if running is not None:
            await asyncio.wait([running])
        return await impressions.clear(self._store, scope)

    def _settle(self, scope: Scope) -> None:
        if scope not in self._settling:
            task = asyncio.get_running_loop().create_task(self._settled(scope))
            self._settling[scope] = task
            task.add_done_callback(lambda _: self._settling.pop(scope, None))

    async def _settled(self, scope: Scope) -> None:
        try:
            await impressions.settle(self._store, scope, self._half_lives, self._hot)
        except AlejoError:
            return  # it waits on, and a later turn tries again


def _off(preferences: Preferences) -> bool:
    return preferences.others.get(_PREFERENCE, "").casefold() == _OFF


def _uncorrected(emotions: Emotions, *, mood: bool) -> Emotions:
    given = emotions.correction
    rest = Correction(trust=given.trust, familiarity=given.familiarity)
    if not mood:
        rest = Correction(given.valence, given.arousal, given.at)
    return msgspec.structs.replace(emotions, correction=rest)


def _stated(memories: Sequence[Memory]) -> tuple[tuple[str, ...], int]:
    """Whom and what facts are about, and how many of them are about the user."""
    facts = [memory.fact for memory in memories if memory.fact is not None]
    ends = [fact.subject for fact in facts] + [fact.object for fact in facts if fact.object_kind != VALUE]
    about = sum(fact.subject == SELF or fact.subject.startswith(f"{SELF}'s ") for fact in facts)
    return tuple(dict.fromkeys(end for end in ends if end != SELF)), about


def _busy() -> Conflict:
    return Conflict("The emotions are being changed by somebody else; try again.")
