"""Packages to measure against, in an environment beside ours: what they need never changes what we run with."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[3]


def attach(name: str) -> None:
    """Makes what benchmarks/requirements/NAME.txt lists importable in this process, after everything of our own.

    The first time, and after a change of the list, it is installed into .venv-peers/NAME. Whatever is imported from
    there runs in this process, so that a call of a peer costs what a call of ours does.
    """
    listed = ROOT / "benchmarks" / "requirements" / f"{name}.txt"
    if not listed.exists():
        raise click.ClickException("Peers are measured from a checkout, with the benches installed from it.")
    home = ROOT / ".venv-peers" / name
    stamp = home / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != listed.read_text():
        click.echo(f"installing the peers of {name} into {home}", err=True)
        venv.create(home, clear=True, with_pip=True)
        install = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", str(listed)]
        if subprocess.run(install, check=False).returncode:
            raise click.ClickException("The peers could not be installed; the lines above say why.")
        stamp.write_text(listed.read_text())
    sys.path += [str(path) for path in home.glob("lib/python*/site-packages")]
