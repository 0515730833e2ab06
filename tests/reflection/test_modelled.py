"""Reflection with a language model, from turn to memory: what it finds is kept, and failures are tried again."""

from __future__ import annotations

import json
from typing import Any

import alejo_brain
import alejo_memory

from alejo import testing
from alejo.app import Assistant
from alejo.clock import FakeClock
from alejo.jobs import JobState
from alejo.queue.promises import REFLECTION
from alejo.reflection import Worker
from alejo.testing.model_server import ModelServer, Said, parrot
from alejo.types import Page

from ..conftest import ADA

FACT = {
    "subject": "user",
    "relation": "lives_in",
    "object": "Bonn",
    "since": "",
    "negated": False,
    "preference": False,
    "confidence": 0.9,
    "messages": [1],
}


def states(body: Any) -> Said:
    """States a fact where facts are asked for, and nothing else."""
    wanted = (body.get("response_format") or {}).get("json_schema", {}).get("schema", {}).get("properties", {})
    return Said(json.dumps({"facts": [FACT]})) if "facts" in wanted else parrot(body)


def worker(assistant: Assistant) -> Worker:
    processors = {REFLECTION: assistant.processors()[REFLECTION]}
    return Worker(assistant.store, assistant.reflection.queue, assistant.clock, processors)


async def test_a_model_finds_what_is_kept() -> None:
    """A fact the model finds stands among what is known of the user; a model that is down only delays it."""
    async with ModelServer() as server:
        server.respond = states
        clock = FakeClock()
        options = {"model__base_url": server.openai, "model__retries": 0, "reflection__workers": 0, "clock": clock}
        async with testing.assistant(alejo_brain, alejo_memory, trusted=True, **options) as assistant:
            answer = await assistant.chat("Where I live the river is wide, it is the old capital", scope=ADA)
            server.faults += ["500"] * 9
            assert await worker(assistant).once() == 1
            (job,), _ = await assistant.reflection.register.list(ADA, Page(10))
            assert job.state is JobState.DELAYED
            assert job.attempts == ()  # it cost none
            assert (await assistant.facts.list(ADA, Page(10)))[0] == []
            server.faults.clear()
            clock.advance(600)
            while await worker(assistant).once():
                pass
            (fact,), _ = await assistant.facts.list(ADA, Page(10))
            assert fact.fact is not None
            assert (fact.fact.subject, fact.fact.relation, fact.fact.object) == ("user", "lives_in", "Bonn")
            assert (await assistant.reflection.register.lag(ADA, answer.session_id, REFLECTION)).messages == 0
