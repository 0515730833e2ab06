"""Backups on the command line."""

from __future__ import annotations

import json

from alejo.storage.backup import BESIDE

from .home import Home


def test_a_backup_is_taken_beside_the_server_and_restored(home: Home) -> None:
    """`backup` says what it wrote and that the key is not in it; `restore` makes a folder that answers as before."""
    home.serve()
    home.run("chat", lines="remember that the tea is green\n")
    file, there = home.folder / "b.tar", home.folder / "there"
    done = home.run("backup", str(file), "--json")
    (told,) = json.loads(done.stdout)
    assert told["records"] > 5
    assert f"The key is not in it. Keep a copy of {home.key} somewhere else" in done.stderr
    done = home.run("backup", "--verify", str(file))
    assert f"every record opens with {home.key}" in done.stderr
    assert told["made_at"] in done.stdout
    done = home.run("restore", str(file), "--to", str(there))
    assert f"{there} is as it was at {told['made_at']}" in done.stderr
    assert "alejo keys list" in done.stderr
    home.run("plugins", "disable", "vision")
    made_anew = {"server.lock", "alejo.sock", "alejo.relay", "cache", "workers"}
    told_of = {"alejo.json", "records", *BESIDE}
    assert {path.name for path in home.data.iterdir()} - made_anew == told_of, "is it in a backup?"
    assert "green" in home.run("chat", "--data", str(there), lines="what is the tea?\n").stdout


def test_without_the_key_sums_are_all_there_is(home: Home) -> None:
    """Where the key is not, a backup is verified and restored only when that is asked for in words."""
    home.run("keys", "add", "app")
    file, there = home.folder / "b.tar", home.folder / "there"
    home.run("backup", str(file))
    home.key.rename(home.folder / "elsewhere")
    for arguments in (["backup", "--verify", str(file)], ["restore", str(file), "--to", str(there)]):
        assert "is missing" in home.run(*arguments, code=78).stderr
    assert "every record" not in home.run("backup", "--verify", str(file), "--without-key-check").stderr
    assert str(home.key) in home.run("restore", str(file), "--to", str(there), "--without-key-check").stderr
    (home.folder / "elsewhere").rename(home.key)
    assert home.json("keys", "list", "--data", str(there))[0]["name"] == "app"


def test_records_elsewhere_are_told(home: Home) -> None:
    """Records that are not in the data folder's own file are found where data.storage says, or the command says no."""
    home.environment["ALEJO_DATA_STORAGE"] = f"lmdb:{home.folder}/records"
    home.run("keys", "add", "app")
    (told,) = home.json("backup", str(home.folder / "b.tar"))
    assert told["records"] > 1
    done = home.run("restore", str(home.folder / "b.tar"), "--to", str(home.folder / "there"))
    assert "unset it" in done.stderr
    home.environment["ALEJO_DATA_STORAGE"] = "postgresql://host/alejo"
    assert "postgresql:" in home.run("backup", str(home.folder / "c.tar"), code=78).stderr
