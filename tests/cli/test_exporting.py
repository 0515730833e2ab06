"""Exports, typed: lines that bring the same user in elsewhere, and a folder to read."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from .home import Home

LATELY = ("export", "import")


def body(path: Path) -> list[str]:
    """The lines without what tells of exports and imports themselves."""
    lines = path.read_text().splitlines()[1:-1]
    return [line for line in lines if json.loads(line).get("action") not in LATELY]


def test_lines_go_out_and_in(home: Home) -> None:
    """An export is readable by its owner alone, and brought in for another user of another folder is the same."""
    home.run("chat", lines="My cousin Mia paints boats.\nWhat does my cousin paint?\n")
    here, there = home.folder / "here.jsonl", home.folder / "there.jsonl"
    said = home.run("export", "-o", str(here)).stderr
    assert "in clear" in said
    assert stat.S_IMODE(here.stat().st_mode) == 0o600
    assert "There" not in home.run("export", "-o", str(here), code=73).stdout
    home.environment["XDG_DATA_HOME"] = str(home.folder / "elsewhere")
    assert "1 sessions, 4 messages" in home.run("import", str(here)).stderr
    assert "0 sessions, 0 messages, 0 memories added" in home.run("import", str(here)).stderr
    home.run("export", "-o", str(there))
    assert body(there) == body(here)


def test_a_folder_to_read(home: Home) -> None:
    """The folder has a file for the session by its date, the memories by layer and a page that says it is in clear."""
    home.run("chat", lines="My cousin Mia paints boats.\n> # Not a heading\n")
    folder = home.folder / "mine"
    home.run("export", "--format", "markdown", "-o", str(folder))
    assert "in clear" in (folder / "README.md").read_text()
    (session,) = (folder / "sessions").iterdir()
    text = session.read_text()
    assert "> My cousin Mia paints boats." in text
    assert "> > # Not a heading" in text
    assert "Mia" in "".join(path.read_text() for path in (folder / "memories").iterdir())
    assert "turn" in (folder / "audit.md").read_text()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert "Try: Name a file in it." in home.run("import", str(folder), code=66).stderr


def test_an_export_that_is_wrong_changes_nothing(home: Home) -> None:
    """A line that is wrong, or missing, is named, and nothing before it is taken."""
    home.run("chat", lines="My cousin Mia paints boats.\n")
    path = home.folder / "here.jsonl"
    home.run("export", "-o", str(path))
    whole = path.read_text().splitlines()
    home.environment["XDG_DATA_HOME"] = str(home.folder / "elsewhere")
    path.write_text("\n".join([*whole[:4], '{"type":"memory"}', *whole[4:]]))
    assert "here.jsonl, line 5: Object missing" in home.run("import", str(path), code=65).stderr
    path.write_text("\n".join(whole[:-1]))
    assert "the export was cut" in home.run("import", str(path), code=65).stderr
    assert home.json("sessions", "list") == []
