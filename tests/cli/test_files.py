"""A data folder whose records are files, at the command line."""

from __future__ import annotations

import shutil

from .home import Home


def doctor(home: Home, code: int = 0) -> list[str]:
    done = home.run("doctor", code=code)
    return [line for line in done.stdout.splitlines() if " files " in line]


def test_a_folder_of_files_is_served(home: Home) -> None:
    """It is talked to as any other; start and doctor say that it is plain, and name what is no record."""
    notes = home.folder / "notes"
    home.environment["ALEJO_DATA_PATH"] = f"files:{notes}"
    home.run("keys", "add", "app")
    server, banner = home.serve()
    assert "plain text" in "\n".join(banner)
    assert [key["name"] for key in home.json("keys", "list")] == ["app"], "beside a running server"
    home.run("chat", lines="My cat is called Miso.\n")
    page = next((notes / "users/me/memories").rglob("*Miso*.md"))
    (page.parent / "broken.md").write_text("---\nkind: note\n")
    told = doctor(home)
    assert "plain text" in told[0]
    assert f"{page.parent.relative_to(notes)}/broken.md:1: the head" in told[1]
    server.terminate()
    server.wait()
    for listing in ("doctor",), ("keys", "list"):
        assert home.json(*listing), "nothing but JSON is on stdout"


def test_what_is_not_of_files_is_refused(home: Home) -> None:
    """Backup and restore, a folder of the other kind, and a log of another key: each says what to do instead."""
    notes, sealed = home.folder / "notes", home.folder / "sealed"
    home.run("keys", "add", "app", "--data", f"files:{notes}")
    home.run("keys", "add", "app", "--data", str(sealed))
    backup = str(home.folder / "backup")
    assert "Copy the folder" in home.run("backup", backup, "--data", f"files:{notes}", code=78).stderr
    home.run("backup", backup, "--data", str(sealed))
    assert "without files:" in home.run("restore", backup, "--to", f"files:{home.folder}/new", code=78).stderr
    assert f"files:{notes}" in home.run("keys", "list", "--data", str(notes), code=78).stderr
    assert "sealed, not as files" in home.run("keys", "list", "--data", f"files:{sealed}", code=78).stderr
    (notes / "users" / "me").mkdir()
    home.run("keys", "add", "other", "--data", f"files:{notes}")
    home.key.unlink()
    (notes / "alejo.json").unlink()
    told = home.run("keys", "add", "new", "--data", f"files:{notes}", code=78).stderr
    assert "belongs to another master key" in told
    assert str(notes / ".alejo") in told
    shutil.rmtree(notes / ".alejo")
    home.run("keys", "add", "new", "--data", f"files:{notes}")
    assert [key["name"] for key in home.json("keys", "list", "--data", f"files:{notes}")] == ["new"]
