"""A stage of learning: one processor of the jobs that sessions leave when they end. It tells the log how it went."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from alejo.clock import Clock
from alejo.errors import AlejoError, Conflict, PluginFailed
from alejo.lessons import Entry, Total
from alejo.reflection import Effects, Later, Piece, Unfit
from alejo.storage.store import Store, Writer
from alejo.types import Metric, Scope

from .rows import LOG, TOTALS

_TRIES = 8


class Made(NamedTuple):
    """What a stage made: its effects, how much that is by session, and for the log the word and figures."""

    effects: Effects
    counts: Mapping[str, int]
    outcome: str = "done"
    metrics: tuple[Metric, ...] = ()


Work = Callable[[Scope, Sequence[Piece]], Awaitable[Made]]


class Stage:
    """Runs its work; what it makes, its line of the log and the sums are one commit. The log has failures as well."""

    def __init__(self, store: Store, clock: Clock, name: str, work: Work) -> None:
        self.name = name
        self._store = store
        self._clock = clock
        self._work = work

    async def process(self, scope: Scope, pieces: Sequence[Piece]) -> Effects:
        """See Processing."""
        began = self._clock.monotonic()
        try:
            made = await self._work(scope, pieces)
        except Later:
            raise
        except Exception as error:
            await self._failed(scope, pieces, self._clock.monotonic() - began, error)
            raise
        seconds = (self._clock.monotonic() - began) / len(pieces)

        async def effects(writer: Writer) -> None:
            await made.effects(writer)
            entries = [
                self._entry(piece, seconds, made.counts.get(piece.job.session_id, 0), made.outcome, "", made.metrics)
                for piece in pieces
            ]
            await self._tell(scope, writer, entries)

        return effects

    def _entry(
        self, piece: Piece, seconds: float, made: int, outcome: str, reason: str, metrics: tuple[Metric, ...] = ()
    ) -> Entry:
        return Entry(piece.job.session_id, self.name, self._clock.now(), seconds, made, outcome, reason, metrics)

    async def _failed(self, scope: Scope, pieces: Sequence[Piece], seconds: float, error: Exception) -> None:
        entries = [self._entry(piece, seconds / len(pieces), 0, "failed", _word(error)) for piece in pieces]
        with contextlib.suppress(AlejoError):  # the failure itself is what must come through
            for _ in range(_TRIES):
                writer = await self._store.writer(scope, begin=False)
                await self._tell(scope, writer, entries)
                with contextlib.suppress(Conflict):
                    await writer.commit()
                    return

    async def _tell(self, scope: Scope, writer: Writer, entries: Sequence[Entry]) -> None:
        """Adds the lines to the log and to the stage's sum."""
        key = self.name.encode()
        row = await self._store.get(scope, TOTALS, key)
        total = row.value if row else Total()
        for entry in entries:
            failed = entry.outcome == "failed"
            writer.append(LOG, entry)
            total = Total(
                total.sessions + (not failed),
                total.made + entry.made,
                total.failed + failed,
                total.seconds + entry.seconds,
                entry.at,
            )
        writer.expect(TOTALS, key, row.version if row else None)
        writer.put(TOTALS, key, total)


def _word(error: Exception) -> str:
    match error:
        case Unfit():
            return error.code
        case PluginFailed():
            return error.why
        case AlejoError():
            return error.reason
    return type(error).__name__
