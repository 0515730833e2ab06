"""The mood, typed, and in a chat."""

from __future__ import annotations

from .home import Home

ANGRY = "My boss yelled at me again, I hate this job.\nMy boss was unfair, I am angry.\n"


def test_the_mood_is_shown_corrected_and_reset(home: Home) -> None:
    """`alejo mood` draws what is kept, takes corrections, and leaves nothing after a reset that was confirmed."""
    assert "Nothing is kept" in home.run("mood").stdout
    shown = home.run("chat", lines=f"{ANGRY}/mood\n").stderr
    assert "boss (2 messages" in shown
    drawn = home.run("mood").stdout
    assert "Mood          very unpleasant" in drawn
    assert "Sessions      ▁" in drawn or "Sessions      ▂" in drawn
    assert "trust 0.5" in drawn
    assert "calm, be direct" in drawn or "gentle" in drawn
    told = home.json("mood", "--valence", "0.5", "--trust", "0.9", "--forget", "boss")[0]
    assert abs(told["mood"]["valence"] - 0.5) < 0.01
    assert told["triggers"] == []
    home.run("mood", "--reset", lines="n\n", code=130)
    assert "2 turns" in home.run("mood", "--reset", "--yes").stderr


def test_what_cannot_be_meant_is_refused(home: Home) -> None:
    """A mood beyond its range is a mistake of usage."""
    assert "--valence" in home.run("mood", "--valence", "3", code=2).stderr
