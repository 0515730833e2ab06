"""What doctor finds."""

from __future__ import annotations

import json
import socket
from typing import Any

from .home import Home


def findings(home: Home, code: int = 0) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for one in json.loads(home.run("doctor", "--json", code=code).stdout):
        found.setdefault(one["check"], []).append(one)
    return found


def test_a_new_home_is_well_and_stays_untouched(home: Home) -> None:
    """Before the first start nothing fails, every check speaks, and no data folder or key is made."""
    found = findings(home)
    assert {"versions", "core", "settings", "data", "key", "disk", "server", "ports", "plugins"} <= set(found)
    assert not home.data.exists()
    assert not home.key.exists()
    assert {one["level"] for one in found["plugins"]} == {"ok"}


def test_a_used_home_is_well_with_and_without_its_server(home: Home) -> None:
    """After use the records open and keys are counted; a running server is seen with its process."""
    home.run("keys", "add", "app")
    assert "1 key may call" in findings(home)["records"][0]["text"]
    server, _ = home.serve()
    found = findings(home)
    assert str(server.pid) in found["server"][0]["text"]
    assert {one["level"] for checks in found.values() for one in checks} <= {"ok", "warn"}


def test_what_is_wrong_is_found_and_what_helps_is_said(home: Home) -> None:
    """A readable key, an open folder, a taken port and a missing brain are each found; the exit code is 1."""
    home.run("keys", "add", "app")
    home.key.chmod(0o640)
    home.data.chmod(0o755)
    home.environment["ALEJO_PLUGINS_DISABLED"] = "brain"
    with socket.socket() as other:
        other.bind(("127.0.0.1", home.port))
        other.listen()
        found = findings(home, code=1)
        text = home.run("doctor", code=1).stdout
    assert found["key"][0]["level"] == "fail"
    assert found["key"][0]["hint"] == f"chmod 600 {home.key}"
    assert found["ports"][0]["level"] == "fail"
    assert str(home.port) in found["ports"][0]["hint"]
    (brain,) = (one for one in found["plugins"] if "role brain" in one["text"])
    assert brain["level"] == "fail"
    assert brain["hint"] == "alejo plugins list"
    assert f"Try: chmod 600 {home.key}" in text
    home.key.chmod(0o600)
    assert [one["hint"] for one in findings(home, code=1)["data"]] == ["", f"chmod 700 {home.data}"]


def test_a_lost_key_is_the_worst(home: Home) -> None:
    """Without its key a data folder fails the check, and no new key is made."""
    home.run("keys", "add", "app")
    home.key.unlink()
    found = findings(home, code=1)
    assert found["key"][0]["level"] == "fail"
    assert "backup" in found["key"][0]["hint"]
    assert not home.key.exists()


def test_wrong_settings_are_a_finding(home: Home) -> None:
    """A settings file that cannot be read is told as a failed check."""
    home.config.mkdir(parents=True)
    (home.config / "alejo.toml").write_text("= 1")
    assert "not valid TOML" in findings(home, code=1)["settings"][0]["text"]
