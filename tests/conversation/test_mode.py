"""How the local brain speaks, as a wish that is remembered has it, until it is forgotten or another takes its place."""

from __future__ import annotations

import pytest

from alejo import Assistant
from alejo.types import Filter, Page

from ..conftest import ADA

TOLD = "My garden makes me calm after long days at work."


async def mirrors(assistant: Assistant) -> bool:
    """Whether a statement is said back, with a question."""
    text = (await assistant.chat(TOLD, scope=ADA)).message.text
    return text.startswith(("You say: ", "Du sagst: ", "Dices: ")) and text.endswith("?")


@pytest.mark.parametrize(
    "wish",
    [
        "From now on be more reflective with me.",
        "Please be more reflective.",
        "Sei ab jetzt reflektierter.",
        "S\u00e9 m\u00e1s reflexivo.",
    ],
)
async def test_a_standing_wish_sets_the_mode(assistant: Assistant, wish: str) -> None:
    """Once it is learned it holds in every session, and no longer once the memory is forgotten."""
    assert not await mirrors(assistant)
    await assistant.chat(wish, scope=ADA)
    await assistant.reflection.settled()
    assert await mirrors(assistant)
    memories, _ = await assistant.memories.list(ADA, Page(50), Filter(include_superseded=True))
    assert await assistant.memories.forget(ADA, [each.id for each in memories if each.text == wish]) != (0, 0)
    assert not await mirrors(assistant)


async def test_what_is_wished_last_counts(assistant: Assistant) -> None:
    """A wish against the one before takes its place, and a preference that was set stands before both."""
    for wish, wanted in (("From now on be more reflective with me.", True), ("Please be less reflective.", False)):
        await assistant.chat(wish, scope=ADA)
        await assistant.reflection.settled()
        assert await mirrors(assistant) is wanted
    assert not await mirrors(assistant)
    await assistant.profiles.note(ADA, {"mode": "reflective"})
    assert await mirrors(assistant)
