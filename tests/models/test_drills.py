"""What becomes of a turn when a model misbehaves, over real HTTP, in both protocols: docs/models.md shows the same."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import alejo_brain
import alejo_memory
import pytest

from alejo import Assistant, testing
from alejo.clock import FakeClock, SystemClock, deadline
from alejo.testing.model_server import FAULTS, ModelServer, Said
from alejo.types import Answer, ModelUse

from ..structure.imports import ROOT

PROTOCOLS = ("openai", "anthropic")
QUESTION = "Who knows the way to the old mill?"
BROKEN = "You said: Who knows the … (The answer broke off here.)"
# By fault: the word that says why, and whether the client had seen some of the answer.
OUTCOMES = {
    "slow": ("timeout", False),
    "silent": ("timeout", True),
    "cut": ("cut", True),
    "unended": ("cut", True),
    "429": ("rate_limited", False),
    "500": ("unavailable", False),
    "malformed": ("invalid", True),
    "wrong": ("", False),
    "endless": ("timeout", True),
    "error": ("unavailable", True),
    "html": ("invalid", False),
    "empty": ("invalid", False),
}


@asynccontextmanager
async def talking(server: ModelServer, protocol: str, **options: Any) -> AsyncIterator[Assistant]:
    """An assistant that asks this server's parrot over a protocol, on a clock that stands still."""
    url = {"openai": server.openai, "anthropic": server.anthropic}[protocol]
    setting = {"openai": "model__base_url", "anthropic": "model__anthropic_url"}[protocol]
    given = {setting: url, "model__failures": 100, "model__retries": 0, "clock": FakeClock()} | options
    async with testing.assistant(alejo_brain, alejo_memory, trusted=True, **given) as assistant:
        yield assistant


def why(answer: Answer) -> str:
    """The word that says what was wrong with the models."""
    return next((each.reason for each in answer.degraded if each.role == "language_model"), "")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in ("slow", "silent", "endless")])
async def test_a_turn_ends_well_whatever_the_model_does(fault: str, protocol: str) -> None:
    """The turn is answered and stored: by the model to where it broke off, or without it, and it says why."""
    async with ModelServer() as server, talking(server, protocol) as assistant:
        server.faults.append(fault)
        answer = await assistant.chat(QUESTION)
        word, begun = OUTCOMES[fault]
        assert why(answer) == word
        assert answer.model is not None
        if begun:
            assert (answer.message.text, answer.model.model) == (BROKEN, "parrot")
        elif word:
            assert answer.message.text.startswith("I remember nothing about that")
            assert answer.model == ModelUse("local", word)
        else:  # it heard what was wrong with its call, and answered
            assert answer.message.text.startswith("You said: ")
            assert "JSON object" in answer.message.text
            assert answer.model.model == "parrot"


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("fault", ["slow", "silent", "endless"])
async def test_a_turn_ends_before_its_call_does(fault: str, protocol: str) -> None:
    """A model that says nothing, nothing more or ever more has four fifths of the call's time: the rest is for us."""
    async with ModelServer() as server, talking(server, protocol) as assistant:
        deadline.set(asyncio.get_running_loop().time() + 2.5)
        server.faults.append(fault)
        answer = await assistant.chat(QUESTION)
        broke_off = answer.message.text.endswith("(The answer broke off here.)")
        assert why(answer) == OUTCOMES[fault][0]
        assert answer.model is not None
        assert answer.model.model == ("parrot" if broke_off else "local")
        assert broke_off <= OUTCOMES[fault][1]
        server.go.set()


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_pause_that_was_asked_for_is_kept(protocol: str) -> None:
    """After a 429 the model is asked again no sooner than its Retry-After says, and then answers."""
    options = {"model__retries": 1, "clock": SystemClock()}
    async with ModelServer() as server, talking(server, protocol, **options) as assistant:
        server.faults.append("429")
        answer = await assistant.chat(QUESTION)
        assert answer.message.text == f"You said: {QUESTION}"
        assert len([asked for asked in server.requests if asked.method == "POST"]) == 2


async def test_one_provider_stands_in_for_another() -> None:
    """A model of another protocol answers when the first one's server has an error, and the answer names it."""
    async with ModelServer() as server:
        names = ["openai/parrot-500", "anthropic/parrot"]
        options = {"model__anthropic_url": server.anthropic, "model__names": names}
        async with talking(server, "openai", **options) as assistant:
            answer = await assistant.chat(QUESTION)
    assert answer.message.text == f"You said: {QUESTION}"
    assert answer.model is not None
    assert (answer.model.model, answer.model.reason) == ("parrot", "fallback: unavailable")


async def test_a_server_that_is_not_there() -> None:
    """An address where nobody listens is told from a model's failure, and the turn is answered."""
    async with ModelServer() as server:
        pass
    async with talking(server, "openai", model__names=["parrot"]) as assistant:
        answer = await assistant.chat(QUESTION)
    assert (why(answer), answer.model) == ("unavailable", ModelUse("local", "unavailable"))


async def test_a_wrong_key_is_told_as_what_it_is() -> None:
    """A key that is not accepted is no reason to ask again."""
    async with ModelServer(key="right") as server, talking(server, "openai", model__names=["parrot"]) as assistant:
        assert why(await assistant.chat(QUESTION)) == "rejected"
        assert len(server.requests) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_what_is_said_comes_as_it_is_said(protocol: str) -> None:
    """Pieces are passed on before the model has ended."""
    async with ModelServer() as server, talking(server, protocol) as assistant:
        server.answers.append(Said("one two three"))
        pieces = [event async for event in assistant.stream(QUESTION) if isinstance(event, str)]
    assert pieces == ["one", " two", " three"]


def test_the_page_shows_every_fault() -> None:
    """docs/models.md has a row for each fault with its outcome, and no other."""
    page = (ROOT / "docs" / "models.md").read_text()
    rows = re.findall(r"^\| `parrot-(\w+)` \| [^|]+ \| (\w+) \| (yes|no) \|", page, re.MULTILINE)
    assert {fault: (word.replace("none", ""), begun == "yes") for fault, word, begun in rows} == OUTCOMES
    assert OUTCOMES.keys() == FAULTS.keys()
