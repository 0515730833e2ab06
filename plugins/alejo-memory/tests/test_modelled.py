"""Reflectors with a language model at hand, over real HTTP: the same findings, and failures that are none of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import alejo_brain
import alejo_memory
import pytest

from alejo import testing
from alejo.app import Assistant
from alejo.clock import FakeClock
from alejo.errors import ModelFailed
from alejo.identity import LOCAL
from alejo.jobs import Cause
from alejo.models import at_hand
from alejo.reflection.worker import _judge
from alejo.roles import Work
from alejo.testing import message
from alejo.testing.desk import NOW
from alejo.testing.model_server import ModelServer, Said
from alejo.types import Episode, EpisodeDraft, FactDraft, Findings, ProcedureDraft, Session, SessionState
from alejo.types import Said as Heard

DAY = 86_400_000_000
FACT = {
    "subject": "user",
    "relation": "lives_in",
    "object": "Bonn",
    "since": "last summer",
    "negated": False,
    "preference": False,
    "confidence": 0.9,
    "messages": [1],
}
EPISODE = {"title": "Moving", "summary": "They moved.", "messages": [2, 1], "importance": 0.7, "goes_on": True}
PROCEDURE = {
    "text": "Answer in German.",
    "kind": "instruction",
    "topic": "language",
    "context": "",
    "negated": False,
    "confidence": 1.0,
    "messages": [2],
}


def heard(number: int, text: str, *, kept: bool = True) -> Heard:
    said = message(text, id=f"m{number}", seq=number, sent_at=NOW + number * DAY)
    return Heard(said, (f"k{number}",) if kept else ())


MESSAGES = (heard(1, "I live in Bonn since last summer."), heard(2, "Answer me\nin German."))


@asynccontextmanager
async def reading(*answers: object, **given: Any) -> AsyncIterator[tuple[ModelServer, Assistant]]:
    """A model that answers with these objects."""
    async with ModelServer() as server:
        server.answers += [Said(json.dumps(each) if isinstance(each, dict) else str(each)) for each in answers]
        options = {"model__base_url": server.openai, "model__retries": 0, "clock": FakeClock(), **given}
        async with testing.assistant(alejo_brain, alejo_memory, **options) as assistant:
            yield server, assistant


async def reflected(assistant: Assistant, name: str, messages: tuple[Heard, ...] = MESSAGES, **fields: Any) -> Findings:
    """What a reflector finds, called as a stranger's is: over a loop of its own."""
    models = at_hand(assistant.models, LOCAL)
    work = Work(Session("s1", SessionState.ACTIVE, NOW, NOW), messages, models=models, **fields)
    slot = next(each for each in assistant.plugins.every("reflector") if each.object.name == name)
    found: Findings = await assistant.plugins.call(slot, "reflect", work)
    return found


async def test_facts_come_with_their_messages() -> None:
    """What the model states has the ids of the messages it names, and is dated by them."""
    async with reading({"facts": [FACT]}) as (server, assistant):
        found = await reflected(assistant, "semantic")
        draft = FactDraft(
            "user", "lives_in", "Bonn", confidence=0.9, sent_at=NOW + DAY, sources=("m1",), since="last summer"
        )
        assert found == Findings(facts=(draft,))
        body = server.requests[-1].json()
        assert body["response_format"]["json_schema"]["strict"] is True
        lines = body["messages"][1]["content"].splitlines()
        assert lines[1] == "> 2 | 2023-05-11 14:03 | User: Answer me in German."


async def test_what_a_model_was_not_told_is_no_fact() -> None:
    """Of a secret it has only the word that stood in its place."""
    async with reading({"facts": [FACT, FACT | {"relation": "pin", "object": "[secret]"}]}) as (_, assistant):
        found = await reflected(assistant, "semantic")
        assert [draft.object for draft in found.facts] == ["Bonn"]


async def test_episodes_go_on_with_the_last_one() -> None:
    """The first episode may take up the last one, whose messages are told again."""
    last = Episode("e1", "Before", "It was so.", ("m0",))
    before = heard(0, "I shall move.")
    async with reading({"episodes": [EPISODE]}) as (server, assistant):
        found = await reflected(assistant, "episodic", earlier=(before,), episode=last)
        draft = EpisodeDraft("Moving", "They moved.", ("m0", "m1"), 0.7, "e1", True)
        assert found == Findings(episodes=(draft,))
        assert "The last episode: Before. It was so." in server.requests[-1].json()["messages"][0]["content"]


async def test_procedures_are_found() -> None:
    """How the user wants things done, as they said it."""
    async with reading({"procedures": [PROCEDURE]}) as (_, assistant):
        draft = ProcedureDraft("Answer in German.", ("m2",), topic="language", confidence=1.0)
        assert await reflected(assistant, "procedural") == Findings(procedures=(draft,))


async def test_what_is_too_long_for_the_model_is_asked_in_halves() -> None:
    """Facts of all messages are found; one that is too long by itself is read without a model."""
    long = tuple(heard(number, f"I live in Bonn. {'So it is. ' * 300}") for number in (1, 2))
    second = FACT | {"object": "Rome", "messages": [1]}
    async with reading({"facts": [FACT]}, {"facts": [second]}, model__prompt_tokens=8000) as (server, assistant):
        found = await reflected(assistant, "semantic", long)
        assert [(each.object, each.sources) for each in found.facts] == [("Bonn", ("m1",)), ("Rome", ("m2",))]
        assert len([asked for asked in server.requests if asked.method == "POST"]) == 2
    always = (heard(1, "Always answer me in German."),)
    async with reading(model__prompt_tokens=1000) as (server, assistant):
        assert (await reflected(assistant, "procedural", always)).procedures
        assert not [asked for asked in server.requests if asked.method == "POST"]


async def test_nothing_found_is_a_finding() -> None:
    """An empty list that the model gave is an answer."""
    async with reading({"facts": []}) as (_, assistant):
        assert await reflected(assistant, "semantic") == Findings()


async def test_what_does_not_fit_is_repaired_once() -> None:
    """A field that is missing is given back, and what comes then is taken."""
    broken = {name: value for name, value in FACT.items() if name != "since"}
    async with reading({"facts": [broken]}, {"facts": [FACT]}) as (server, assistant):
        assert len((await reflected(assistant, "semantic")).facts) == 1
        assert len(server.requests) == 3  # the first asks for the models there are


@pytest.mark.parametrize(
    ("answers", "why", "cause"),
    [
        (("", ""), "invalid", Cause.INVALID),
        (("I see no facts.", "Still none."), "invalid", Cause.INVALID),
        (({"facts": [FACT | {"messages": [3]}]},), "invalid", Cause.INVALID),
        (({"facts": [FACT | {"confidence": 2}]},) * 2, "invalid", Cause.INVALID),
    ],
)
async def test_what_cannot_be_right_is_a_failure(answers: tuple[object, ...], why: str, cause: Cause) -> None:
    """Never an empty success: the job hears why, and is tried again."""
    async with reading(*answers) as (_, assistant):
        with pytest.raises(ModelFailed) as failed:
            await reflected(assistant, "semantic")
        assert failed.value.why == why
        assert _judge(failed.value)[:2] == (cause, f"model_{why}")


@pytest.mark.parametrize(("fault", "cause"), [("500", Cause.DOWN), ("429", Cause.DOWN), ("cut", Cause.TRANSIENT)])
async def test_a_model_that_is_down_costs_no_attempt(fault: str, cause: Cause) -> None:
    """A provider that cannot answer is down, which is not the job's fault; an answer that broke off is tried again."""
    async with reading({"facts": [FACT]}) as (server, assistant):
        server.faults.append(fault)
        with pytest.raises(ModelFailed) as failed:
            await reflected(assistant, "semantic")
        assert _judge(failed.value)[0] is cause


async def test_what_was_not_kept_leaves_nothing() -> None:
    """Of messages nothing was kept of, nothing may be made."""
    async with reading({"facts": [FACT]}) as (_, assistant):
        models = at_hand(assistant.models, LOCAL)
        unkept = (heard(1, "I live in Bonn.", kept=False),)
        work = Work(Session("s1", SessionState.ACTIVE, NOW, NOW), unkept, models=models)
        slot = next(each for each in assistant.plugins.every("reflector") if each.object.name == "semantic")
        assert await assistant.plugins.call(slot, "reflect", work) == Findings()
