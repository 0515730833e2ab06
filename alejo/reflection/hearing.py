"""What a reflector is told: the messages of a session with what is kept of them, named in them, and felt in them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import tzinfo

import msgspec

from alejo.embedding import shipped
from alejo.memory.lines import times
from alejo.memory.recall import of_moment
from alejo.storage.journal import message_key
from alejo.storage.store import Store
from alejo.storage.tables import MESSAGES, TURNS
from alejo.types import Appraisal, Memory, Mention, Message, Said, Scope, Session
from alejo.zones import labelled


class Hearing:
    """Reads the messages of one session. `wants` is what a reflector needs beside what was said."""

    def __init__(
        self,
        store: Store,
        scope: Scope,
        session: Session,
        zone: tzinfo,
        wants: Collection[str],
    ) -> None:
        self._store = store
        self._scope = scope
        self._session = session
        self._zone = zone
        self._wants = wants
        self._felt: dict[bytes, Appraisal | None] = {}
        self._moments: set[int] = set()  # whose memories were read
        self._kept: dict[str, list[Memory]] = {}  # by message
        self.words: dict[str, str] = {}  # of each memory that was read

    async def said(self, message: Message) -> Said:
        """A message with all that is known of it, in the words that are kept of it."""
        await asyncio.sleep(0)  # many of them must not stop the others
        kept = await self.memories(message)
        if not kept:
            return Said(message)
        if len(kept) == 1 and kept[0].text != message.text:
            message = msgspec.structs.replace(message, text=kept[0].text)
        return Said(
            message,
            tuple(memory.id for memory in kept),
            self._times(message) if "times" in self._wants else (),
            await self._appraisal(message) if "appraisals" in self._wants else None,
            shipped().embed(message.text) if "meaning" in self._wants and message.text else b"",
        )

    async def before(self, first: Message, limit: int) -> list[Message]:
        """So many messages at most that were said before one, oldest first."""
        place = message_key(self._session.id, first.sent_at, first.seq)
        session = bytes.fromhex(self._session.id)
        rows = await self._store.scan(self._scope, MESSAGES, session, after=place, limit=limit, reverse=True)
        return [row.value for row in reversed(rows)]

    async def memories(self, message: Message) -> tuple[Memory, ...]:
        """What was kept of a message in its own words, and is still there."""
        if message.sent_at not in self._moments:
            self._moments.add(message.sent_at)
            await self._read(message.sent_at)
        return () if message.redacted else tuple(self._kept.get(message.id, ()))

    async def _read(self, moment: int) -> None:
        """Reads the memories of a moment: those of all messages that were said then."""
        async for row in of_moment(self._store, self._scope, moment):
            if row.value.message_id and row.value.fact is None:
                self._kept.setdefault(row.value.message_id, []).append(row.value)
                self.words[row.value.id] = row.value.text

    def _times(self, message: Message) -> tuple[Mention, ...]:
        return times(message.text, message.sent_at, labelled(message.metadata) or self._zone)

    async def _appraisal(self, message: Message) -> Appraisal | None:
        """What was felt in the turn of a message, noted for the one that is answered."""
        place = message.request_key
        if place and place not in self._felt:
            row = await self._store.get(self._scope, TURNS, place)
            self._felt[place] = row.value.appraisal if row is not None else None
        return self._felt.get(place)


def in_order(messages: Sequence[Message]) -> list[Message]:
    """Messages in the order they were said."""
    return sorted(messages, key=lambda message: (message.sent_at, message.seq))
