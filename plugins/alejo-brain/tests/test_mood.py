"""What is said of how the user feels, of what is kept of it."""

from __future__ import annotations

from typing import Any

import pytest

from alejo.types import Mood, Preferences

DAY = 1_683_504_000_000_000  # 8 May 2023
MOOD = Mood(0.7, 0.2, 0.1, 0.3, {"joy": 0.8, "gratitude": 0.4}, DAY, 12)


async def test_the_mood_is_told_with_since_when_and_what_it_rests_on(run: Any) -> None:
    """How good, how calm, beside the usual, and what was felt most."""
    assert await run("mood", "how do I seem to feel?", {"mood": MOOD}) == (
        "By 12 messages of yours, you seem to feel very good and calm, since 8 May 2023, better than usual. "
        "Most of all I heard joy, gratitude."
    )


async def test_a_feeling_that_only_another_plugin_names_is_told_by_its_name(run: Any) -> None:
    """Whatever names feelings, they can be told."""
    assert "I heard calm." in await run("mood", "…", {"mood": Mood(0.4, 0.1, feelings={"calm": 1.0}, appraisals=2)})


@pytest.mark.parametrize("mood", [None, Mood()])
async def test_nothing_is_made_up_where_nothing_is_kept(run: Any, mood: Mood | None) -> None:
    """Nobody keeps it, or nothing was felt yet."""
    assert "nothing of how you feel" in await run("mood", "how do I seem to feel?", {"mood": mood})


@pytest.mark.parametrize(("language", "words"), [("de", ("schlecht", "Angst")), ("es", ("mal", "miedo"))])
async def test_the_mood_is_told_in_the_users_language(
    desk: Any, run: Any, language: str, words: tuple[str, ...]
) -> None:
    """Feelings, too, and of one message as of one."""
    desk.preferences = Preferences(language=language)
    said = await run("mood", "…", {"mood": Mood(-0.4, 0.7, 0.0, 0.3, {"fear": 0.5}, 0, 1)})
    assert all(word in said for word in words)
    assert "{" not in said
