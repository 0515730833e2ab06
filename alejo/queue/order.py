"""Whose turn it is: kept in memory, made from the signs, and only a hint. What is true stands in the rows of the line.

On each level of priority it goes round among users: each is placed by when they could have been served there or, if
that is later, last were. A level puts them ahead by some seconds, so that waiting makes up for it and none starves. As
these are fixed times, nothing has to be sorted anew while time goes by.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection

from alejo.queue.rows import Sign
from alejo.types import JobState

LOOK_AGAIN = 1_000_000  # µs until a line is looked at again that somebody else works on

_REMEMBERED = 65_536  # users of whom it is known when they were served


class Entry:
    """A line that wants attention `at` a time, as its `newest` sign says.

    `keys` are all signs seen; `stamp` changes with `at`.
    """

    __slots__ = ("at", "keys", "newest", "sign", "stamp")

    def __init__(self) -> None:
        self.at = 0
        self.keys: set[bytes] = set()
        self.newest = b""
        self.sign: Sign
        self.stamp = 0

    @property
    def suspect(self) -> bool:
        """Whether a process ended with its job."""
        return self.sign.suspect


Level = tuple[bytes, int]  # a user and a priority


class Ring:
    """The lines of one kind that are ready, in a queue for each level of each user."""

    def __init__(self, lines: dict[bytes, Entry], step: int) -> None:
        self._lines = lines
        self._step = step
        self._waiting: dict[Level, list[tuple[int, bytes, int]]] = {}
        self._served: dict[Level, int] = {}
        self._turns: list[tuple[int, Level]] = []
        self._placed: dict[Level, int] = {}  # the turn that counts, of those a level has in `_turns`

    def add(self, entry: Entry) -> None:
        """Adds a line that is ready."""
        level = level_of(entry)
        heapq.heappush(self._waiting.setdefault(level, []), (entry.sign.ready_at, entry.sign.line, entry.stamp))
        self._place(level)

    def first(self) -> tuple[int, Entry] | None:
        """The line whose turn it is and its turn, or None."""
        while self._turns:
            turn, level = self._turns[0]
            counts = self._placed.get(level) == turn
            now = self._turn(level) if counts else None
            if now == turn:
                return turn, self._lines[self._waiting[level][0][1]]
            heapq.heappop(self._turns)
            if counts:
                del self._placed[level]
                self._place(level)
            if counts and now is None:
                del self._waiting[level]
        return None

    def take(self, entry: Entry, now: int) -> None:
        """Takes the first line, whose user is served at `now`."""
        heapq.heappop(self._waiting[level_of(entry)])
        self.serve(level_of(entry), now)

    def serve(self, level: Level, now: int) -> None:
        """Notes that a user was served on a level until `now`."""
        if len(self._served) >= _REMEMBERED:
            self._served.clear()
        self._served[level] = now

    def served(self, level: Level) -> int | None:
        """When a user was last served on a level."""
        return self._served.get(level)

    def refund(self, level: Level, served: int | None) -> None:
        """Takes back that a line was taken, as it was not to be had."""
        self._served.pop(level, None)
        if served is not None:
            self._served[level] = served
        if level in self._waiting:
            self._place(level)

    def _place(self, level: Level) -> None:
        turn = self._turn(level)
        if turn is not None and turn < self._placed.get(level, turn + 1):
            self._placed[level] = turn
            heapq.heappush(self._turns, (turn, level))

    def _turn(self, level: Level) -> int | None:
        """When it is this level's turn, leaving out lines of which something newer is known."""
        waiting = self._waiting[level]
        while waiting:
            ready_at, line, stamp = waiting[0]
            entry = self._lines.get(line)
            if entry is not None and entry.stamp == stamp:
                return max(ready_at, self._served.get(level, ready_at)) - self._step * level[1]
            heapq.heappop(waiting)
        return None


def level_of(entry: Entry) -> Level:
    return entry.sign.user, int(entry.sign.priority)


class Order:
    """Every line with a live job, and the dead letters. `step` is what a step of priority weighs, in µs."""

    def __init__(self, step: int) -> None:
        self.lines: dict[bytes, Entry] = {}
        self.dead: dict[str, bytes] = {}
        self._step = step
        self._rings: dict[str, Ring] = {}
        self._timed: list[tuple[int, bytes, int]] = []
        self._stamp = 0
        self._before: list[tuple[Ring, Level, int | None]] = []

    def see(self, key: bytes, sign: Sign) -> None:
        """Takes in a sign. The last one of a line says how it stands, but for what is behind a job under way."""
        if sign.state is JobState.DEAD:
            self.dead[sign.job_id] = key
            return
        self.dead.pop(sign.job_id, None)
        entry = self.lines.get(sign.line)
        if entry is None:
            entry = self.lines[sign.line] = Entry()
        entry.keys.add(key)
        if key <= entry.newest:
            return  # one of another process may be read after an own one that is newer
        if sign.behind and entry.newest and entry.sign.state is not JobState.QUEUED:
            if entry.sign.state is JobState.RUNNING:
                self.arm(entry, min(entry.at, sign.at + LOOK_AGAIN))
            return
        entry.newest, entry.sign = key, sign
        self.arm(entry, sign.at)

    def arm(self, entry: Entry, at: int) -> None:
        """Has a line wait until a time."""
        self._stamp += 1
        entry.at, entry.stamp = at, self._stamp
        heapq.heappush(self._timed, (at, entry.sign.line, entry.stamp))

    def drop(self, entry: Entry) -> None:
        """Forgets a line that has no live job."""
        if self.lines.get(entry.sign.line) is entry:
            del self.lines[entry.sign.line]

    def ripen(self, now: int) -> list[Entry]:
        """Makes ready what has waited long enough; returns the lines whose lease ends, which are to be looked after."""
        ended: list[Entry] = []
        while self._timed and self._timed[0][0] <= now:
            _, line, stamp = heapq.heappop(self._timed)
            entry = self.lines.get(line)
            if entry is None or entry.stamp != stamp:
                continue
            if entry.sign.state is JobState.RUNNING:
                ended.append(entry)
                continue
            self.ready(entry)
        return ended

    def ready(self, entry: Entry) -> None:
        """Lets a line have its turn."""
        self._ring(entry.sign.kind).add(entry)

    def serve(self, user: bytes, kind: str, priority: int, now: int) -> None:
        """Notes that a user's job ended now: whoever came while it ran goes before the user's next."""
        self._ring(kind).serve((user, priority), now)

    def pick(self, kinds: Collection[str], most: int, now: int) -> list[Entry]:
        """The lines whose turn it is, up to `most` as long as they are one user's and of one kind; a suspect alone."""
        picked: list[Entry] = []
        self._before = []
        while len(picked) < most:
            found = [(first, kind) for kind in kinds if (ring := self._rings.get(kind)) and (first := ring.first())]
            if not found:
                break
            (_, entry), kind = min(found, key=lambda each: (each[0][0], each[0][1].sign.user, each[1]))
            if picked and (entry.sign.user, kind) != (picked[0].sign.user, picked[0].sign.kind):
                break
            if entry.suspect and picked:
                break
            ring = self._rings[kind]
            self._before.append((ring, level_of(entry), ring.served(level_of(entry))))
            ring.take(entry, now)
            picked.append(entry)
            if entry.suspect:
                break
        return picked

    def refund(self) -> None:
        """Takes back the turn of the last pick, of which nothing was to be had."""
        for ring, level, served in reversed(self._before):
            ring.refund(level, served)

    def _ring(self, kind: str) -> Ring:
        ring = self._rings.get(kind)
        if ring is None:
            ring = self._rings[kind] = Ring(self.lines, self._step)
        return ring

    def owned(self, owners: Collection[str]) -> list[Entry]:
        """The lines whose job is leased to one of these."""
        running = [each for each in self.lines.values() if each.sign.state is JobState.RUNNING]
        return [each for each in running if each.sign.owner in owners]
