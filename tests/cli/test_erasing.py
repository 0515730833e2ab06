"""Erasing a user, typed: shown, asked, done, and proved by a receipt."""

from __future__ import annotations

import json

from .home import Home


def test_a_user_is_erased_and_a_receipt_says_so(home: Home) -> None:
    """It goes on a yes alone; the receipt is checked later, also beside a server, and a changed one is refused."""
    home.run("chat", lines="Remember that the boat is red.\n")
    path = home.folder / "receipt.json"
    refused = home.run("erase", "-o", str(path), lines="n\n", code=130)
    assert "memory" in refused.stderr
    assert not path.exists()
    assert home.json("memories", "list")
    said = home.run("erase", "--yes", "-o", str(path)).stderr
    assert "Erased: me of local." in said
    assert "alejo compact" not in said
    assert home.json("memories", "list") == []
    assert "1 key of me of local destroyed" in home.run("erase", "--verify", str(path)).stderr
    home.run("erase", "--yes", "-o", str(path), code=73)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"erased_at": 1}))
    assert "not of this data folder" in home.run("erase", "--verify", str(path), code=65).stderr
    path.write_text("{}")
    assert "is no receipt" in home.run("erase", "--verify", str(path), code=65).stderr
    assert "cannot be read" in home.run("erase", "--verify", str(path) + "x", code=66).stderr


def test_a_receipt_is_printed(home: Home) -> None:
    """Without a file it stands on stdout, and where nothing is kept there is none."""
    home.run("chat", lines="Remember that the boat is red.\n")
    receipt = json.loads(home.run("erase", "--yes").stdout)
    assert (receipt["user"], receipt["counts"]["memory"]) == ("me", 1)
    again = home.run("erase", "--yes")
    assert again.stdout == ""
    assert "Nothing is kept" in again.stderr
