"""`alejo plugins new` and `check`: for those who write a plugin."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from alejo.errors import StartupError

from . import options, output
from .exits import Exit

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
ROLES = (  # those of scaffold.ROLES; held by a test
    "brain",
    "command",
    "embedder",
    "emotion",
    "learner",
    "memory",
    "observer",
    "vision",
)


@click.command("new")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="command", show_default=True, help="What it shall be.")
@click.option("--in", "parent", type=click.Path(path_type=Path), default=Path(), help="Where its folder is made.")
@options.debug
def new(name: str, role: str, parent: Path) -> None:
    """Write a new plugin, complete with settings, test and README, into the folder alejo-NAME."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - not needed to show --help

    from . import scaffold  # noqa: PLC0415

    name = name.removeprefix("alejo-")
    if not _NAME.fullmatch(name):
        hint = (
            "Lower-case letters, digits and single hyphens, beginning with a letter: alejo plugins new coffee-machine"
        )
        raise StartupError(f"{name!r} is no name for a plugin.", hint=hint, exit_code=Exit.USAGE)
    if name in entry_points(group="alejo").names:
        why = f"A plugin {name} is installed already; of two that claim one name none is loaded."
        raise StartupError(why, hint="Choose another name.", exit_code=Exit.CANNOT_CREATE)
    folder = parent / f"alejo-{name}"
    try:
        folder.mkdir(parents=True)
        for path, text in scaffold.files(name, role).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, "utf-8")
    except FileExistsError:
        raise StartupError(
            f"{folder} is there already.", hint="Choose another name.", exit_code=Exit.CANNOT_CREATE
        ) from None
    except OSError as error:
        raise StartupError(f"{folder} cannot be written: {error.strerror}.", exit_code=Exit.CANNOT_CREATE) from None
    output.say(f"Written: {folder}")
    output.say(f"  Try: alejo plugins check {folder}, then pip install --editable {folder}")


@click.command("check")
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--import-seconds", type=float, default=1.0, show_default=True, help="How long its import may take at most."
)
@options.as_json
@options.debug
def check(path: Path, import_seconds: float, as_json: bool) -> int:
    """Check the plugin in a folder before it is published: what a server would refuse or suffer from.

    Looks at entry point, version range, import, hooks, settings, and calls each method: does it answer in time, leave
    its event loop free, and end when it is cancelled? Commands that act on the world are not called. Each failure names
    the file and what mends it. Exit code 1 if there is one.
    """
    from alejo.testing.check import check as find  # noqa: PLC0415 - loads the server's parts

    findings = []
    for finding in find(path, import_seconds=import_seconds):
        findings.append(finding)
        if not as_json:
            colour = "green" if finding.level == "ok" else "red"
            click.echo(
                f"{click.style(f'{finding.level:<4}', fg=colour)}  {finding.check}: {output.one_line(finding.text)}"
            )
            if finding.level != "ok":
                click.echo(f"      {finding.file}\n      Try: {finding.fix}")
    if as_json:
        rows = [{**finding._asdict(), "fix": finding.fix if finding.level != "ok" else ""} for finding in findings]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    failed = sum(finding.level != "ok" for finding in findings)
    if not as_json:
        output.say(f"{failed} of {len(findings)} checks failed." if failed else f"All {len(findings)} checks passed.")
    return Exit.FAILED if failed else Exit.OK
