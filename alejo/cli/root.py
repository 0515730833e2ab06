"""The group of commands: ours by name, imported when they run; those of other distributions by entry point."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from alejo import __version__
from alejo.errors import AlejoError, InvalidArgument, StartupError

from . import exits, output

ENTRY_POINTS = "alejo.commands"
MODULES = {
    "backup": "backup",
    "chat": "chat",
    "compact": "compacting",
    "completion": "completion",
    "config": "config",
    "doctor": "doctor",
    "erase": "erasing",
    "export": "exporting",
    "facts": "facts",
    "feedback": "feedback",
    "forget": "forgetting",
    "help": "guide",
    "import": "importing",
    "jobs": "jobs",
    "keys": "keys",
    "learn": "learn",
    "learning": "learning",
    "memories": "memories",
    "mood": "mood",
    "plugins": "plugins",
    "preferences": "preferences",
    "reflect": "reflecting",
    "reminders": "reminders",
    "restore": "restore",
    "see": "seeing",
    "serve": "serve",
    "sessions": "sessions",
    "why": "why",
}


class Commands(click.Group):
    """Finds a command by name without importing the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Our names and those of other distributions, sorted."""
        return sorted({*MODULES, *(point.name for point in _foreign())})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command by that name. A broken one of another distribution says so when it is called."""
        if cmd_name in MODULES:
            command: click.Command = importlib.import_module(f"alejo.cli.{MODULES[cmd_name]}").command
            return command
        points = [point for point in _foreign() if point.name == cmd_name]
        if not points:
            return None
        if len(points) > 1:
            names = " and ".join(sorted(_distribution(point) for point in points))
            return _broken(cmd_name, f"It is added twice, by {names}.", f"pip uninstall one of {names}")
        return _load(points[0])


def _foreign() -> list[Any]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - costs 30 ms, which our own commands need not pay

    return [point for point in entry_points(group=ENTRY_POINTS) if point.name not in MODULES]


def _distribution(point: Any) -> str:
    return str(point.dist.name) if point.dist else "an unknown distribution"


def _load(point: Any) -> click.Command:
    name = _distribution(point)
    try:
        command = point.load()
    except Exception as error:  # noqa: BLE001 - another's import may raise anything; the command says so when called
        why = f"The distribution {name} that adds it cannot be imported ({type(error).__name__}: {error})."
        return _broken(point.name, why, f"pip install --force-reinstall {name}")
    if not isinstance(command, click.Command):
        return _broken(point.name, f"The distribution {name} names something that is no command.", "")
    return command


def _broken(name: str, why: str, hint: str) -> click.Command:
    def fail() -> None:
        raise StartupError(f"The command {name} does not work. {why}", hint=hint, exit_code=exits.Exit.CONFIGURATION)

    settings = {"ignore_unknown_options": True, "allow_extra_args": True}
    return click.Command(name, callback=fail, short_help=f"(broken) {why}", context_settings=settings)


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        click.echo(f"alejo {__version__}")
        context.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def alejo(context: click.Context, debug: bool) -> None:
    """A self-hosted assistant that remembers. Exit codes: alejo help exit-codes."""
    context.obj = {"debug": debug}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and ends the process."""
    _fill_streams()
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def _fill_streams() -> None:
    """Puts an empty stream where stdin, stdout or stderr is closed: the next file to be opened would take its place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - for the rest of the process


def run(arguments: list[str]) -> int:
    """Runs the command line; returns the exit code."""
    try:
        return int(alejo.main(arguments, prog_name="alejo", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return exits.Exit.INTERRUPTED
    except BrokenPipeError:  # the reader left (alejo … | head)
        _drop_output()
        return exits.Exit.FAILED
    except Exception as error:
        if "--debug" in arguments:
            raise
        return _refused(error, arguments)


def _drop_output() -> None:
    """Lets what Python still holds for stdout go nowhere: it must not raise again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refused(error: Exception, arguments: list[str]) -> int:
    """Says what went wrong, and what helps; returns the exit code."""
    from alejo.storage.disk import NO_ROOM  # noqa: PLC0415 - only where something went wrong

    if isinstance(error, UnicodeEncodeError) and any("\udc80" <= each <= "\udcff" for each in "".join(arguments)):
        error = InvalidArgument("An argument is not UTF-8.")
    elif isinstance(error, OSError) and (error.filename is not None or error.errno in NO_ROOM):
        what = f"{error.filename} cannot be used"
        if error.filename is None:
            _drop_output()
            what = "stdout cannot be written"
        why = f"{what}: {error.strerror}."
        error = StartupError(
            why, hint="Name a place that you may write, with room.", exit_code=exits.Exit.CANNOT_CREATE
        )
    if isinstance(error, AlejoError):
        output.report(error, "the same command with --help, which says what it takes")
        return exits.code(error)
    output.say(f"alejo: An unexpected {type(error).__name__} happened.", fg="red")
    output.say("  Try: the same command with --debug, which shows where")
    return exits.Exit.INTERNAL
