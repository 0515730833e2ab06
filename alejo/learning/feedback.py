"""How what was recalled is liked: as the user says, and as a session shows when it ends.

A recalled memory was of use when the answer says most of what it says beyond the question; it was wrong when the user
corrected it in the same session. What the user says counts more, and is never overwritten by what is shown.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from alejo import _core
from alejo.clock import Clock
from alejo.errors import Conflict, NotFound
from alejo.memory.recall import evidence_of
from alejo.reflection import Piece
from alejo.storage import audit
from alejo.storage.requests import Requests, digest, key
from alejo.storage.rows import time_key
from alejo.storage.store import Row, Store, Writer
from alejo.storage.tables import (
    FEEDBACK,
    FEEDBACK_BY_TIME,
    MEMORIES,
    MESSAGES,
    SESSIONS,
    TURNS,
    Feedback,
    Liking,
    TurnRow,
)
from alejo.types import Judged, Memory, Message, Role, Scope

_TRIES = 8
_SAID = 1.0
_SHOWN = 0.5  # what an answer shows is half as sure as what the user says
_USED = 0.6  # of what a memory says beyond the question, that an answer says
_LOOK_BACK = 5  # sessions, for the last turn that recalled a memory
_MESSAGES = 50  # of each
DONE = "done"


class Sample(msgspec.Struct, frozen=True):
    """What was recalled for a question and how it was liked. `key` decides what it is used for; `at` is in µs."""

    key: bytes
    at: int
    judged: Judged


class Likings:
    """The feedback of every user."""

    def __init__(self, store: Store, requests: Requests, clock: Clock) -> None:
        self._store = store
        self._requests = requests
        self._clock = clock

    async def give(
        self, scope: Scope, memory_id: str, *, helpful: bool, turn: str = "", request_id: str = ""
    ) -> Feedback:
        """Notes whether a memory that a turn recalled was of use; the last word counts.

        `turn` is the request id of the turn, or empty for the newest turn that recalled the memory. Raises NotFound.
        """
        body = digest(("feedback", turn, memory_id, helpful))
        for _ in range(_TRIES):
            place, row = await self._turn(scope, memory_id, turn)
            known = await self._store.get(scope, FEEDBACK, place)
            if await self._requests.find(scope, request_id, "feedback", body) is not None and known is not None:
                return known.value
            before = known.value if known else _blank(row)
            after = _with(before, memory_id, said=_SAID if helpful else -_SAID)
            if after is None:
                raise NotFound("recalled memory", memory_id)
            writer = await self._store.writer(scope)
            _put(writer, place, after, known)
            self._requests.add(writer, request_id, "feedback", body, True)
            audit.record(writer, "feedback", memory_id, self._clock.now())
            try:
                await writer.commit()
            except Conflict:
                continue
            return after
        raise Conflict("The feedback is being given by somebody else; try again.")

    async def _turn(self, scope: Scope, memory_id: str, turn: str) -> tuple[bytes, TurnRow]:
        """Where a turn is kept, and its row. Raises NotFound."""
        places = [key(turn)] if turn else await self._last(scope)
        for place in places:
            row = await self._store.get(scope, TURNS, place)
            if row is not None and any(each.memory_id == memory_id for each in row.value.recalled):
                return place, row.value
        raise NotFound("turn that recalled it", turn or memory_id)

    async def _last(self, scope: Scope) -> list[bytes]:
        """The last turns of the newest sessions, the last first."""
        sessions = await self._store.scan(scope, SESSIONS, limit=_LOOK_BACK, reverse=True)
        found: dict[bytes, int] = {}
        for session in sessions:
            for row in await self._store.scan(scope, MESSAGES, session.key, limit=_MESSAGES, reverse=True):
                if row.value.request_key:
                    found.setdefault(row.value.request_key, row.value.recorded_at)
        return sorted(found, key=lambda place: -found[place])

    async def look(self, scope: Scope, pieces: Sequence[Piece]) -> int:
        """Notes what sessions show, in commits of its own; returns of how many memories. Done again, it is the same."""
        count = 0
        for job, messages in pieces:
            turns: dict[bytes, list[Message]] = {}
            for message in messages:
                if message.request_key:
                    turns.setdefault(message.request_key, []).append(message)
            for place, said in turns.items():
                count += await self._shown(scope, job.session_id, place, said)
        return count

    async def _shown(self, scope: Scope, session_id: str, place: bytes, said: Sequence[Message]) -> int:
        for _ in range(_TRIES):
            row = await self._store.get(scope, TURNS, place)
            if row is None or row.value.state != DONE or not row.value.recalled:
                return 0
            known = await self._store.get(scope, FEEDBACK, place)
            before = after = known.value if known else _blank(row.value)
            question = _terms(said, Role.USER)
            answer = _terms(said, Role.ASSISTANT)
            count = 0
            for each in before.likings:
                memory = await self._store.get(scope, MEMORIES, bytes.fromhex(each.memory_id))
                shown = await self._shows(scope, session_id, row.value, memory, question, answer)
                if shown is not None:
                    after = _with(after, each.memory_id, shown=shown) or after
                    count += 1
            if after == before:
                return count
            writer = await self._store.writer(scope)
            _put(writer, place, after, known)
            try:
                await writer.commit()
            except Conflict:
                continue
            return count
        return 0

    async def _shows(
        self,
        scope: Scope,
        session_id: str,
        turn: TurnRow,
        memory: Row[Memory] | None,
        question: set[str],
        answer: set[str],
    ) -> float | None:
        """What a turn and what came after it show of a memory it recalled."""
        if memory is None:
            return None
        if memory.value.superseded_by:
            heir = await self._store.get(scope, MEMORIES, bytes.fromhex(memory.value.superseded_by))
            if heir is not None and heir.value.session_id == session_id and heir.value.recorded_at >= turn.at:
                return -_SHOWN
        own = set(_core.tokens(memory.value.text)) - question
        return _SHOWN if own and len(own & answer) >= _USED * len(own) else None

    async def samples(self, scope: Scope, *, since: int, most: int) -> list[Sample]:
        """The newest feedback on turns after a time, oldest first: what tells one recalled memory from another."""
        found: list[Sample] = []
        after = b""
        while len(found) < most:
            rows = await self._store.scan(scope, FEEDBACK_BY_TIME, after=after, limit=most, reverse=True)
            for each in rows:
                row = await self._store.get(scope, FEEDBACK, each.value)
                if row is None or row.value.at <= since:
                    continue
                judged = _judged(row.value)
                if judged is not None:
                    found.append(Sample(each.value, row.value.at, judged))
            if len(rows) < most or each.key[:8] <= time_key(since):
                break
            after = rows[-1].key
        return found[most - 1 :: -1] if len(found) > most else found[::-1]


def _blank(turn: TurnRow) -> Feedback:
    return Feedback(turn.at, tuple(Liking(each.memory_id, each.measured) for each in turn.recalled))


def _with(feedback: Feedback, memory_id: str, **liked: float) -> Feedback | None:
    """The feedback with one memory liked so; None if the turn did not recall it."""
    if not any(each.memory_id == memory_id for each in feedback.likings):
        return None
    likings = (
        msgspec.structs.replace(each, **liked) if each.memory_id == memory_id else each for each in feedback.likings
    )
    return msgspec.structs.replace(feedback, likings=tuple(likings))


def _put(writer: Writer, place: bytes, feedback: Feedback, known: Row[Feedback] | None) -> None:
    writer.expect(FEEDBACK, place, known.version if known else None)
    writer.put(FEEDBACK, place, feedback)
    writer.put(FEEDBACK_BY_TIME, time_key(feedback.at) + place, place)


def _judged(feedback: Feedback) -> Judged | None:
    """The feedback as numbers; None where it tells nothing apart, or the evidence was another then."""
    evidence, liking = [], []
    for each in feedback.likings:
        measured = evidence_of(each.measured)
        if measured is None:
            return None
        evidence.append(measured)
        liking.append(each.said if each.said is not None else each.shown or 0.0)
    return Judged(tuple(evidence), tuple(liking)) if len(set(liking)) > 1 else None


def _terms(messages: Sequence[Message], role: Role) -> set[str]:
    return {term for message in messages if message.role is role for term in _core.tokens(message.text)}
