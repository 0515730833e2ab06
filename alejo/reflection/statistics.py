"""The processor that needs no plugin: how much was said in a session, by whom, from when to when."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from alejo.reflection.worker import Effects, Piece
from alejo.storage.store import Store, Writer
from alejo.storage.tables import SESSION_LOGS, SessionLog
from alejo.types import Message, Role, Scope


class Statistics:
    """Keeps a log of each session."""

    name = "statistics"

    def __init__(self, store: Store) -> None:
        self._store = store

    async def process(self, scope: Scope, pieces: Sequence[Piece]) -> Effects:
        """See Processing."""

        async def effects(writer: Writer) -> None:
            for job, messages in pieces:
                key = bytes.fromhex(job.session_id)
                row = await self._store.get(scope, SESSION_LOGS, key)
                before = row.value if row else SessionLog(job.session_id)
                writer.expect(SESSION_LOGS, key, row.version if row else None)
                writer.put(SESSION_LOGS, key, _with(before, messages))

        return effects


def _with(log: SessionLog, messages: Sequence[Message]) -> SessionLog:
    for message in messages:
        asked = message.role is Role.USER
        log = msgspec.structs.replace(
            log,
            asked=log.asked + asked,
            answered=log.answered + (not asked),
            asked_characters=log.asked_characters + len(message.text) * asked,
            answered_characters=log.answered_characters + len(message.text) * (not asked),
            first_at=min(log.first_at or message.sent_at, message.sent_at),
            last_at=max(log.last_at, message.sent_at),
        )
    return log
