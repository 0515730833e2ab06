"""Every failure that can be foreseen, provoked for every command it can hit: one sentence, what helps, its code."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import click
import pytest

from alejo.cli.root import MODULES, alejo

from .home import DOT, SECONDS, Home

# How each command is called when nothing is wrong with it; {} is the home's folder.
CALLS = {
    "backup": ["{}/new.tar"],
    "chat": [],
    "compact": [],
    "config init": [],
    "config show": [],
    "doctor": [],
    "erase": ["--yes"],
    "export": ["-o", "{}/ada.jsonl"],
    "facts add": ["user", "likes", "tea"],
    "facts around": ["user"],
    "facts correct": ["0" * 32, "tea"],
    "facts list": [],
    "facts restore": ["0" * 32],
    "feedback": ["0" * 32, "--helpful"],
    "forget": ["train", "--yes"],
    "import": ["{}/talk.jsonl"],
    "jobs discard": ["0" * 32],
    "jobs list": [],
    "jobs pause": [],
    "jobs requeue": ["0" * 32],
    "jobs resume": [],
    "jobs show": ["0" * 32],
    "jobs status": [],
    "jobs watch": [],
    "keys add": ["app"],
    "keys list": [],
    "keys revoke": ["app"],
    "learn": ["{}"],
    "learning export": ["-o", "{}/pairs.jsonl"],
    "learning log": [],
    "learning stats": [],
    "learning weights list": [],
    "learning weights rollback": ["0"],
    "memories history": ["0" * 32],
    "memories list": [],
    "memories prefer": ["0" * 32, "a"],
    "memories similar": ["{}/dot.png"],
    "memories tidy": [],
    "mood": [],
    "plugins check": ["{}"],
    "plugins disable": ["vision"],
    "plugins enable": ["vision"],
    "plugins list": [],
    "plugins new": ["dice"],
    "plugins reload": ["vision"],
    "plugins show": ["vision"],
    "preferences": [],
    "reflect": [],
    "reminders dismiss": ["0" * 32],
    "reminders list": [],
    "restore": ["{}/good.tar"],
    "see": ["{}/dot.png"],
    "serve": ["--address", "127.0.0.1:0"],
    "sessions list": [],
    "why": ["r"],
}
TALK = [
    {"type": "session", "id": "s", "title": "Trip"},
    {"type": "message", "session": "s", "id": "m", "role": "user", "text": "We go by train."},
]


def leaves(context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by what is typed for it."""
    group = context.command
    assert isinstance(group, click.Group)
    for name in MODULES if group is alejo else group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        if isinstance(command, click.Group):
            for inner, leaf in leaves(click.Context(command, context, name)):
                yield f"{name} {inner}", leaf
        else:
            yield name, command


LEAVES = dict(leaves(click.Context(alejo)))
NOTHING_TO_FAIL = {"help", "completion"}  # they print what they know


def having(option: str, *, without: tuple[str, ...] = ()) -> list[str]:
    """The commands that have an option."""
    return [
        name
        for name, command in LEAVES.items()
        if any(option in parameter.opts for parameter in command.params) and name not in without
    ]


SPEAKING = having("--url")
# doctor tells it as a finding; config shows settings; these of plugins look at them here where no server can be asked.
OPENING = having("--data", without=("config show", "doctor", "plugins list", "plugins reload", "plugins show"))
# These start a server, or are one, and so make the folder.
MAKING = {"chat", "import", "keys add", "plugins disable", "plugins enable", "serve", "sessions list"}
MAKING |= {"compact", "erase", "export", "forget", "memories history", "memories list", "memories tidy", "preferences"}
MAKING |= {"jobs discard", "jobs list", "jobs pause", "jobs requeue", "jobs resume", "jobs show", "jobs status"}
MAKING |= {"jobs watch", "facts add", "facts around", "facts correct", "facts list", "facts restore"}
MAKING |= {"feedback", "learn", "learning export", "learning log", "learning stats"}
MAKING |= {"memories prefer", "memories similar", "mood", "see", "why"}
MAKING |= {"reminders dismiss", "reminders list"}
MAKING |= {"learning weights list", "learning weights rollback"}
SETTING = [name for name in CALLS if name not in {"config init", "doctor", "plugins check", "plugins new"}]


def call(home: Home, name: str, *more: str, lines: str = "hello\n") -> subprocess.CompletedProcess[str]:
    arguments = [*name.split(), *(each.format(home.folder) for each in CALLS[name]), *more]
    return subprocess.run(
        [sys.executable, "-m", "alejo", *arguments],
        check=False,
        input=lines,
        capture_output=True,
        text=True,
        env=home.environment,
        timeout=SECONDS,
    )


def told(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Checks that a command failed as it is promised: one sentence, a line that helps, and this exit code."""
    lines = done.stderr.splitlines()
    said = [number for number, line in enumerate(lines) if line.startswith("alejo: ")]
    assert len(said) == 1, done
    assert done.returncode == code, done
    assert lines[said[0]].endswith("."), done
    assert lines[said[0] + 1].startswith("  Try: "), done
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr, f"{word!r} is not said in {done}"


def fail(home: Home, names: list[str], code: int, *words: str, more: tuple[str, ...] = ()) -> None:
    """Runs commands, two at a time, and checks how each of them fails."""
    assert names
    with ThreadPoolExecutor(2) as pool:
        for name, done in zip(names, pool.map(lambda name: call(home, name, *more), names), strict=True):
            assert name in LEAVES
            told(done, code, *words)


@pytest.fixture
def used(home: Home) -> Home:
    """A home with a key for a program, a backup, and a file to import."""
    (home.folder / "dot.png").write_bytes(DOT)
    (home.folder / "talk.jsonl").write_text("".join(json.dumps(line) + "\n" for line in TALK))
    home.run("keys", "add", "app")
    home.run("backup", str(home.folder / "good.tar"))
    return home


def test_every_command_is_here() -> None:
    """Each command has a call in the table, so that a new one joins every test it can fail."""
    assert set(CALLS) == set(LEAVES) - NOTHING_TO_FAIL
    assert {"chat", "import", "sessions list", "plugins list"} <= set(SPEAKING)
    assert {"backup", "chat", "keys add", "serve"} <= set(OPENING)


def test_every_listing_has_json() -> None:
    """What lists or reports can be had as JSON."""
    listing = [name for name in LEAVES if name.split()[-1] in {"list", "show", "doctor", "status", "backup"}]
    assert len(listing) >= 6
    assert set(listing) <= set(having("--json"))


def test_the_server_cannot_be_reached(used: Home) -> None:
    """A URL nobody answers at ends every command that speaks to a server with 69."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens, and nobody else may
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        fail(used, SPEAKING, 69, f"No server answers at {url}.", "alejo serve", more=("--url", url))


def test_the_key_is_wrong(used: Home) -> None:
    """A wrong key, or one of another user, ends every command that speaks to a server with 77."""
    bound = used.run("keys", "add", "bound", "--user", "ada").stdout.strip()
    used.serve()
    fail(used, SPEAKING, 77, "alejo keys add", more=("--url", used.url, "--key", "alejo_wrong"))
    fail(used, SPEAKING, 77, "alejo keys list", more=("--url", used.url, "--key", bound, "--user", "bob"))
    fail(used, SPEAKING, 77, "alejo keys add", more=("--key", "alejo_wrong"))


def test_a_key_is_missing(used: Home) -> None:
    """Where the local user needs a key too, a command without one ends with 77."""
    used.environment["ALEJO_SERVER_LOCAL_USER"] = "false"
    used.serve()
    fail(used, SPEAKING, 77, "alejo keys add", more=("--url", used.url))


def test_something_is_in_the_way_of_a_server(used: Home) -> None:
    """A port that is taken ends a start with 69 and names its setting; a folder that is served ends it with 75."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        told(call(used, "serve", "--address", place), 69, place, "server.address")
        told(call(used, "serve", "--metrics-address", place), 69, place, "server.metrics_address")
    told(call(used, "serve", "--address", "0.0.0.0:0"), 78, "TLS")
    server, _ = used.serve()
    told(call(used, "serve"), 75, str(server.pid), "alejo chat")


def test_the_data_folder_is_newer(used: Home) -> None:
    """A folder of a newer version ends every command that opens it with 74, and is not touched."""
    marker = used.data / "alejo.json"
    marker.write_text(marker.read_text().replace('"format": 1', '"format": 99'))
    before = {path: path.stat().st_mtime_ns for path in used.data.rglob("*")}
    fail(used, OPENING, 74, "format 99", "Update ALEJO")
    assert {path: path.stat().st_mtime_ns for path in used.data.rglob("*")} == before


def test_the_data_folder_is_damaged(used: Home) -> None:
    """A marker or a data file that is none ends every command that opens it with 74, and tells of the backup."""
    data, marker = used.data / "records" / "data.mdb", used.data / "alejo.json"
    whole = marker.read_bytes()
    marker.write_bytes(b"{")
    fail(used, OPENING, 74, "alejo.json", "backup")
    marker.write_bytes(whole)
    data.write_bytes(b"no data file at all" * 1000)
    fail(used, OPENING, 74, str(used.data / "records"), "backup")


def test_the_data_folder_is_something_else(used: Home) -> None:
    """A folder of other files, or a file, ends every command that opens it with 78 and stays as it is."""
    other = used.folder / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    fail(used, OPENING, 78, "is not an ALEJO data folder", "data.path", more=("--data", str(other)))
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]
    thesis = str(other / "thesis.txt")
    fail(used, OPENING, 78, thesis, "data.path", more=("--data", thesis))
    told(call(used, "restore", "--to", str(other)), 78, "is not an ALEJO data folder")
    told(call(used, "restore", "--to", thesis), 73, thesis)


@pytest.mark.parametrize("name", [name for name in OPENING if name not in MAKING])
def test_there_is_no_data_folder(home: Home, name: str) -> None:
    """What reads a data folder makes none: it says that there is none."""
    told(call(home, name), 78, str(home.data), "alejo serve")
    assert not home.data.exists()


def _lost(key: Path) -> None:
    key.unlink()


def _of_another(key: Path) -> None:
    text = key.read_text()
    key.write_text(text[:20] + ("A" if text[20] != "A" else "B") + text[21:])


def _readable(key: Path) -> None:
    key.chmod(0o644)


def _no_key(key: Path) -> None:
    key.write_text("secret")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (_lost, "is missing"),
        (_of_another, "is not the one"),
        (_readable, "chmod 600"),
        (_no_key, "is not a key file"),
    ],
)
def test_the_master_key_is_not_right(used: Home, harm: Callable[[Path], None], words: str) -> None:
    """A master key that is lost, another's, readable by others or none ends all that need it with 78."""
    harm(used.key)
    fail(used, OPENING, 78, words, str(used.key))
    told(call(used, "restore", "--to", str(used.folder / "there")), 78, words, str(used.key))
    assert not (used.folder / "there").exists()


def test_there_is_no_room(used: Home) -> None:
    """With a full data folder what writes ends with 74 (a chat's line with 1); what reads and backs up still works."""
    used.environment |= {"ALEJO_DATA_MAX_SIZE_MB": "1", "ALEJO_DATA_MAP_SIZE_MB": "1"}
    for size in (20_000, 500):  # the small ones fill what the large ones leave
        messages = (TALK[1] | {"id": f"{size}-{number}", "text": "x" * size} for number in range(1_600_000 // size))
        lines = "".join(json.dumps(one) + "\n" for one in (TALK[0], *messages))
        (used.folder / "talk.jsonl").write_text(lines)
        told(call(used, "import"), 74, "no room", "alejo doctor")
    told(call(used, "chat", lines="x" * 30_000 + "\n"), 1, "no room", "alejo doctor")
    for name in ("sessions list", "keys list", "backup"):
        assert call(used, name).returncode == 0
    assert "data.max_size_mb" in call(used, "doctor").stdout


def test_the_disk_is_full(used: Home) -> None:
    """A backup or restore that cannot be written whole ends with 73 and leaves nothing."""
    (used.folder / "good.tar").unlink()
    used.run("import", str(used.folder / "talk.jsonl"))
    used.run("backup", str(used.folder / "good.tar"))

    def limited(name: str, *more: str) -> subprocess.CompletedProcess[str]:
        arguments = [*CALLS[name], *more]
        program = 'ulimit -f 4 && exec "$@"'
        command = ["bash", "-c", program, "-", sys.executable, "-m", "alejo", name]
        command += [each.format(used.folder) for each in arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True, env=used.environment)

    before = sorted(path.name for path in used.folder.iterdir())
    told(limited("backup"), 73, "File too large", "disk with room")
    told(limited("restore", "--to", str(used.folder / "there")), 73, "disk with room")
    assert sorted(path.name for path in used.folder.iterdir()) == before


def test_a_role_is_vacant(used: Home) -> None:
    """Without a brain nothing is answered, and the line says where to look."""
    used.environment["ALEJO_PLUGINS_DISABLED"] = "brain"
    told(call(used, "chat"), 1, "brain", "alejo plugins list")
    used.serve()
    told(call(used, "chat", "--url", used.url), 1, "brain")


def test_a_setting_is_wrong(used: Home) -> None:
    """A setting that does not exist, or a settings file that is none, ends every command that reads them with 78."""
    used.config.mkdir(parents=True, exist_ok=True)
    path = used.config / "alejo.toml"
    path.write_text("[server]\nadress = 'x'\n")
    fail(used, SETTING, 78, "server.adress", str(path), "alejo config")
    path.write_text("= 1")
    fail(used, ["config show", "serve"], 78, "not valid TOML", str(path))


def test_a_file_is_not_right(used: Home) -> None:
    """A file that is not there ends a command with 66, a wrong one with 65 or 74, one that is in the way with 73."""
    nothing, wrong = str(used.folder / "nothing"), used.folder / "wrong"
    wrong.write_text("{")
    calls = {
        ("import", nothing): 66,
        ("restore", nothing): 66,
        ("backup", "--verify", nothing): 66,
        ("import", "--format", "export", nothing): 66,
        ("import", str(wrong)): 65,
        ("erase", "--verify", nothing): 66,
        ("erase", "--verify", str(wrong)): 65,
        ("learn", "/proc"): 73,
        ("restore", str(wrong)): 74,
        ("backup", "--verify", str(wrong)): 74,
        ("backup", str(wrong)): 73,
        ("backup", str(used.folder / "no" / "b.tar")): 73,
        ("backup", str(used.folder)): 73,
        ("restore", str(used.folder)): 66,
        ("restore", str(used.folder / "good.tar")): 73,
        ("chat", "--session", "0" * 32): 1,
        ("chat", "--session", "nonsense"): 65,
        ("chat", "--url", "nonsense"): 65,
        ("keys", "revoke", "nobody"): 1,
        ("keys", "add", ""): 65,
        ("plugins", "check", str(used.folder)): 1,
        ("plugins", "new", "No Name"): 2,
        ("plugins", "new", "brain", "--in", str(used.folder)): 73,
        ("plugins", "new", "dice", "--in", str(wrong)): 73,
    }
    with ThreadPoolExecutor(2) as pool, ExitStack() as stack:
        stack.callback(pool.shutdown)

        def one(arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "alejo", *arguments]
            return subprocess.run(command, check=False, capture_output=True, text=True, env=used.environment, input="")

        for code, done in zip(calls.values(), pool.map(one, calls), strict=True):
            told(done, code)


@pytest.mark.parametrize(("one", "code"), [("0" * 32, 1), ("x", 65)])
def test_what_is_asked_for_is_not_there(used: Home, one: str, code: int) -> None:
    """A name that nothing has, or an identifier that is none, is followed by what tells those there are."""
    used.serve()
    for arguments, helps in {
        ("chat", "--session"): "alejo sessions list",
        ("facts", "restore"): "alejo memories list" if code == 65 else "alejo facts list",
        ("jobs", "requeue"): "alejo jobs list",
        ("jobs", "show"): "alejo jobs list",
        ("memories", "history"): "alejo memories list",
        ("reminders", "dismiss"): "alejo reminders list",
    }.items():
        told(used.run(*arguments, one, code=code), code, f"Try: {helps}")
    told(used.run("why", one, code=1), 1, "Try: /why in alejo chat")


def test_a_traceback_is_there_for_who_asks(used: Home) -> None:
    """With --debug the same failure shows its traceback."""
    done = call(used, "backup", "--debug", "--data", str(used.folder / "none"))
    assert "Traceback" in done.stderr
    assert done.returncode == 1
