"""`alejo doctor`: looks at everything a start needs, changes nothing, and says what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from alejo.errors import AlejoError

from . import options, output
from .exits import Exit

if TYPE_CHECKING:
    from .checks import Finding

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command("doctor")
@options.as_json
@options.data
@options.debug
def command(data: str | None, as_json: bool) -> int:
    """Check the data folder, key, ports, plugins and versions, and say what to do. Exit code 1 if a check fails."""
    findings = list(_examine(data))
    if as_json:
        click.echo(json.dumps([finding._asdict() for finding in findings], indent=2, ensure_ascii=False))
    else:
        for finding in findings:
            _print(finding)
    return Exit.FAILED if any(finding.level == "fail" for finding in findings) else Exit.OK


def _print(finding: Finding) -> None:
    level = click.style(f"{finding.level:<4}", fg=_COLOURS[finding.level])
    click.echo(f"{level}  {finding.check:<9}  {output.one_line(finding.text)}")
    if finding.hint:
        click.echo(f"{'':<17}Try: {output.one_line(finding.hint)}")


def _examine(data: str | None) -> Iterator[Finding]:
    """Every check in turn. One that raises what it should not is itself a failure that is told."""
    from . import checks  # noqa: PLC0415 - not needed to show --help

    def failed(check: str, error: AlejoError) -> Finding:
        return checks.Finding("fail", check, error.message, getattr(error, "hint", ""))

    try:
        settings = options.settings(data__path=data)
        options.log(settings, quiet=True)  # what is warned of is told as a finding
    except AlejoError as error:
        yield failed("settings", error)
        return
    for check in checks.ALL:
        try:
            yield from check(settings)
        except AlejoError as error:
            yield failed(check.__name__, error)
        except Exception as error:  # noqa: BLE001 - the other checks must still run; the failure is reported as one
            yield checks.Finding("fail", check.__name__, f"The check itself failed: {type(error).__name__}: {error}")
