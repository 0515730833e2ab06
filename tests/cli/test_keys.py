"""Keys, made and used beside a running server."""

from __future__ import annotations

import time

import pytest

from .home import Home


def refused(home: Home, *arguments: str, lines: str) -> str:
    """What a command says that is refused as soon as the server looks at the key again, which it does once a second."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            return home.run(*arguments, lines=lines, code=77).stderr
        except AssertionError:
            continue
    raise AssertionError("it is not refused")


def test_a_key_works_until_it_is_revoked(home: Home) -> None:
    """A key made while the server runs is accepted at once, is listed without its secret, and refused once revoked."""
    home.serve()
    token = home.run("keys", "add", "app", "--tenant", "shop", "--user", "ann").stdout.strip()
    assert token.startswith("alejo_")
    home.environment["ALEJO_API_KEY"] = token
    home.run("chat", "--url", home.url, lines="My dog is called Luna.\n")
    assert "Luna" in home.run("chat", "--url", home.url, "--user", "ann", lines="What is my dog called?\n").stdout
    # The same name without the key is another tenant's user.
    assert "Luna" not in home.run("chat", "--key", "", "--user", "ann", lines="What is my dog called?\n").stdout
    (row,) = home.json("keys", "list")
    assert (row["name"], row["tenant"], row["user"], row["revoked_at"]) == ("app", "shop", "ann", "")
    assert token[-43:] not in home.run("keys", "list").stdout
    assert home.run("chat", "--url", home.url, "--user", "bob", lines="help\n", code=77).stdout == ""
    home.run("keys", "revoke", "app")
    told = refused(home, "chat", "--url", home.url, lines="help\n")
    assert "alejo keys add NAME" in told


@pytest.mark.parametrize("running", [True, False])
def test_a_key_is_used_in_the_data_folder_too(home: Home, *, running: bool) -> None:
    """Without --url a key acts for its user as well, given as an option or by the environment; a bad one is refused."""
    if running:
        home.serve()
    token = home.run("keys", "add", "hers", "--user", "anna").stdout.strip()
    home.run("chat", "--key", token, lines="My dog is called Luna.\n")
    asked = "What is my dog called?\n"
    assert "Luna" in home.run("chat", "--user", "anna", lines=asked).stdout
    assert "Luna" not in home.run("chat", lines=asked).stdout
    bogus = token[:-9] + ("A" if token[-9] != "A" else "B") + token[-8:]  # the last one has bits that say nothing
    for wrong in (bogus, "alejo_wrong", " "):
        assert home.run("chat", "--key", wrong, lines=asked, code=77).stdout == ""
    home.environment["ALEJO_API_KEY"] = token
    assert "Luna" in home.run("chat", lines=asked).stdout
    assert home.run("chat", "--user", "bob", lines=asked, code=77).stdout == ""
    home.environment["ALEJO_API_KEY"] = bogus
    assert home.run("chat", lines=asked, code=77).stdout == ""
    assert home.run("plugins", "list", code=77).stdout == ""
    assert home.run("chat", "--key", token, lines=asked).stdout != ""
    home.run("keys", "revoke", "hers")
    home.environment["ALEJO_API_KEY"] = token
    assert "alejo keys add NAME" in refused(home, "chat", lines=asked)
    home.run("doctor")  # looks at the folder as its owner


def test_a_key_ends_in_a_year_that_calendars_know(home: Home) -> None:
    """A time that ends after the year 9999 is refused, and no key is made."""
    assert "9999" in home.run("keys", "add", "late", "--expires", "999999w", code=65).stderr
    assert home.json("keys", "list") == []


def test_what_is_wrong_with_a_key_is_told(home: Home) -> None:
    """Listing makes no folder; an unknown, ambiguous or empty name is one sentence."""
    assert "There is no data folder" in home.run("keys", "list", code=78).stderr
    assert not home.data.exists()
    home.run("keys", "add", "twin")
    home.run("keys", "add", "twin")
    told = home.run("keys", "revoke", "twin", code=65).stderr
    assert "several keys have this name" in told
    assert "Try: alejo keys list" in told
    assert "There is no key nobody" in home.run("keys", "revoke", "nobody", code=1).stderr
    assert "1 to 128" in home.run("keys", "add", "", code=65).stderr


def test_a_key_with_an_end_and_scopes(home: Home) -> None:
    """--expires and --scope are listed and told; what cannot be is refused."""
    told = home.run("keys", "add", "guest", "--expires", "30d", "--scope", "read").stderr
    assert "until 20" in told
    assert "It may read." in told
    (row,) = home.json("keys", "list")
    assert row["scopes"] == "read"
    assert row["expires_at"] > row["created_at"]
    assert "such as 30d" in home.run("keys", "add", "bad", "--expires", "soon", code=2).stderr
    assert "one user" in home.run("keys", "add", "bad", "--user", "ann", "--scope", "operator", code=65).stderr
