"""The language models for one piece of work: asked in their order, again where that is safe, within the time there is.

Before its first word a model that failed is asked again, after a pause with full jitter or as long as it said, and then
the next one; after it nothing is asked again, since what was said cannot be unsaid.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from typing import TypeVar
from uuid import uuid4

import msgspec

from alejo._core import estimate_tokens
from alejo.clock import deadline
from alejo.completions import ModelEnd, ModelEvent, ModelRequest, Prompt, ToolCall
from alejo.errors import ModelFailed, PluginFailed
from alejo.models.breaker import Breaker
from alejo.models.capability import without
from alejo.models.gauge import Seen, Weight
from alejo.models.models import Candidate, LanguageModels, Wish
from alejo.plugins import cleared, reworded
from alejo.types import Degraded, ModelUse, Role, Scope

T = TypeVar("T")
LOCAL = "local"
_ROLE = "language_model"
_PAUSE = 0.25  # seconds, doubled with every attempt
_PART = 0.8  # of a call's time is for models, so that there is some to answer without them
_GRACE = 2.0  # seconds that a plugin has beyond the request's time, to end by itself
_AGAIN = frozenset({"rate_limited", "unavailable", "cut", "invalid"})
_BLAMELESS = frozenset(
    {"rejected", "refused", "budget", "resting", "too_long", "withheld"}
)  # failures that say nothing of a model's health
_REPAIR = "That does not fit the schema: {why}. Answer again, with nothing but JSON that fits it."


class Hand:
    """What alejo.roles.Models promises, and what came of it. `failures` are oldest first.

    A model is told each prompt as `showing` says of its destination: without one, as the conscience does.
    """

    def __init__(self, models: LanguageModels, scope: Scope, chain: Sequence[Candidate], until: float) -> None:
        self.name = chain[0].model or chain[0].provider
        self.failures: list[ModelFailed] = []
        self.showing: Callable[[Prompt, str], Awaitable[str]] = self._clear
        self._shown: dict[tuple[Role, str, str], str] = {}
        self._weighed: Seen = {}
        self._models = models
        self._policy = models.policy
        self._scope = scope
        self._chain = chain
        self._until = until
        self._use = ModelUse(LOCAL, "not_asked")
        self._broken = ""  # why an answer broke off that had begun
        self._begun = self._cached = 0  # answers, and those of them that were kept from before

    @property
    def seconds(self) -> float:
        """How much time is left."""
        return max(0.0, self._until - asyncio.get_running_loop().time())

    @property
    def use(self) -> ModelUse:
        """Which model answered, and why that one."""
        return msgspec.structs.replace(self._use, cached=0 < self._begun == self._cached)

    @property
    def degraded(self) -> list[Degraded]:
        """Why no model answered, or none to the end."""
        last = self.failures[-1] if self.failures else None
        failed = last is not None and (self._use.model == LOCAL or last.why == self._broken)
        return [Degraded(_ROLE, last.model, last.why)] if failed and last is not None else []

    async def complete(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """The answer of the first model that gives one. Raises ModelFailed, the last one's."""
        self._broken = ""
        request = msgspec.structs.replace(
            request,
            id=request.id or uuid4().hex,
            max_tokens=request.max_tokens or self._policy.tokens,
        )
        chain = self._order(request)
        failure: ModelFailed | None = None
        for place, candidate in enumerate(chain):
            for attempt in range(self._policy.retries + 1):
                spoken = False
                try:
                    async with aclosing(self._ask(candidate, request, others=len(chain) - place - 1)) as events:
                        async for event in events:
                            if not spoken:
                                self._began(candidate, failure)
                            spoken = True
                            yield event
                    return
                except ModelFailed as error:
                    if error.why != "resting" or failure is None:
                        failure = self._failed(error)
                    if spoken:
                        self._broken = error.why
                        raise
                    pause = self._pause(error, attempt)
                if pause is None:
                    break
                await asyncio.sleep(pause)
        self._use = msgspec.structs.replace(self._use, model=LOCAL, reason=failure.why if failure else "not_asked")
        raise failure or ModelFailed("unavailable")

    def _order(self, request: ModelRequest) -> Sequence[Candidate]:
        """Whom to ask this, one after the other."""
        chain = self._models.chain(Wish(request.model)) if request.model else self._chain
        return self._models.capable(chain, request)

    async def spare(self, request: ModelRequest) -> int:
        """How many tokens more the model that is next may be sent at least; below 0 if it is not sent this."""
        chain = self._order(request)
        candidate = next((each for each in chain if not self._models.breaker(each).resting), chain[0])
        model = self._name(candidate)
        fit = without(request, self._models.lacks(candidate, request))
        with suppress(ModelFailed):
            fit = await self._fit_to_show(candidate, fit)
        return await self._spare(model, self._models.gauge.weigh(model, fit, self._weighed))

    async def _spare(self, model: str, weight: Weight) -> int:
        most = self._policy.prompt_tokens
        return most - await self._models.gauge.bound(model, weight) if most else sys.maxsize

    async def _fit_to_show(self, candidate: Candidate, request: ModelRequest) -> ModelRequest:
        """The request as a candidate may be told it. Raises ModelFailed where the conscience cannot say."""
        destination = self._models.destination(candidate)

        async def shown(role: Role, text: str) -> str:
            known = (role, text, destination)
            if known not in self._shown:
                self._shown[known] = await self.showing(Prompt(role, text), destination)
            return self._shown[known]

        prompts = []
        try:
            for prompt in request.prompts:
                own = partial(shown, prompt.role)
                given = [await reworded(call.arguments, own) for call in prompt.calls]
                calls = tuple(map(_given, prompt.calls, given))
                prompts.append(msgspec.structs.replace(prompt, text=await own(prompt.text), calls=calls))
        except PluginFailed as failure:
            detail = "the conscience could not say what it may be told"
            raise ModelFailed("withheld", self._name(candidate), detail=detail) from failure
        return msgspec.structs.replace(request, prompts=tuple(prompts))

    async def _clear(self, prompt: Prompt, destination: str) -> str:
        return await cleared(self._models.plugins, prompt.text, destination)

    async def value(self, request: ModelRequest, kind: type[T]) -> T:
        """The answer as an object; what does not fit is given back once. Raises ModelFailed."""
        request = msgspec.structs.replace(request, schema=schema(kind))
        for last in (False, True):
            text, end = await self._whole(request)
            try:
                return msgspec.json.decode(_json(text), type=kind)
            except msgspec.DecodeError as error:
                if last:
                    raise self._failed(
                        ModelFailed("invalid", end.model, detail="no JSON that fits the schema")
                    ) from None
                repair = Prompt(Role.USER, _REPAIR.format(why=error))
                request = msgspec.structs.replace(
                    request, prompts=(*request.prompts, Prompt(Role.ASSISTANT, text), repair), id=""
                )
        raise AssertionError

    async def _whole(self, request: ModelRequest) -> tuple[str, ModelEnd]:
        pieces, end = [], ModelEnd("")
        async for event in self.complete(request):
            pieces.append(event.text)
            end = event.end or end
        if end.reason == "refused":
            raise self._failed(ModelFailed("refused", end.model))
        if end.reason == "length":
            raise self._failed(ModelFailed("cut", end.model, detail="the answer is longer than it may be"))
        return "".join(pieces), end

    async def _ask(self, candidate: Candidate, request: ModelRequest, others: int) -> AsyncGenerator[ModelEvent, None]:
        """One model, once, unless it has answered this before, without what it lacks. Raises ModelFailed."""
        request = await self._fit_to_show(candidate, without(request, self._models.lacks(candidate, request)))
        model = candidate.model or self._models.first(candidate.provider)
        seat = await self._models.answers.seat(self._scope, candidate.provider, model, request)
        if seat is None:
            async with aclosing(self._ask_anew(candidate, request, others)) as events:
                async for event in events:
                    yield event
            return
        kept = await seat.found(min(self._policy.silence, self.seconds))
        try:
            if kept is not None:
                self._cached += 1
                for event in kept:
                    yield event
                return
            async with aclosing(self._ask_anew(candidate, request, others)) as events:
                async for event in events:
                    seat.add(event)
                    yield event
        finally:
            seat.leave()

    async def _ask_anew(
        self, candidate: Candidate, request: ModelRequest, others: int
    ) -> AsyncGenerator[ModelEvent, None]:
        """One model, once. Its breaker hears how it went. Raises ModelFailed."""
        breaker = self._models.breaker(candidate)
        if not breaker.admit():
            raise ModelFailed("resting", candidate.model or candidate.provider, retry_after=breaker.resting or None)
        try:
            await self._models.accounts.check(self._scope)
            async with aclosing(self._events(candidate, request, others)) as events:
                async for event in events:
                    yield event
            breaker.succeeded()
        except ModelFailed as error:
            error.model = error.model or self._name(candidate)
            _judge(breaker, error)
            raise
        except PluginFailed as failure:
            breaker.failed()
            raise ModelFailed("unavailable", candidate.model, detail=f"its plugin: {failure.why}") from failure
        except BaseException:
            breaker.released()
            raise

    async def _events(
        self, candidate: Candidate, request: ModelRequest, others: int
    ) -> AsyncGenerator[ModelEvent, None]:
        slot = self._models.slot(candidate.provider)
        # Whoever is asked first leaves time for the next.
        patience = min(self._policy.silence, self.seconds / 2 if others else self.seconds)
        try:
            async with asyncio.timeout(patience):
                model = await self._models.model(candidate, patience + _GRACE)
        except TimeoutError:
            raise ModelFailed("timeout", candidate.provider) from None
        request = without(request, self._models.lacks(candidate, request))  # of the first there is it is known only now
        request = msgspec.structs.replace(request, model=model, seconds=self.seconds)
        weight = self._models.gauge.weigh(model, request, self._weighed)
        if (spare := await self._spare(model, weight)) < 0:
            raise ModelFailed("too_long", model, detail=f"it may have {-spare:,} tokens more than model.prompt_tokens")
        self._models.asked[candidate.provider] += 1
        end, is_empty, began = None, True, asyncio.get_running_loop().time()
        written: list[str] = []
        stream = self._models.plugins.stream(slot, "complete", request, timeout=self.seconds + _GRACE)
        async with aclosing(stream) as events, self._answered(candidate, request, model, written):
            while end is None:
                try:
                    async with asyncio.timeout(min(patience, self.seconds)):
                        event: ModelEvent | None = await anext(events, None)
                except TimeoutError:
                    raise ModelFailed("timeout", model) from None
                if event is None:
                    raise ModelFailed("cut", model, detail="it ended without an end")
                patience = self._policy.silence
                if is_empty and (event.text or event.call is not None):
                    self._models.took(candidate, asyncio.get_running_loop().time() - began)
                    is_empty = False
                written.append(event.text)
                if event.end is not None:
                    if is_empty and event.end.reason != "refused":
                        raise ModelFailed("invalid", model, detail="it said nothing")
                    end = msgspec.structs.replace(event.end, model=model)
                    event = msgspec.structs.replace(event, end=end)
                    written.clear()
                    await self._account(candidate, end)
                    await self._models.gauge.learn(model, weight, end.input_tokens)
                yield event

    @asynccontextmanager
    async def _answered(
        self, candidate: Candidate, request: ModelRequest, model: str, written: Sequence[str]
    ) -> AsyncGenerator[None, None]:
        """Counts, about, what is left in `written`: an answer whose end did not come, or that nobody waited for."""
        try:
            yield
        finally:
            if text := "".join(written):
                into = sum(estimate_tokens(prompt.text) for prompt in request.prompts)
                await self._account(candidate, ModelEnd(model, "cut", into, estimate_tokens(text)))

    async def _account(self, candidate: Candidate, end: ModelEnd) -> None:
        self._models.tokens[candidate.provider] += end.input_tokens + end.output_tokens
        self._use = msgspec.structs.replace(
            self._use,
            input_tokens=self._use.input_tokens + end.input_tokens,
            output_tokens=self._use.output_tokens + end.output_tokens,
        )
        await self._models.accounts.add(self._scope, end)

    def _began(self, candidate: Candidate, failure: ModelFailed | None) -> None:
        reason = f"fallback: {failure.why}" if failure is not None and failure.model != candidate.model else ""
        name = self._name(candidate)
        self._use = msgspec.structs.replace(
            self._use, model=name, reason=reason or candidate.reason, memory_id="" if reason else candidate.memory_id
        )
        self._begun += 1

    def _name(self, candidate: Candidate) -> str:
        return candidate.model or self._models.first(candidate.provider) or candidate.provider

    def _failed(self, error: ModelFailed) -> ModelFailed:
        self._models.failed[error.why] += 1
        self.failures.append(error)
        return error

    def _pause(self, error: ModelFailed, attempt: int) -> float | None:
        """How long to wait before the same model is asked again, in seconds; None if it is not."""
        if error.why not in _AGAIN or attempt >= self._policy.retries:
            return None
        jitter = random.uniform(0, _PAUSE * 2**attempt)  # noqa: S311  to spread requests, not to hide anything
        pause = (error.retry_after or 0.0) + jitter
        return pause if pause < self.seconds / 2 else None


def at_hand(models: LanguageModels, scope: Scope, *wishes: Wish, seconds: float = 0.0) -> Hand | None:
    """The models for one piece of work of a user; None if none is configured.

    What is wished for most is the first of `wishes`. Without `seconds` there are those of the settings, and of the call
    under way not more than a part.
    """
    if not models.configured:
        return None
    now = asyncio.get_running_loop().time()
    until = now + (seconds or min(models.policy.seconds, _PART * (deadline.get() - now)))
    return Hand(models, scope, models.chain(*wishes), until)


def schema(kind: type) -> dict[str, object]:
    """The JSON Schema of a msgspec.Struct that does not hold itself, the definitions of others beside it."""
    _, definitions = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    found = definitions.pop(kind.__name__)  # providers want an object at the top, not a reference to one
    return {**found, "$defs": definitions} if definitions else found


def _given(call: ToolCall, arguments: str) -> ToolCall:
    return msgspec.structs.replace(call, arguments=arguments)


def _judge(breaker: Breaker, error: ModelFailed) -> None:
    if error.why in _BLAMELESS:
        breaker.released()
    else:
        breaker.failed(error.retry_after)


def _json(text: str) -> str:
    """The JSON in an answer, which some models put between fences or words."""
    begin, end = text.find("{"), text.rfind("}")
    return text[begin : end + 1] if 0 <= begin < end else text
