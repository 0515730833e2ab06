"""What each user's answers cost: tokens and money by day, kept with their records, and the most there may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import structlog

from alejo.clock import Clock
from alejo.completions import ModelEnd
from alejo.errors import AlejoError, Conflict, ModelFailed, StartupError
from alejo.storage.store import Store
from alejo.storage.tables import USAGE, Usage
from alejo.types import Scope

_DAY = 86_400_000_000
_TRIES = 8
_FIELDS = 3


class Price(msgspec.Struct, frozen=True):
    """What a million tokens cost, in and out."""

    inward: float
    outward: float


def prices(lines: Sequence[str]) -> dict[str, Price]:
    """The prices by model of lines such as "gpt-5-mini 0.25 2". Raises StartupError for a line that is none."""
    found = {}
    for line in lines:
        parts = line.split()
        try:
            model, inward, outward = parts if len(parts) == _FIELDS else ("", "", "")
            found[model] = Price(float(inward), float(outward))
        except ValueError:
            why = f"model.prices: {line!r} is no price."
            raise StartupError(
                why, hint='Write it as "MODEL IN OUT", such as "gpt-5-mini 0.25 2".', exit_code=78
            ) from None
    return found


class Accounts:
    """The accounts of every user. `tokens` and `cost` are the most of a day, 0 for no limit."""

    def __init__(
        self, store: Store, clock: Clock, tokens: int = 0, cost: float = 0.0, known: Mapping[str, Price] | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._tokens = tokens
        self._cost = cost
        self._prices = known or {}

    def price(self, model: str) -> Price | None:
        """What a model costs, if that is set."""
        return self._prices.get(model)

    async def of(self, scope: Scope) -> Usage:
        """What a user used today."""
        row = await self._store.get(scope, USAGE, self._today())
        return row.value if row is not None else Usage()

    async def check(self, scope: Scope) -> None:
        """Raises ModelFailed when a user has used up what they may in a day."""
        if not self._tokens and not self._cost:
            return
        used = await self.of(scope)
        tokens = sum(used.input_tokens.values()) + sum(used.output_tokens.values())
        if (self._tokens and tokens >= self._tokens) or (self._cost and used.cost >= self._cost * 1e6):
            raise ModelFailed("budget", detail="the day's budget is used up")

    async def add(self, scope: Scope, end: ModelEnd) -> None:
        """Adds what a completion used. It never fails the answer: what could not be written, the log tells."""
        if not end.input_tokens and not end.output_tokens:
            return
        key = self._today()
        price = self._prices.get(end.model, Price(0, 0))
        for _ in range(_TRIES):
            try:
                row = await self._store.get(scope, USAGE, key)
                before = row.value if row is not None else Usage()
                after = Usage(
                    _more(before.input_tokens, end.model, end.input_tokens),
                    _more(before.output_tokens, end.model, end.output_tokens),
                    before.cost + round(price.inward * end.input_tokens + price.outward * end.output_tokens),
                )
                writer = await self._store.writer(scope)
                writer.expect(USAGE, key, row.version if row is not None else None)
                writer.put(USAGE, key, after)
                await writer.commit()
            except Conflict:
                continue
            except AlejoError as error:
                structlog.get_logger().warning("what a model used could not be noted", why=error.reason)
            return

    def _today(self) -> bytes:
        return (self._clock.now() // _DAY).to_bytes(4, "big")


def _more(counts: dict[str, int], model: str, tokens: int) -> dict[str, int]:
    return counts | {model: counts.get(model, 0) + tokens}
