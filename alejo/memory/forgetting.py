"""Forgetting: memories, what falls with them, and the words of the messages they came from; previewed, if one likes."""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec

from alejo import paging
from alejo.cache import Cache
from alejo.clock import Clock
from alejo.errors import Conflict, InvalidArgument
from alejo.ids import raw
from alejo.memory.recall import of_moment, versioned
from alejo.outcomes import Preview
from alejo.storage.blobs import withdraw
from alejo.storage.journal import Journal
from alejo.storage.redaction import Redaction, holds, scrub, shared
from alejo.storage.removal import Removal
from alejo.storage.requests import Requests, digest
from alejo.storage.rows import put_memory
from alejo.storage.store import Row, Store
from alejo.storage.tables import MEMORIES
from alejo.storage.versions import Versions
from alejo.types import Memory, Message, Scope

_PLACE = "preview"


class _Seen(msgspec.Struct, array_like=True):
    """What a token stands for: the ids that were asked for, and the digest of all that would go with their versions."""

    ids: list[bytes]
    keep_messages: bool
    digest: bytes


class Asked(NamedTuple):
    """A message that asks to forget, and those of its session before it. `confirmed`: it may only say yes to these."""

    message: Message
    before: Sequence[Message] = ()
    confirmed: bool = False


class Forgetting:
    """Takes memories away for good."""

    def __init__(
        self, store: Store, journal: Journal, requests: Requests, versions: Versions, cache: Cache, clock: Clock
    ) -> None:
        self._store = store
        self._journal = journal
        self._requests = requests
        self._versions = versions
        self._cache = cache
        self._clock = clock

    async def preview(
        self, scope: Scope, rows: Sequence[Row[Memory]], *, keep_messages: bool, more: bool = False
    ) -> Preview:
        """What forgetting these would take, or the first of them that fit 3 MiB with all that falls with them."""
        vault = await self._store.vault(scope)
        if vault is None:
            return Preview((), (), 0, "")
        while True:
            writer = await self._store.writer(scope)  # never committed
            family = await Removal(self._store, self._versions, scope, writer).family(rows, whole=not keep_messages)
            if len(rows) <= 1 or paging.fitting([row.value.text for row in family]) == len(family):
                break
            rows, more = rows[: len(rows) // 2], True
        redaction = Redaction(self._store, self._journal, scope, writer, self._clock.now())
        for row in family if not keep_messages else ():
            await redaction.memory(row.value)
        seen = _Seen([row.key for row in rows], keep_messages, _digest(family))
        sealed = vault.seal(_PLACE, "", msgspec.msgpack.encode(seen))
        memories = tuple(versioned(row.value, row.version) for row in family)
        token = base64.urlsafe_b64encode(sealed).decode()
        return Preview(memories[: len(rows)], memories[len(rows) :], await redaction.apply(), token, more)

    async def forget(
        self,
        scope: Scope,
        memory_ids: Sequence[str] = (),
        *,
        preview: str = "",
        keep_messages: bool = False,
        request_id: str = "",
        asked: Asked | None = None,
    ) -> tuple[int, int]:
        """Forgets memories, or what a preview's token stands for; see `Memories.forget`."""
        seen = await self._open(scope, preview) if preview else None
        if seen is not None:
            memory_ids, keep_messages = [place.hex() for place in seen.ids], seen.keep_messages
        for place, each in enumerate(memory_ids):
            raw(each, f"memory_ids[{place}]")
        body = digest(("forget", list(memory_ids), keep_messages))
        sessions: set[str] = set()
        while True:  # a conflict is an answer that quotes, or a message, that somebody else could commit
            async with self._journal.locked(scope, sessions):  # so that busy ones cannot keep it from its turn
                done = await self._requests.find(scope, request_id, "forget", body)
                if done is not None:
                    await self._cache.forget(scope)  # whoever did it may have been killed before
                    return done[0], done[1]
                writer = await self._store.writer(scope)
                removal = Removal(self._store, self._versions, scope, writer)
                redaction = Redaction(self._store, self._journal, scope, writer, self._clock.now())
                gone = await self._family(scope, removal, memory_ids, seen, whole=not keep_messages)
                for row in gone:
                    await removal.drop(row, self._clock.now())
                    if not keep_messages:
                        await redaction.memory(row.value)
                texts, dropped = [row.value.text for row in gone], {row.key for row in gone}
                if asked is not None:
                    await self._unsay(scope, removal, redaction, asked, texts, dropped)
                counts = len(gone), await redaction.apply()
                self._requests.add(writer, request_id, "forget", body, counts)
                writer.frees = bool(gone)
                try:
                    await writer.commit()
                except Conflict:
                    sessions |= redaction.sessions
                    continue
                await self._cache.forget(scope)  # some of it held what was forgotten
                return counts

    async def _family(
        self, scope: Scope, removal: Removal, memory_ids: Sequence[str], seen: _Seen | None, *, whole: bool
    ) -> list[Row[Memory]]:
        """All that goes. Raises Conflict if that is not what was previewed."""
        rows = [await self._store.get(scope, MEMORIES, bytes.fromhex(each)) for each in dict.fromkeys(memory_ids)]
        family = await removal.family([row for row in rows if row is not None], whole=whole)
        if seen is not None and _digest(family) != seen.digest:
            raise Conflict("What would be forgotten has changed since the preview.", reason="PREVIEW_CHANGED")
        return family

    async def _unsay(
        self,
        scope: Scope,
        removal: Removal,
        redaction: Redaction,
        asked: Asked,
        texts: Sequence[str],
        dropped: Collection[bytes],
    ) -> None:
        """Takes what is forgotten out of the messages that ask for it, and of what is remembered of them.

        What they call it goes out of messages before, too, of which nothing is remembered: what was asked in vain.
        """
        asking = [asked.message]
        if asked.confirmed and not shared(asked.message.text, texts):
            asking += asked.before[-2:]
        named = list(dict.fromkeys(name for message in asking for name in shared(message.text, texts)))
        for message in asking:
            redaction.phrases(message, [*texts, *named])
        await self._reword(scope, removal, asking, [*texts, *named], dropped)
        for message in asked.before:
            said = [name for name in named if holds(message.text, name)]
            if said and message not in asking and not await self._remembered(scope, message):
                redaction.phrases(message, said)

    async def _remembered(self, scope: Scope, message: Message) -> list[Row[Memory]]:
        """What is remembered of a message."""
        said = of_moment(self._store, scope, message.sent_at)
        return [row async for row in said if row.value.message_id == message.id]

    async def _reword(
        self,
        scope: Scope,
        removal: Removal,
        messages: Sequence[Message],
        phrases: Sequence[str],
        dropped: Collection[bytes],
    ) -> None:
        """Takes phrases out of what is remembered of messages in their own words, but for memories that are dropped.

        No former version keeps them, and what was derived, such as a fact, is made anew from the words that are left.
        """
        writer = removal.writer
        changed: dict[bytes, tuple[Row[Memory], Memory]] = {}
        for row in [each for message in messages for each in await self._remembered(scope, message)]:
            text = scrub(row.value.text, phrases)
            if row.key not in dropped and row.value.fact is None and text != row.value.text:
                changed[row.key] = row, msgspec.structs.replace(row.value, text=text)
                await self._versions.drop(scope, writer, row.value.id)
        for row, _ in list(changed.values()):
            for below in (await removal.family([row], whole=False))[1:]:
                if below.key not in dropped and below.key not in changed:
                    changed[below.key] = below, msgspec.structs.replace(below.value, stale=True)
        for row, memory in changed.values():  # each once: what a batch writes it cannot expect again
            writer.expect(MEMORIES, row.key, row.version)
            put_memory(writer, memory, memory.sources)
        if changed:
            withdraw(writer)  # a snapshot has the words there were

    async def _open(self, scope: Scope, token: str) -> _Seen:
        vault = await self._store.vault(scope)
        try:
            sealed = base64.b64decode(token, altchars=b"-_", validate=True)
            plain = vault.open(_PLACE, "", sealed) if vault is not None else None
        except ValueError:
            plain = None
        if plain is None:
            raise InvalidArgument.field("preview", "is not the token of a preview of this user's")
        return msgspec.msgpack.decode(plain, type=_Seen)


def _digest(family: Sequence[Row[Memory]]) -> bytes:
    return digest(sorted((row.key, row.version) for row in family))
