"""The server as a process."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from .home import Home


def test_the_banner_says_what_there_is_to_know(home: Home) -> None:
    """A first start names version, address, folder, socket, callers and the key to back up; the next not that again."""
    server, banner = home.serve()
    text = "\n".join(banner)
    for words in ("ALEJO 0.", str(home.port), str(home.data), str(home.socket), "need no key", "alejo keys add NAME"):
        assert words in text
    assert f"Back up your key {home.key}" in text
    assert banner[-1].startswith("ready in ")
    server.terminate()
    assert server.wait(20) == 0
    assert server.stdout
    assert server.stdout.read() == ""
    assert "Back up your key" not in "\n".join(home.serve()[1])


def test_the_line_to_try_works(home: Home) -> None:
    """The `buf curl` line of the banner, typed as it stands, is answered."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{home.environment['PATH']}"
    buf = shutil.which("buf", path=path)
    if buf is None:
        pytest.skip("needs buf on PATH")
    _, banner = home.serve()
    command = next(line for line in banner if "buf curl" in line).partition("buf curl")[2]
    done = subprocess.run(
        [buf, "curl", *shlex.split(command)],
        check=False,
        capture_output=True,
        text=True,
        env=home.environment,
        timeout=20,
    )
    assert '"turnId"' in done.stdout, done.stderr


def test_vacant_roles_and_rejected_plugins_are_told(home: Home) -> None:
    """The banner and `plugins list` name the roles nobody fills, and why a plugin was rejected, with what helps."""
    home.plugin("wreck", "alejo", "raise OSError('no such thing')\n")
    home.environment["ALEJO_PLUGINS_DISABLED"] = "vision,brain"
    _, banner = home.serve()
    text = "\n".join(banner)
    assert "Nothing fills the role vision. Try: alejo plugins list" in text
    assert "Nothing fills the role brain. Try: alejo plugins list" in text
    assert "The plugin wreck was rejected: " in text
    rows = {row["name"]: row for row in home.json("plugins", "list")}
    assert rows["wreck"]["state"] == "rejected"
    assert rows["wreck"]["reason"]
    assert "plugins.disabled" in rows["brain"]["reason"]
    assert rows["memory"]["state"] == "active"
    assert rows["memory"]["load_seconds"] > 0
    assert "Nothing fills the role vision" in home.run("plugins", "list").stderr
    told = home.run("chat", lines="hello\n", code=1).stderr
    assert "brain" in told
    assert "alejo plugins list" in told


def test_what_is_in_the_way_is_told(home: Home) -> None:
    """A folder that is served, and a port that is taken, are each one sentence with what helps, and their exit code."""
    server, _ = home.serve()
    told = home.run("serve", "--address", "127.0.0.1:0", code=75).stderr
    assert str(server.pid) in told
    assert "alejo chat" in told
    told = home.run("serve", "--data", str(home.folder / "other"), code=69).stderr
    assert f"127.0.0.1:{home.port}" in told
    assert "server.address" in told


def test_an_open_address_needs_words(home: Home) -> None:
    """Beyond loopback the server refuses to start without keys and TLS, unless the setting says it in words."""
    told = home.run("serve", "--address", "0.0.0.0:0", code=78).stderr
    assert "anyone on the network may read and write" in told
    _, banner = home.serve("--address", "0.0.0.0:0", "--allow-insecure", "anyone on the network may read and write")
    assert "server.allow_insecure" in "\n".join(banner)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_cleanly(home: Home, number: signal.Signals) -> None:
    """SIGTERM and Ctrl-C end the server with exit code 0 and without a word of Python."""
    server, _ = home.serve()
    server.send_signal(number)
    _, complaints = server.communicate(timeout=20)
    assert server.returncode == 0
    assert "Traceback" not in complaints


def test_a_server_that_is_not_there_is_told(home: Home) -> None:
    """A URL nobody answers at is one sentence and exit code 69, for every command that speaks to a server."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens, and nobody else may
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        for arguments in (["chat"], ["sessions", "list"], ["plugins", "list"]):
            told = home.run(*arguments, "--url", url, lines="help\n", code=69).stderr
            assert f"No server answers at {url}." in told
            assert "alejo serve" in told
    assert "is not like" in home.run("chat", "--url", "nonsense", code=65).stderr


def test_a_folder_that_cannot_be_opened_is_told(home: Home) -> None:
    """A lost key, a newer format and a folder of something else are refused with one sentence that helps."""
    home.run("chat", lines="remember the tea\n")
    key = home.key.read_bytes()
    home.key.unlink()
    assert "is missing" in home.run("chat", code=78).stderr
    assert not home.key.exists()
    home.key.write_bytes(key)
    home.key.chmod(0o644)
    assert f"chmod 600 {home.key}" in home.run("chat", code=78).stderr
    home.key.chmod(0o600)
    marker = home.data / "alejo.json"
    marker.write_text(marker.read_text().replace('"format": 1', '"format": 99'))
    assert "Update ALEJO" in home.run("serve", code=74).stderr
    other = home.folder / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    assert "is not an ALEJO data folder" in home.run("chat", "--data", str(other), code=78).stderr
