"""Who is asked for what not every model can do, and how."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from alejo import testing
from alejo.completions import ModelRequest, Prompt, ToolSpec
from alejo.errors import ModelFailed, StartupError
from alejo.identity import LOCAL
from alejo.models import at_hand
from alejo.types import Image, ModelUse, Role

from .scripted import Scripted

PICTURE = ModelRequest((Prompt(Role.USER, "What is this?", (Image(b"\x89PNG"),)),))
TOOLS = ModelRequest((Prompt(Role.USER, "Ring."),), tools=(ToolSpec("ring", "Rings.", {"type": "object"}),))


class Place(msgspec.Struct, frozen=True):
    """A town."""

    town: str


async def asked(provider: Scripted, request: ModelRequest, *lacks: str) -> ModelUse:
    """Which of the models a and b answers a request, and why."""
    options: dict[str, Any] = {"model__names": ["a", "b"], "model__retries": 0, "model__lacks": list(lacks)}
    async with testing.assistant(provider, **options) as assistant:
        hand = at_hand(assistant.models, LOCAL)
        assert hand is not None
        assert [event async for event in hand.complete(request)]
        return hand.use


@pytest.mark.parametrize(("request_", "word"), [(PICTURE, "images"), (TOOLS, "tools")])
async def test_who_can_is_asked_first(request_: ModelRequest, word: str) -> None:
    """A model that lacks what a request needs stands behind one that does not; for other requests it does not."""
    provider = Scripted(a=[["A."]], b=[["B."]])
    assert await asked(provider, request_, f"a {word}") == ModelUse("b", "capable", 100, 10)
    assert await asked(provider, request_, "a schemas", f"b {word}") == ModelUse("a", "configured", 100, 10)


async def test_who_cannot_see_is_told_that_there_was_a_picture() -> None:
    """Where nobody can, or who can fails, the others are asked without what they lack."""
    provider = Scripted(a=[["A."]], b=[[ModelFailed("rejected", "b")]])
    assert await asked(provider, PICTURE, "a images tools") == ModelUse("a", "fallback: rejected", 100, 10)
    (prompt,) = provider.requests[-1].prompts
    assert (prompt.text, prompt.images) == ("What is this?\n(A picture came with this, which you cannot see.)", ())
    provider = Scripted(a=[["A."]], b=[["B."]])
    await asked(provider, TOOLS, "a tools", "b tools")
    assert provider.requests[-1].tools == ()


@pytest.mark.parametrize("request_", [PICTURE, TOOLS])
async def test_who_is_found_by_itself_is_asked_without_what_it_lacks(request_: ModelRequest) -> None:
    """An address alone is set: from the first request on, though its model's name is known only when it is asked."""
    provider = Scripted(a=[["A."]])
    options: dict[str, Any] = {"model__base_url": "http://127.0.0.1:9", "model__lacks": ["a images tools"]}
    async with testing.assistant(provider, **options) as assistant:
        hand = at_hand(assistant.models, LOCAL)
        assert hand is not None
        for _ in range(2):
            assert [event async for event in hand.complete(request_)]
        (candidate,) = assistant.models.chain()
        assert assistant.models.lacks(candidate, request_)
    assert len(provider.requests) == 2
    for asked_ in provider.requests:
        assert not asked_.tools
        assert not any(prompt.images for prompt in asked_.prompts)


async def test_an_object_is_asked_for_in_words_where_a_schema_is_not_known() -> None:
    """What comes is checked as ever."""
    provider = Scripted(a=[['Here: {"town": "Bonn"}']])
    async with testing.assistant(provider, model__names=["a"], model__lacks=["a schemas"]) as assistant:
        hand = at_hand(assistant.models, LOCAL)
        assert hand is not None
        assert await hand.value(ModelRequest((Prompt(Role.USER, "Where?"),)), Place) == Place("Bonn")
    (asked_,) = provider.requests
    assert asked_.schema is None
    assert asked_.prompts[0].role is Role.SYSTEM
    assert '"town"' in asked_.prompts[0].text


@pytest.mark.parametrize("line", ["", "  ", "a", "a wings"])
async def test_what_is_no_lack_is_refused_at_start(line: str) -> None:
    """The words are named."""
    with pytest.raises(StartupError, match=r"model\.lacks") as refused:
        await asked(Scripted(a=[["A."]]), PICTURE, line)
    assert "images, tools, schemas" in refused.value.hint
