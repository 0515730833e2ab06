"""Taking words out of what was said: the message a memory came from, and the answers that quoted it.

A redaction belongs to a batch. Everything it rewrites is expected to be as it was read, and the row of each session
it touches is written anew: so a turn that goes on beside it, and every copy of the session in any process, must look
again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import msgspec

from alejo.errors import Conflict
from alejo.storage.journal import Journal, message_key
from alejo.storage.store import Store, Writer
from alejo.storage.tables import MESSAGES, QUOTES, SESSIONS, TURNS
from alejo.types import Memory, Message, Scope

FORGOTTEN = "[forgotten]"
_STEP = 1000


class Redaction:
    """What one batch takes the words out of. Collect with `memory` and `phrases`, then `apply` once."""

    def __init__(self, store: Store, journal: Journal, scope: Scope, writer: Writer) -> None:
        self._store = store
        self._journal = journal
        self._scope = scope
        self._writer = writer
        self._places: set[bytes] = set()
        self._partly: dict[bytes, list[str]] = {}

    async def memory(self, memory: Memory) -> None:
        """Adds the message a memory came from, and every answer that quoted either."""
        if memory.message_seq:
            self._places.add(message_key(memory.session_id, memory.sent_at, memory.message_seq))
        for subject in filter(None, (memory.id, memory.message_id)):
            await self.quotes(subject)

    async def quotes(self, subject: str) -> None:
        """Adds every answer that quoted a memory or message, by its id."""
        after = b""
        prefix = bytes.fromhex(subject)
        while rows := await self._store.scan(self._scope, QUOTES, prefix, after=after, limit=_STEP):
            for row in rows:
                self._places.add(row.value)
                self._writer.delete(QUOTES, row.key)
            after = rows[-1].key

    def phrases(self, message: Message, phrases: Sequence[str]) -> None:
        """Adds a message of which only these phrases go: the one that asks to forget them."""
        self._partly[message_key(message.session_id, message.sent_at, message.seq)] = list(phrases)

    @property
    def found(self) -> bool:
        """Whether there is anything to take words out of."""
        return bool(self._places or self._partly)

    async def apply(self) -> int:
        """Rewrites it all in the batch; returns how many messages lose all their words."""
        sessions: set[str] = set()
        turns: set[bytes] = set()
        count = 0
        for place in sorted(self._places | self._partly.keys()):
            row = await self._store.get(self._scope, MESSAGES, place)
            if row is None or row.value.redacted:
                continue
            whole = place in self._places
            bare = _bare(row.value) if whole else _without(row.value, self._partly[place])
            self._writer.expect(MESSAGES, place, row.version)
            self._writer.put(MESSAGES, place, bare)
            sessions.add(bare.session_id)
            count += whole
            turns.add(bare.request_key)
        for turn in sorted(turns - {b""}):
            await self._turn(turn)
        for session_id in sorted(sessions):
            await self._touch(session_id)
        return count

    async def _turn(self, place: bytes) -> None:
        """Takes out of a turn's row what it keeps of its messages' words."""
        row = await self._store.get(self._scope, TURNS, place)
        if row is not None:
            bare = msgspec.structs.replace(row.value, recalled=(), appraisal=None, percepts=())
            self._writer.expect(TURNS, place, row.version)
            self._writer.put(TURNS, place, bare)

    async def _touch(self, session_id: str) -> None:
        place = bytes.fromhex(session_id)
        row = await self._store.get(self._scope, SESSIONS, place)
        self._journal.forget_hot(self._scope, session_id)
        if row is not None:
            self._writer.expect(SESSIONS, place, row.version)
            self._writer.put(SESSIONS, place, row.value)


async def sweep(store: Store, journal: Journal, scope: Scope, subjects: Collection[str]) -> int:
    """Takes out what was quoted of memories or messages while they were being forgotten; returns how many messages.

    Call it when they are gone: an answer committed later finds them missing, an earlier one has its quote noted here.
    """
    count = 0
    while True:
        writer = await store.writer(scope)
        redaction = Redaction(store, journal, scope, writer)
        for subject in subjects:
            await redaction.quotes(subject)
        if not redaction.found:
            return count
        redacted = await redaction.apply()
        try:
            await writer.commit()
        except Conflict:
            continue
        count += redacted


def _bare(message: Message) -> Message:
    return msgspec.structs.replace(message, text="", images=(), metadata={}, redacted=True)


def _without(message: Message, phrases: Sequence[str]) -> Message:
    return msgspec.structs.replace(message, text=scrub(message.text, phrases))


def scrub(text: str, phrases: Sequence[str]) -> str:
    """The text without the phrases, whatever their case; the longest first, so that none hides in another's trace."""
    for phrase in sorted({each.strip().rstrip(".!?") for each in phrases}, key=len, reverse=True):
        if phrase:
            text = re.sub(re.escape(phrase), FORGOTTEN, text, flags=re.IGNORECASE)
    return text
