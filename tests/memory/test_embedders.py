"""A plugin's embedder in place of the table: asked in the background, replaced while recall goes on, not believed."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Sequence
from typing import Any

import pytest
import structlog

import alejo
from alejo import Assistant, testing
from alejo.hooks import hookimpl
from alejo.memory.embedders import PluginEmbedder
from alejo.settings import Settings
from alejo.testing.hosting import candidate
from alejo.types import EmbeddingModel, MemoryDraft, Page

from ..conftest import ADA

TOPICS = (("dog", "puppy", "hound"), ("ship", "boat", "ferry"), ("bread", "loaf", "baguette"))


class Topics:
    """Embeds by topic: each word of one means the same."""

    def __init__(self, name: str = "topics 1") -> None:
        self.name = name
        self.dimensions = 4
        self.asked: list[Sequence[str]] = []
        self.answer: Any = None

    async def model(self) -> EmbeddingModel:
        return EmbeddingModel(self.name, self.dimensions)

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        self.asked.append(texts)
        if self.answer is not None:
            return self.answer(texts)
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> bytes:
        words = set(text.lower().split())
        numbers = [float(bool(words & set(topic))) for topic in TOPICS]
        return array("f", [*numbers, 0.0 if any(numbers) else 1.0]).tobytes()

    @hookimpl
    def alejo_register_embedder(self, settings: Any) -> Topics:
        return self


async def settled(assistant: Assistant) -> None:
    """Waits until no vector is missing."""
    index = await assistant.indexes.get(ADA)
    while index.pending:
        await asyncio.wait(assistant.indexes._embeddings.values())
        await assistant.indexes.get(ADA)


async def texts(assistant: Assistant, query: str) -> list[str]:
    hits, _, _ = await assistant.memories.recall(ADA, query, Page(10))
    return [hit.memory.text for hit in hits]


async def test_a_plugin_tells_what_is_meant() -> None:
    """A memory without a word of the question is found by the plugin's vectors, new and changed ones too."""
    topics = Topics()
    async with testing.assistant(topics) as assistant:
        kept = await assistant.memories.remember(ADA, MemoryDraft("our hound barks"))
        await assistant.memories.remember(ADA, MemoryDraft("the loaf is stale"))
        await settled(assistant)
        assert (await texts(assistant, "puppy"))[:1] == ["our hound barks"]
        await assistant.memories.update(ADA, kept.memories[0].id, {"text": "the ferry sank"})
        await settled(assistant)
        assert (await texts(assistant, "boat"))[:1] == ["the ferry sank"]
        assert "the ferry sank" not in await texts(assistant, "puppy")
        (await assistant.indexes.get(ADA)).vectors.validate()


async def test_many_are_embedded_together() -> None:
    """Texts come in batches, none of them empty, and recall by words does not wait for them."""
    topics = Topics()
    async with testing.assistant(topics) as assistant:
        drafts = [("", MemoryDraft(f"the hound number {n}")) for n in range(300)]
        await assistant.memories.remember_many(ADA, drafts)
        assert "the hound number 17" in await texts(assistant, "number 17")
        await settled(assistant)
        assert max(len(each) for each in topics.asked) == 64
        assert len(topics.asked) < 12
        assert all(text for each in topics.asked for text in each)


async def test_another_model_embeds_all_anew() -> None:
    """While the vectors of a new model are made, recall goes on by words; then by them."""
    topics = Topics()
    async with testing.assistant(topics) as assistant:
        await assistant.memories.remember(ADA, MemoryDraft("our hound barks"))
        await settled(assistant)
        index = await assistant.indexes.get(ADA)
        assert isinstance(index.embedder, PluginEmbedder)
        slot = index.embedder.slot
        old = PluginEmbedder(assistant.plugins, slot, EmbeddingModel("topics 0", 3), assistant.cache["embeddings"])
        index.turn(old)
        old.slot = assistant.plugins.every("brain")[0]  # another than there is now
        assert "our hound barks" in await texts(assistant, "hound")
        await settled(assistant)
        assert index.embedder.name == "plugin topics 1"
        assert (await texts(assistant, "puppy"))[:1] == ["our hound barks"]


async def test_vectors_outlive_a_restart(settings: Settings) -> None:
    """What a plugin embedded once it is not asked again, in memory and after a restart, until its user is forgotten."""
    topics = Topics()
    given = [candidate(topics, trusted=True)]
    for number in range(2):
        async with alejo.open(settings=settings, entry_points=[], given_plugins=given) as assistant:
            if not number:
                kept = await assistant.memories.remember(ADA, MemoryDraft("our hound barks"))
            await settled(assistant)
            assert await texts(assistant, "puppy") == ["our hound barks"]
            assert await texts(assistant, "puppy") == ["our hound barks"]
            assert topics.asked == [["our hound barks"], ["puppy"]]
    async with alejo.open(settings=settings, entry_points=[], given_plugins=given) as assistant:
        await assistant.memories.forget(ADA, [kept.memories[0].id])
        assert assistant.cache["embeddings"].counts().entries == 0
        assert await texts(assistant, "puppy") == []
        assert topics.asked[2:] == [["puppy"]]


@pytest.mark.parametrize(
    "answer",
    [
        lambda texts: [],
        lambda texts: [b"1234" for _ in texts],
        lambda texts: [array("f", [float("nan"), 0, 0, 0]).tobytes() for _ in texts],
        lambda texts: [array("f", [float("inf"), 0, 0, 0]).tobytes() for _ in texts],
        lambda texts: ["words" for _ in texts],
        lambda texts: 7,
        lambda texts: 1 / 0,
    ],
)
async def test_what_is_no_vector_is_not_believed(answer: Any) -> None:
    """Too few, too short, no numbers, no bytes or an error: recall says what is missing, and finds by words."""
    topics = Topics()
    async with testing.assistant(topics) as assistant:
        topics.answer = answer
        await assistant.memories.remember(ADA, MemoryDraft("our hound barks"))
        hits, _, degraded = await assistant.memories.recall(ADA, "hound", Page(10))
        assert [hit.memory.text for hit in hits] == ["our hound barks"]
        assert [each.role for each in degraded if each.role == "embedder"] == ["embedder"]
        topics.answer = None


async def test_a_text_that_means_nothing_has_no_vector() -> None:
    """A vector of no length is none; the memory is found by its words."""
    topics = Topics()
    topics.answer = lambda texts: [bytes(16) for _ in texts]
    async with testing.assistant(topics) as assistant:
        await assistant.memories.remember(ADA, MemoryDraft("our hound barks"))
        assert await texts(assistant, "hound") == ["our hound barks"]
        await settled(assistant)
        assert len((await assistant.indexes.get(ADA)).vectors) == 0


async def test_a_model_without_sense_is_not_used() -> None:
    """With no dimensions, or no name, the table goes on."""
    for name, dimensions in (("x", 0), ("", 4), ("x", 10_000)):
        topics = Topics(name)
        topics.dimensions = dimensions
        async with testing.assistant(topics) as assistant:
            await assistant.memories.remember(ADA, MemoryDraft("our hound barks"))
            assert await texts(assistant, "hound") == ["our hound barks"]
            assert (await assistant.indexes.get(ADA)).embedder.name.startswith("shipped")


async def test_the_log_says_what_is_wrong_with_a_vector() -> None:
    """It names the plugin and what was wrong, and nothing of the text."""
    topics = Topics()
    async with testing.assistant(topics) as assistant:
        topics.answer = lambda texts: [b"1234" for _ in texts]
        with structlog.testing.capture_logs() as logs:
            await assistant.memories.remember(ADA, MemoryDraft("our hound barks"))
            await texts(assistant, "hound")
        told = [each for each in logs if each["event"] == "embedder_rejected"]
        assert told
        assert {each["why"] for each in told} == {"a vector has 4 bytes, not 4 for each of 4 numbers"}
        assert "hound" not in str(told)
        topics.answer = None
