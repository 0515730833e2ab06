"""Forgetting and histories, typed."""

from __future__ import annotations

from .home import Home


def test_forget_shows_and_asks(home: Home) -> None:
    """What would go is shown; it goes only on a yes, or with --yes without a question."""
    home.run("chat", lines="Remember that the boat is red.\nRemember that the mill is old.\n")
    (boat,) = [one for one in home.json("memories", "list") if "boat" in one["text"]]
    refused = home.run("forget", "boat is red", lines="n\n", code=130)
    assert boat["text"] in refused.stdout
    assert boat["id"] in {one["id"] for one in home.json("memories", "list")}
    assert "Forgotten: " in home.run("forget", "boat is red", "--yes").stderr
    left = {one["text"] for one in home.json("memories", "list", "--all")}
    assert any("mill is old" in text for text in left)
    assert not any("boat" in text for text in left)
    assert "Nothing" in home.run("forget", "boat is red", "--yes").stderr


def test_a_memory_that_never_changed(home: Home) -> None:
    """A history is empty until something changed, and that of a memory there is not is an error."""
    home.run("chat", lines="Remember that the boat is red.\n")
    boat = home.json("memories", "list")[0]
    assert home.json("memories", "history", boat["id"]) == []
    assert "no such memory" in home.run("memories", "history", "0" * 32, code=1).stderr


def test_memories_are_looked_after_now(home: Home) -> None:
    """What was done is told, and whether the index knows what is stored."""
    home.run("chat", lines="Remember that the boat is red.\n")
    (told,) = home.json("memories", "tidy", "--verify")
    assert (told["archived"], told["differences"], told["done"]) == (0, 0, True)


def test_preferences_are_shown_and_changed(home: Home) -> None:
    """NAME=VALUE changes, an empty value takes back, and what cannot be meant is refused."""
    assert {"name": "model", "value": ""} in home.json("preferences")
    told = {one["name"]: one["value"] for one in home.json("preferences", "model=small", "tone=dry", "episodic_days=7")}
    assert (told["model"], told["tone"], told["episodic_days"]) == ("small", "dry", 7.0)
    assert "tone" not in {one["name"] for one in home.json("preferences", "tone=")}
    assert "time zone" in home.run("preferences", "time_zone=Mars/North", code=65).stderr
    assert "NAME=VALUE" in home.run("preferences", "model", code=2).stderr
