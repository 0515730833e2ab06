"""Which language models there are to ask, in which order, and how each stands."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from alejo.clock import Clock
from alejo.completions import ModelRequest
from alejo.errors import ModelFailed, PluginFailed, StartupError
from alejo.metrics import Metrics
from alejo.models.accounts import Accounts
from alejo.models.answers import Answers
from alejo.models.breaker import Breaker
from alejo.models.capability import lacking, needed
from alejo.models.gauge import Gauge
from alejo.plugins import REMOTE, PluginHost, Slot, stands
from alejo.settings import Settings

ROLE = "language_model"
OPENAI, ANTHROPIC = "openai", "anthropic"
PREFERRED, REMEMBERED, CAPABLE = "preferred", "remembered", "capable"
NAMED, CHEAPEST, FASTEST = "named", "cheapest", "fastest"
_ORDERS = (NAMED, CHEAPEST, FASTEST)
_PACES = 64  # answers whose first words were waited for, of each model


class Candidate(NamedTuple):
    """A model that may be asked: whose it is, its name (empty: the provider's first), and why it is this one.

    `memory_id` is the memory that prefers it, where that is why.
    """

    provider: str
    model: str
    reason: str = "configured"
    memory_id: str = ""


class Wish(NamedTuple):
    """A model that is preferred, as model.names names it: by the user, or by a memory that was recalled."""

    model: str
    reason: str = PREFERRED
    memory_id: str = ""


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
    prompt_tokens: int = 0
    lacks: Mapping[str, frozenset[str]] = {}

    @classmethod
    def of(cls, settings: Settings) -> Policy:
        """What is set. No key alone makes a model be asked: words leave the machine only if somebody says so.

        Raises StartupError for an order that is none, or a line that does not say what a model lacks.
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
            settings["model.prompt_tokens"],
            lacking(settings["model.lacks"]),
        )


class LanguageModels:
    """All that can be asked. `asked` and `tokens` count by provider, `failed` by why a model gave no answer."""

    def __init__(
        self, plugins: PluginHost, policy: Policy, accounts: Accounts, answers: Answers, gauge: Gauge, clock: Clock
    ) -> None:
        self.policy = policy
        self.plugins = plugins
        self.accounts = accounts
        self.answers = answers
        self.gauge = gauge
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

    def chain(self, *wishes: Wish) -> Sequence[Candidate]:
        """Whom to ask, one after the other: what is wished for first, if the owner named it."""
        names = self.policy.names
        chain = [self._candidate(name) for name in names] or [Candidate(self.policy.provider or OPENAI, "")]
        if self.policy.order != NAMED and len(chain) > 1:
            rank = self._cost if self.policy.order == CHEAPEST else self._pace
            chain = sorted((one._replace(reason=self.policy.order) for one in chain), key=rank)
        for wish in reversed([wish for wish in wishes if wish.model in names]):
            chosen = self._candidate(wish.model)._replace(reason=wish.reason, memory_id=wish.memory_id)
            chain = [chosen, *(one for one in chain if one[:2] != chosen[:2])]
        return chain

    def capable(self, chain: Sequence[Candidate], request: ModelRequest) -> Sequence[Candidate]:
        """The same candidates, those first that lack least of what a request needs, as model.lacks says."""
        ordered = sorted(chain, key=lambda each: len(self.lacks(each, request)))
        if ordered[0] == chain[0]:
            return ordered
        return [ordered[0]._replace(reason=CAPABLE, memory_id=""), *ordered[1:]]

    def lacks(self, candidate: Candidate, request: ModelRequest) -> frozenset[str]:
        """What a candidate lacks of what a request needs, as far as its name is known."""
        name = candidate.model or self.first(candidate.provider)
        return self.policy.lacks.get(name, frozenset()) & needed(request)

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

    def destination(self, candidate: Candidate) -> str:
        """Where that goes which a candidate is told: it stays on this machine where its provider says so."""
        found = (slot for slot in self.plugins.every(ROLE) if slot.name == candidate.provider)
        return next((stands(slot.object) for slot in found), REMOTE)

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
        text = "Answers for which a model counted more tokens of what it was sent than it was thought to take at most."
        metrics.counter("alejo_model_tokens_exceeded", text, "model", lambda: self.gauge.exceeded)
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
