"""The group of commands."""

from __future__ import annotations

import subprocess
import sys

import pytest

import alejo
from alejo.cli.root import MODULES, run

from .home import Home

HEAVY = ("grpc", "prompt_toolkit", "msgspec", "structlog", "lmdb", "cryptography", "google.protobuf", "alejo.app")


def test_the_version_is_printed_without_loading_anything_heavy(home: Home) -> None:
    """`alejo --version` prints the version; what costs time to import is not imported."""
    program = (
        "import sys; from alejo.cli.root import run; run(['--version']); "
        f"print(sorted({set(HEAVY)!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [f"alejo {alejo.__version__}", "[]"]


@pytest.mark.parametrize("name", MODULES)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command is in the list, and shows its own help in both ways."""
    assert run([name, "--help"]) == run(["help", name]) == 0
    assert capsys.readouterr().out.count(f"Usage: alejo {name}") == 2
    assert run(["help"]) == 0
    assert f"\n  {name} " in capsys.readouterr().out


def test_exit_codes_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """`alejo help exit-codes` prints the table; an unknown topic, command or option is a usage error."""
    assert run(["help", "exit-codes"]) == 0
    assert "130  Ended by Ctrl-C." in capsys.readouterr().out
    for arguments, words in (
        (["help", "nothing"], "no command 'nothing'"),
        (["nothing"], "No such command"),
        (["chat", "--nothing"], "No such option"),
    ):
        assert run(arguments) == 2
        assert words in capsys.readouterr().err


COMMAND = """
import click

@click.command()
def greet():
    "Greets."
    click.echo("hello from afar")
"""


def test_another_distribution_adds_a_command(home: Home) -> None:
    """A command of another distribution is listed and runs; it cannot take the name of one of ours."""
    home.plugin("afar:greet", "alejo.commands", COMMAND)
    home.plugin("thief:chat", "alejo.commands", COMMAND.replace("greet", "chat"))
    assert home.run("greet").stdout == "hello from afar\n"
    assert "Greets." in home.run("--help").stdout
    assert "hello from afar" not in home.run("chat", lines="help\n").stdout


def test_a_broken_command_is_told_and_harms_nothing(home: Home) -> None:
    """A command that cannot be imported or is added twice says so when it is called; the others work."""
    home.plugin("broken:fail", "alejo.commands", "import nothing_of_that_name\n")
    home.plugin("one:twice", "alejo.commands", COMMAND.replace("greet", "twice"))
    home.plugin("two:twice", "alejo.commands", COMMAND.replace("greet", "twice"))
    listed = home.run("--help").stdout
    assert "(broken)" in listed
    told = home.run("fail", "--any", "argument", code=78).stderr
    assert "test-broken" in told
    assert "nothing_of_that_name" in told
    assert "pip install --force-reinstall test-broken" in told
    assert "test-one and test-two" in home.run("twice", code=78).stderr


def test_a_traceback_is_shown_only_when_asked_for(home: Home) -> None:
    """A failure is one sentence with what helps; with --debug, before or behind the command, it is a traceback."""
    home.plugin("bad:crash", "alejo.commands", COMMAND.replace("greet", "crash").replace("click.echo", "undefined"))
    told = home.run("crash", code=70).stderr
    assert "An unexpected NameError happened." in told
    arguments = [sys.executable, "-m", "alejo", "--debug", "crash"]
    done = subprocess.run(arguments, check=False, capture_output=True, text=True, env=home.environment)
    assert "Traceback" in done.stderr
    assert done.returncode == 1


def test_a_reader_that_leaves_is_no_accident(home: Home) -> None:
    """When the reader of a pipe closes it, nothing is said of it."""
    command = f"{sys.executable} -m alejo config show | true"
    done = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True, env=home.environment)
    assert "Broken" not in done.stderr
    assert "alejo: " not in done.stderr


def shell(home: Home, program: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", f'alejo() {{ {sys.executable} -m alejo "$@"; }}; {program}']
    return subprocess.run(command, check=False, capture_output=True, text=True, env=home.environment)


def test_what_cannot_be_written_is_told(home: Home) -> None:
    """When stdout takes nothing, that is said in a sentence, with the exit code of files that cannot be made."""
    done = shell(home, "alejo config show > /dev/full")
    assert "stdout cannot be written: No space left on device." in done.stderr
    assert done.returncode == 73


@pytest.mark.parametrize("arguments", ["keys add", "facts list", "forget --yes", "why", "mood --forget"])
def test_an_argument_that_is_no_text(home: Home, arguments: str) -> None:
    """Bytes that are not UTF-8 are refused as an argument that is wrong."""
    done = shell(home, f"alejo {arguments} $'a\\xff'")
    assert "not UTF-8" in done.stderr
    assert done.returncode == 65


def test_a_stream_that_is_closed_is_an_empty_one(home: Home) -> None:
    """Who starts a command without stdin, stdout or stderr has said nothing, and no file takes the stream's place."""
    done = shell(home, "alejo chat <&-; alejo chat <<< 'My dog is called Luna.' >&- 2>&-; alejo facts list <&-")
    assert "unexpected" not in done.stderr
    assert done.returncode == 0
    assert "Luna" in done.stdout
