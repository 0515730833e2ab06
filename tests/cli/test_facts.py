"""Facts, typed."""

from __future__ import annotations

from .home import Home


def test_facts_are_added_listed_corrected_and_restored(home: Home) -> None:
    """What was said in a chat and what is typed stand in one list, as of a date too, and a correction is taken back."""
    home.run("chat", lines="I live in Rome.\n/facts\n")
    (rome,) = home.json("facts", "list", "user")
    assert (rome["relation"], rome["object"]) == ("lives in", "Rome")
    told = home.json("facts", "add", "user", "resides in", "Oslo", "--from", "2020-01-01", "--to", "2021-01-01")
    assert told[0]["relation"] == "lives in"
    assert [one["object"] for one in home.json("facts", "list", "--as-of", "2020-06-01")] == ["Oslo"]
    corrected = home.json("facts", "correct", rome["id"], "Bonn")
    assert [one["object"] for one in corrected] == ["Bonn", "Rome"]
    restored = home.json("facts", "restore", rome["id"])
    assert [one["object"] for one in restored] == ["Rome", "Bonn"]
    assert {one["name"] for one in home.json("facts", "around", "me")} == {"user", "Rome", "Oslo"}
    assert "no such fact" in home.run("facts", "restore", "0" * 32, code=1).stderr
