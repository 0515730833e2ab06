"""Vectors of memories from an endpoint: asked many at a time, and missed by nobody when it is down."""

from __future__ import annotations

import alejo_brain
import alejo_memory

from alejo import testing
from alejo.identity import LOCAL
from alejo.testing.model_server import ModelServer
from alejo.types import Degraded, Page, PluginState


async def test_an_endpoint_embeds() -> None:
    """With model.embedding the endpoint is sent what is remembered and what is asked; without it, nothing."""
    async with ModelServer() as server:
        options = {"model__base_url": server.openai, "model__embedding": "parrot"}
        async with testing.assistant(alejo_brain, alejo_memory, trusted=True, **options) as assistant:
            await assistant.remember("Our hound barks.")
            hits, _, degraded = await assistant.memories.recall(LOCAL, "barks", Page(5))
            assert ([hit.memory.text for hit in hits], degraded) == (["Our hound barks."], [])
        asked = [each.json()["input"] for each in server.requests if each.path == "/v1/embeddings"]
        assert ["barks"] in asked


async def test_an_endpoint_that_is_down_costs_no_more_than_its_vectors() -> None:
    """Recall goes on by words and says what it lacks; the plugin that asked is not blamed, and its brain answers."""
    server = ModelServer()
    await server.__aenter__()
    options = {"model__base_url": server.openai, "model__embedding": "parrot", "model__retries": 0}
    async with testing.assistant(alejo_brain, alejo_memory, trusted=True, **options) as assistant:
        await assistant.remember("Our hound barks.")
        assert (await assistant.memories.recall(LOCAL, "barks", Page(5)))[2] == []
        await server.__aexit__()
        for number in range(6):
            hits, _, degraded = await assistant.memories.recall(LOCAL, f"barks {number}", Page(5))
            assert [hit.memory.text for hit in hits] == ["Our hound barks."]
            assert degraded == [Degraded("embedder", "brain", "failed")]
        brain = next(each for each in assistant.plugins.statuses() if each.name == "brain")
        assert brain.state is PluginState.ACTIVE
        assert (await assistant.chat("help")).message.text.startswith("Tell me anything")
