"""Completions that are kept: the same request is asked once, another anew, and nothing outlives what was forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import pytest

from alejo import Assistant, testing
from alejo.completions import Endpoint, ModelEnd, ModelEvent, ModelRequest, Prompt, ToolCall, ToolSpec
from alejo.errors import ModelFailed, StartupError
from alejo.identity import LOCAL
from alejo.models import at_hand
from alejo.types import Image, ModelUse, Role, Scope

from .scripted import Passing, Scripted

EVE = Scope("local", "eve")
PROMPT = Prompt(Role.USER, "Hello")
COLD = ModelRequest((PROMPT,), temperature=0.0)


def opened(provider: Scripted, *names: str, **options: Any) -> AbstractAsyncContextManager[Assistant]:
    return testing.assistant(provider, Passing(), model__names=list(names or ("a",)), **options)


async def complete(
    assistant: Assistant, request: ModelRequest = COLD, scope: Scope = LOCAL
) -> tuple[list[str], ModelUse]:
    """The pieces of an answer, and what is told of its model."""
    await assistant.remember("Tea.", scope=scope)  # nothing is kept for a user who has no data key
    hand = at_hand(assistant.models, scope)
    assert hand is not None
    events = [event async for event in hand.complete(request)]
    assert events[-1].end is not None
    return [event.text for event in events if event.text], hand.use


async def test_the_same_request_is_asked_once() -> None:
    """The second time the same pieces come from the cache: no request, no tokens, no cost, and it is said."""
    provider = Scripted(a=[["Hel", "lo."], ["Other."]])
    async with opened(provider) as assistant:
        assert await complete(assistant) == (["Hel", "lo."], ModelUse("a", "configured", 100, 10))
        assert await complete(assistant) == (["Hel", "lo."], ModelUse("a", "configured", cached=True))
        assert len(provider.requests) == 1
        assert (await assistant.models.accounts.of(LOCAL)).input_tokens == {"a": 100}
        counts = assistant.cache.counts()["completions"]
        assert (counts.hits, counts.entries) == (1, 1)


OTHERS = {
    "words": {"prompts": (Prompt(Role.USER, "Hello!"),)},
    "who says it": {"prompts": (Prompt(Role.SYSTEM, "Hello"),)},
    "a picture": {"prompts": (msgspec.structs.replace(PROMPT, images=(Image(b"x"),)),)},
    "one more": {"prompts": (PROMPT, Prompt(Role.ASSISTANT, ""))},
    "tools": {"tools": (ToolSpec("t", "", {}),)},
    "a schema": {"schema": {"type": "object"}},
    "its length": {"max_tokens": 7},
    "its model": {"model": "b"},
}


@pytest.mark.parametrize("other", OTHERS)
async def test_another_request_is_asked_anew(other: str) -> None:
    """Whatever an answer depends on tells requests apart."""
    provider = Scripted(a=[["Hello."]], b=[["Hello."]])
    async with opened(provider, "a", "b") as assistant:
        await complete(assistant)
        _, use = await complete(assistant, msgspec.structs.replace(COLD, **OTHERS[other]))
        assert not use.cached
        assert len(provider.requests) == 2


async def test_nobody_hears_what_another_was_answered() -> None:
    """The same request of another user, and at another address, is asked anew."""
    provider = Scripted(a=[["Hello."]])
    async with opened(provider) as assistant:
        await complete(assistant)
        assert not (await complete(assistant, scope=EVE))[1].cached
        here = await assistant.models.answers.seat(LOCAL, "openai", "a", COLD)
        assistant.models.answers._endpoints = {"openai": Endpoint("http://elsewhere/v1")}
        there = await assistant.models.answers.seat(LOCAL, "openai", "a", COLD)
        assert here is not None
        assert there is not None
        assert here._key != there._key


@pytest.mark.parametrize(
    ("mode", "temperature", "kept"),
    [
        ("deterministic", 0.0, True),
        ("deterministic", 0.7, False),
        ("deterministic", None, False),
        ("always", None, True),
        ("always", 0.7, True),
        ("never", 0.0, False),
    ],
)
async def test_what_is_kept_is_set(mode: str, temperature: float | None, *, kept: bool) -> None:
    """At a temperature, or where the model chooses one, an answer is kept only if that is set; with never none is."""
    request = msgspec.structs.replace(COLD, temperature=temperature)
    async with opened(Scripted(a=[["Hello."]]), model__cache=mode) as assistant:
        await complete(assistant, request)
        assert (await complete(assistant, request))[1].cached is kept


async def test_a_mode_that_is_none_is_refused() -> None:
    """A wrong word is an error at start."""
    with pytest.raises(StartupError, match=r"model\.cache"):
        async with opened(Scripted(a=[["Hello."]]), model__cache="sometimes"):
            pass


@pytest.mark.parametrize(
    "script",
    [
        [ModelEvent(call=ToolCall("1", "recall", "{}")), ModelEvent(end=ModelEnd("a", "calls"))],
        [ModelEvent("Hel"), ModelEvent(end=ModelEnd("a", "length"))],
        [ModelEvent("Hel"), ModelEvent(call=ToolCall("1", "x", "{}")), ModelEvent(end=ModelEnd("a", "stop"))],
        [ModelEvent("No."), ModelEvent(end=ModelEnd("a", "refused"))],
        [ModelEvent("Hel")],
        [],
    ],
)
async def test_what_is_no_whole_answer_is_not_kept(script: list[ModelEvent]) -> None:
    """Tool calls, and answers that were cut, refused or broken off, leave nothing behind."""
    async with opened(Scripted(a=[["Hello."]])) as assistant:
        await assistant.remember("Tea.")
        seats = [await assistant.models.answers.seat(LOCAL, "openai", "a", COLD) for _ in range(2)]
        first, second = (seat for seat in seats if seat is not None)
        assert await first.found(5) is None
        for event in script:
            first.add(event)
        first.leave()
        assert await second.found(5) is None
        second.leave()


async def test_two_who_ask_at_once_are_answered_by_one_request() -> None:
    """Whoever comes while it is asked for gets the whole when it is there; if it fails, one of them asks."""
    async with opened(Scripted(a=[["Hello."]])) as assistant:
        await assistant.remember("Tea.")
        seats = [await assistant.models.answers.seat(LOCAL, "openai", "a", COLD) for _ in range(3)]
        first, second, third = (seat for seat in seats if seat is not None)
        assert await first.found(5) is None
        waiting = [asyncio.ensure_future(seat.found(30)) for seat in (second, third)]
        await asyncio.sleep(0)
        first.add(ModelEvent("Hel"))
        first.leave()  # it broke off
        done, rest = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result() for task in done] == [None]
        leader = second if waiting[0] in done else third
        leader.add(ModelEvent("Hello."))
        leader.add(ModelEvent(end=ModelEnd("a", "stop", 5, 5)))
        leader.leave()
        assert _texts(await rest.pop()) == ["Hello."]


async def test_what_is_forgotten_takes_completions_along() -> None:
    """Forgetting anything takes the user's completions, one that is under way included."""
    provider = Scripted(a=[["Hello."]])
    async with opened(provider) as assistant:
        await complete(assistant)
        seat = await assistant.models.answers.seat(LOCAL, "openai", "a", msgspec.structs.replace(COLD, max_tokens=9))
        assert seat is not None
        assert await seat.found(5) is None
        secret = await assistant.remember("The spare key is under the pot.")
        await assistant.memories.forget(LOCAL, [secret.id])
        seat.add(ModelEvent("Under the pot."))
        seat.add(ModelEvent(end=ModelEnd("a", "stop")))
        seat.leave()
        assert await seat.found(5) is None
        seat.leave()
        assert not (await complete(assistant))[1].cached
        assert len(provider.requests) == 2


async def test_a_kept_answer_needs_no_healthy_model() -> None:
    """What was answered before is given while the model fails."""
    provider = Scripted(a=[["Hello."], [ModelFailed("rejected", "a")]])
    async with opened(provider) as assistant:
        await complete(assistant)
        with pytest.raises(ModelFailed):
            await complete(assistant, msgspec.structs.replace(COLD, max_tokens=7))
        assert (await complete(assistant))[0] == ["Hello."]


async def test_an_answer_says_that_it_was_kept() -> None:
    """Of a turn whose words a model had written before, the answer says so, and so does the stored one."""
    async with opened(Scripted(a=[["Hel", "lo."]]), model__cache="always") as assistant:
        first = await assistant.chat("Hello")
        second = await assistant.chat("Hello", request_id="r")
        assert [each.model and each.model.cached for each in (first, second)] == [False, True]
        assert second.message.text == first.message.text
        assert (await assistant.conversation.turn(LOCAL, "r")).model == second.model


def _texts(events: Sequence[ModelEvent] | None) -> list[str]:
    return [event.text for event in events or () if event.text]
