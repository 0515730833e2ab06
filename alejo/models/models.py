"""Which language models there are to ask, in which order, and how each stands."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from alejo.clock import Clock, deadline
from alejo.errors import ModelFailed, PluginFailed, StartupError
from alejo.metrics import Metrics
from alejo.models.accounts import Accounts
from alejo.models.answers import Answers
from alejo.models.breaker import Breaker
from alejo.models.hand import Hand
from alejo.plugins import PluginHost, Slot
from alejo.settings import Settings
from alejo.types import Scope

ROLE = "language_model"
OPENAI, ANTHROPIC = "openai", "anthropic"
NAMED, CHEAPEST, FASTEST = "named", "cheapest", "fastest"
_ORDERS = (NAMED, CHEAPEST, FASTEST)
_PACES = 64  # answers whose first words were waited for, of each model
_PART = 0.8  # of a call's time is for models, so that there is some to answer without them


class Candidate(NamedTuple):
    """A model that may be asked: whose it is, its name (empty: the provider's first), and why it is this one."""

    provider: str
    model: str
    reason: str = "configured"


class Policy(msgspec.Struct, frozen=True):
    """What the settings model.* say. Times are in seconds."""

    names: tuple[str, ...] = ()
    provider: str = ""
    seconds: float = 60.0
    silence: float = 20.0
    retries: int = 2
    failures: int = 5
    rest: float = 30.0
    tokens: int = 1024
    order: str = NAMED

    @classmethod
    def of(cls, settings: Settings) -> Policy:
        """What is set. No key alone makes a model be asked: words leave the machine only if somebody says so.

        Raises StartupError for an order that is none.
        """
        order = settings["model.order"]
        if order not in _ORDERS:
            why = f"model.order must be {', '.join(_ORDERS[:-1])} or {_ORDERS[-1]}, not {order}."
            raise StartupError(why, hint="alejo config show", exit_code=78)
        provider, names = settings["model.provider"], tuple(settings["model.names"])
        if not provider and settings["model.base_url"]:
            provider = OPENAI
        elif not provider and settings["model.anthropic_url"]:
            provider = ANTHROPIC
        return cls(
            names,
            provider,
            settings["model.seconds"],
            settings["model.silence_seconds"],
            settings["model.retries"],
            settings["model.failures"],
            settings["model.rest_seconds"],
            settings["model.answer_tokens"],
            order,
        )


class LanguageModels:
    """All that can be asked. `asked` and `tokens` count by provider, `failed` by why a model gave no answer."""

    def __init__(self, plugins: PluginHost, policy: Policy, accounts: Accounts, answers: Answers, clock: Clock) -> None:
        self.policy = policy
        self.plugins = plugins
        self.accounts = accounts
        self.answers = answers
        self.asked: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.tokens: Counter[str] = Counter()
        self._clock = clock
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self._first: dict[str, str] = {}
        self._paces: dict[tuple[str, str], deque[float]] = {}

    @property
    def configured(self) -> bool:
        """Whether there is any to ask."""
        return bool(self.policy.names or self.policy.provider)

    def at_hand(self, scope: Scope, preferred: str = "", seconds: float = 0.0) -> Hand | None:
        """The models for one piece of work of a user; None if none is configured.

        `preferred` is the one they like best. Without `seconds` there are those of the settings, and of the call under
        way not more than a part.
        """
        if not self.configured:
            return None
        now = asyncio.get_running_loop().time()
        until = now + (seconds or min(self.policy.seconds, _PART * (deadline.get() - now)))
        return Hand(self, scope, self.chain(preferred), until)

    def chain(self, preferred: str = "") -> Sequence[Candidate]:
        """Whom to ask, one after the other. A preference counts only among those that the owner named."""
        names = self.policy.names
        chain = [self._candidate(name) for name in names] or [Candidate(self.policy.provider or OPENAI, "")]
        if self.policy.order != NAMED and len(chain) > 1:
            rank = self._cost if self.policy.order == CHEAPEST else self._pace
            chain = sorted((one._replace(reason=self.policy.order) for one in chain), key=rank)
        if preferred in names:
            chosen = self._candidate(preferred)._replace(reason="preferred")
            chain = [chosen, *(one for one in chain if one[:2] != chosen[:2])]
        return chain

    def took(self, candidate: Candidate, seconds: float) -> None:
        """Notes how long a model's first word took."""
        self._paces.setdefault(candidate[:2], deque(maxlen=_PACES)).append(seconds)

    def _cost(self, candidate: Candidate) -> float:
        """What a million tokens in and out cost, as model.prices say; endless where they say nothing."""
        price = self.accounts.price(candidate.model)
        return math.inf if price is None else price.inward + price.outward

    def _pace(self, candidate: Candidate) -> float:
        """The median of its last first words, in seconds; 0 for one that is to be tried."""
        return _quantile(self._paces.get(candidate[:2], ()), 0.5)

    def _first_words(self) -> dict[tuple[str, ...], float]:
        return {
            (provider, model, str(part)): _quantile(list(paces), part)
            for (provider, model), paces in list(self._paces.items())
            for part in (0.5, 0.95)
        }

    def breaker(self, candidate: Candidate) -> Breaker:
        """How a model stands."""
        place = candidate[:2]
        if place not in self._breakers:
            self._breakers[place] = Breaker(self._clock, self.policy.failures, self.policy.rest)
        return self._breakers[place]

    def slot(self, provider: str) -> Slot:
        """Who speaks to a provider. Raises ModelFailed."""
        for slot in self.plugins.every(ROLE):
            if slot.name == provider:
                return slot
        raise ModelFailed("unavailable", provider, detail="no plugin speaks to it")

    async def model(self, candidate: Candidate, seconds: float) -> str:
        """The name of a candidate's model, the first there is where none was named. Raises ModelFailed."""
        if candidate.model:
            return candidate.model
        if candidate.provider not in self._first:
            found = await self.plugins.call(self.slot(candidate.provider), "models", timeout=seconds)
            if not found:
                raise ModelFailed("unavailable", candidate.provider, detail="it has no models")
            self._first[candidate.provider] = found[0]
        return self._first[candidate.provider]

    def first(self, provider: str) -> str:
        """The model of a provider that was found where none was named; empty while none was."""
        return self._first.get(provider, "")

    async def listed(self, provider: str = "") -> Sequence[str]:
        """The models of a provider. Raises ModelFailed."""
        slot = self.slot(provider or self.policy.provider or OPENAI)
        try:
            found: Sequence[str] = await self.plugins.call(slot, "models")
        except PluginFailed as failure:
            raise ModelFailed("unavailable", slot.name, detail=failure.why) from failure
        return found

    def observe(self, metrics: Metrics) -> None:
        """Has metrics tell what was asked, what it used and why it failed."""
        metrics.counter("alejo_model_completions", "Answers asked of language models.", "provider", lambda: self.asked)
        metrics.counter(
            "alejo_model_tokens", "Tokens, in and out, as providers count.", "provider", lambda: self.tokens
        )
        metrics.counter(
            "alejo_model_failures", "Answers that language models did not give.", "why", lambda: self.failed
        )
        text = "How long the last first words of a model took, in seconds."
        metrics.gauges("alejo_model_first_word_seconds", text, ("provider", "model", "quantile"), self._first_words)

    def _candidate(self, name: str) -> Candidate:
        """PROVIDER/MODEL, where a plugin speaks to such a provider; other names may hold slashes of their own."""
        provider, slash, model = name.partition("/")
        if slash and any(slot.name == provider for slot in self.plugins.every(ROLE)):
            return Candidate(provider, model)
        return Candidate(self.policy.provider or OPENAI, name)


def _quantile(values: Sequence[float] | deque[float], part: float) -> float:
    """The smallest value that so great a part of all does not exceed; 0 where there is none."""
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)] if values else 0.0
