"""Looking ahead while nobody waits: what is expected of the next turn is made ready, and compared with what comes.

After a turn, and only while no turn is under way, the user's index takes in what was said, the model learns what came,
and the memories that are expected next are read, so that a recall finds them at hand. Any turn that begins cancels it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from alejo.clock import Clock, time_zone
from alejo.errors import AlejoError
from alejo.memory.expecting import Guess, expect, learned, named, slots
from alejo.memory.index import Index
from alejo.memory.indexes import Indexes
from alejo.memory.recall import at_hand
from alejo.metrics import Metrics
from alejo.storage.store import Store
from alejo.storage.tables import EXPECTATIONS, Expectations
from alejo.types import Hit, Memory, Scope

_ONE = b"\0"
_PAUSE = 0.02  # seconds without a turn, before anything is done
_WAITING = 256  # sessions
_SESSIONS = 4096
_USERS = 1024
_RECENT = 4  # turns of a session that count
_SAID = 6  # and messages of it
_NEAR = 4
_UNWRITTEN = 8  # turns that a kill may cost a model
_Place = tuple[Scope, str]


class _Course(msgspec.Struct):
    """A session: what its last turns recalled first and said, the last first; what is expected, and what to learn."""

    recent: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    guess: Guess | None = None
    zone: str = "UTC"
    came: tuple[tuple[str, str, int], ...] = ()


class _User(msgspec.Struct):
    """A model, the version of its row (None: there is none), and how many turns of it are not written down."""

    model: Expectations
    version: int | None
    unwritten: int = 0


class Prediction:
    """Of all users of this process. `outcomes` counts turns: hit, miss, and unready, where nothing was expected."""

    def __init__(self, store: Store, indexes: Indexes, clock: Clock, *, enabled: bool = True) -> None:
        self._store = store
        self._indexes = indexes
        self._clock = clock
        self._enabled = enabled
        self._turns = 0
        self._courses: OrderedDict[_Place, _Course] = OrderedDict()
        self._users: OrderedDict[Scope, _User] = OrderedDict()
        self._waiting: OrderedDict[_Place, None] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self.outcomes: Counter[str] = Counter()
        self.prefetches: Counter[str] = Counter()

    def began(self) -> None:
        """A turn begins: what is done ahead makes way."""
        self._turns += 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            self._task.cancel()

    def came(self, scope: Scope, session_id: str, hits: Sequence[Hit], formed: Sequence[Memory], zone: str) -> float:
        """What a turn recalled; returns how surprising the first of it is, 0 to 1, and 0 where nothing was expected.

        `formed` are the memories of what was said, `zone` is where the user is.
        """
        if not (self._enabled and hits):
            return 0.0
        place, came, now = (scope, session_id), hits[0].memory.id, self._clock.now()
        course = self._courses.get(place)
        if course is None:
            course = self._courses[place] = _Course(guess=self._at_first(scope, zone, now))
            if len(self._courses) > _SESSIONS:
                self._courses.popitem(last=False)
        self._courses.move_to_end(place)
        guess, course.guess, course.zone = course.guess, None, zone
        self.outcomes["unready" if guess is None else "hit" if came in guess.likely else "miss"] += 1
        before = course.recent[0] if course.recent else ""
        course.came = (*course.came, (before, came, now))[-_UNWRITTEN:]
        course.recent = (came, *(each for each in course.recent if each != came))[:_RECENT]
        course.said = (*(each.id for each in formed[:1]), *course.said)[:_SAID]
        return 0.0 if guess is None else guess.surprise(came)

    def _at_first(self, scope: Scope, zone: str, now: int) -> Guess | None:
        """What is expected of a session's first turn, if it is known what its user needs at such times."""
        user = self._users.get(scope)
        known = self._indexes.known(scope)
        return expect(user.model, (), (), (), slots(_local(now, zone)), known) if user is not None and known else None

    def ended(self, scope: Scope, session_id: str) -> None:
        """A turn is over, whatever came of it."""
        self._turns -= 1
        if (scope, session_id) in self._courses:
            self._waiting[scope, session_id] = None
            if len(self._waiting) > _WAITING:
                self._waiting.popitem(last=False)
        if not self._turns and self._waiting and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_PAUSE, self._start)

    def _start(self) -> None:
        self._timer = None
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())
            self._task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled():
            task.exception()

    async def _work(self) -> None:
        while self._waiting and not self._turns:
            place = next(iter(self._waiting))
            try:
                with contextlib.suppress(AlejoError):  # nothing is expected then, and nobody waits for it
                    await self.look_ahead(*place)
                    self.prefetches["done"] += 1
            except asyncio.CancelledError:
                self.prefetches["cancelled"] += 1
                raise
            self._waiting.pop(place, None)
            await asyncio.sleep(0)

    async def look_ahead(self, scope: Scope, session_id: str) -> None:
        """Learns what came in a session, expects what comes next, and has that at hand."""
        course = self._courses.get((scope, session_id))
        if course is None or await self._store.life(scope) is None:
            return
        index = await self._indexes.get(scope)
        user = await self._user(scope)
        for before, came, at in course.came:
            user.model = learned(user.model, before, came, slots(_local(at, course.zone)))
            user.unwritten += 1
        course.came = ()
        if user.unwritten >= _UNWRITTEN:
            await self._write(scope, user, index)
        near = await self._near(scope, index, course.recent[0]) if course.recent else []
        when = slots(_local(self._clock.now(), course.zone))
        guess = expect(user.model, course.recent, course.said, near, when, index.ids)
        version = index.version
        rows = await at_hand(self._store, scope, index, [*guess.likely])
        if index.version == version:  # else one of them may have other words by now
            index.hold([row for row in rows if row is not None])
        course.guess = guess

    async def _near(self, scope: Scope, index: Index, memory_id: str) -> list[str]:
        (row,) = await at_hand(self._store, scope, index, [memory_id])
        return [] if row is None else [each for each, _ in index.near(memory_id, row.value.text, _NEAR)]

    async def _user(self, scope: Scope) -> _User:
        user = self._users.get(scope)
        if user is None:
            row = await self._store.get(scope, EXPECTATIONS, _ONE)
            user = _User(Expectations(), None) if row is None else _User(row.value, row.version)
            self._users[scope] = user
            if len(self._users) > _USERS:
                self._users.popitem(last=False)
        self._users.move_to_end(scope)
        return user

    async def _write(self, scope: Scope, user: _User, index: Index) -> None:
        """Writes a model down. Whoever was faster, in another process or by forgetting, is right."""
        user.model = user.model.without(named(user.model) - set(index.ids))
        try:
            writer = await self._store.writer(scope, begin=False)
            writer.expect(EXPECTATIONS, _ONE, user.version)
            writer.put(EXPECTATIONS, _ONE, user.model)
            user.version = await writer.commit()
            user.unwritten = 0
        except AlejoError:
            self._users.pop(scope, None)

    def forget(self, scope: Scope) -> None:
        """Lets go of all that is held of a user who was erased."""
        self._users.pop(scope, None)
        for place in [place for place in self._courses if place[0] == scope]:
            del self._courses[place]
            self._waiting.pop(place, None)

    def observe(self, metrics: Metrics) -> None:
        """Has metrics tell how often what came was expected."""
        text = "Turns by whether what they recalled first was expected."
        metrics.counter("alejo_predictions", text, "outcome", lambda: dict(self.outcomes))
        text = "Times that what is expected was made ready, and that a turn came first."
        metrics.counter("alejo_prefetches", text, "outcome", lambda: dict(self.prefetches))

    async def close(self) -> None:
        """Ends what is done ahead, and writes models down."""
        self.began()
        if self._task is not None:
            await asyncio.wait([self._task])
        for scope, user in [each for each in self._users.items() if each[1].unwritten]:
            with contextlib.suppress(AlejoError):
                await self._write(scope, user, await self._indexes.get(scope))


def _local(moment: int, zone: str) -> datetime:
    return datetime.fromtimestamp(moment / 1_000_000, time_zone(zone) or UTC)
