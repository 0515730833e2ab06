"""Pictures, typed."""

from __future__ import annotations

from .home import DOT, Home


def test_a_picture_is_seen_and_found_again(home: Home) -> None:
    """What is in a file is told and remembered; like pictures are found by a file, of which nothing is kept."""
    picture = home.folder / "dot.png"
    picture.write_bytes(DOT)
    told = home.run("see", str(picture), "--caption", "a red dot").stdout
    assert "A 9 by 9 PNG picture, all red" in told
    (memory,) = home.json("memories", "list")
    assert memory["id"] in told
    assert "a red dot" in memory["text"]
    (like,) = home.json("memories", "similar", str(picture))
    assert (like["distance"], like["id"]) == (0, memory["id"])
    (seen,) = home.json("see", str(picture), "--look-only")
    assert (seen["width"], seen["memory_id"], seen["similar"]) == (9, "", [memory["id"]])
    assert len(home.json("memories", "list")) == 1


def test_a_picture_in_a_chat(home: Home) -> None:
    """/image shows a picture with words, and refuses what is none."""
    home.environment |= {"ALEJO_PLUGIN_VISION_SECONDS": "600", "ALEJO_PLUGINS_CALL_SECONDS": "600"}
    picture = home.folder / "a dot.png"
    picture.write_bytes(DOT)
    (home.folder / "note.png").write_text("no picture")
    lines = f"/image {picture}\n/image\n/image {home.folder}/none.png\n"
    told = home.run("chat", lines=lines, code=1)
    assert "I see a 9 by 9 PNG picture" in told.stdout + told.stderr
    assert "Which?" in told.stderr
    assert "cannot be read" in told.stderr


def test_what_cannot_be_seen(home: Home) -> None:
    """A file that is not there, is empty, or is no picture is refused with its exit code."""
    note = home.folder / "note.png"
    note.write_text("no picture")
    assert "cannot be read" in home.run("see", str(home.folder / "none.png"), code=66).stderr
    assert "not a PNG" in home.run("see", str(note), code=65).stderr
    note.write_text("")
    assert "is empty" in home.run("see", str(note), code=65).stderr
    assert "has more than 16 MiB" in home.run("see", "/dev/zero", code=65).stderr


def test_what_was_seen_is_told_before_what_cannot_be(home: Home) -> None:
    """Of several files those before a wrong one are told, with the memories they became, and the wrong one is named."""
    dot, note = home.folder / "dot.png", home.folder / "note.png"
    dot.write_bytes(DOT)
    note.write_text("no picture")
    done = home.run("see", str(dot), str(note), code=65)
    assert f"{dot}: " in done.stdout
    assert "remembered as" in done.stdout
    assert f"{note}: this is not a PNG" in done.stderr
