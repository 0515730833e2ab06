"""Packages to measure against, in an environment beside ours: what they need never changes what we run with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from types import TracebackType
from typing import Any

import click

import alejo

ROOT = Path(__file__).resolve().parents[3]
_ALEJO = Path(alejo.__file__).resolve().parent.parent


def attach(name: str) -> None:
    """Makes what benchmarks/requirements/NAME.txt lists importable in this process, after everything of our own.

    Whatever is imported from there runs in this process, so that a call of a peer costs what a call of ours does.
    """
    home, missing = install(name)
    if missing:
        raise click.ClickException(
            f"These peers could not be installed: {', '.join(missing)}; the lines above say why."
        )
    sys.path += [str(path) for path in home.glob("lib/python*/site-packages")]


def install(name: str) -> tuple[Path, list[str]]:
    """The environment .venv-peers/NAME, and which of the packages it shall have could not be installed.

    It is made the first time and after a change of the list; packages that do not fit the others are tried alone.
    """
    listed = ROOT / "benchmarks" / "requirements" / f"{name}.txt"
    if not listed.exists():
        raise click.ClickException("Peers are measured from a checkout, with the benches installed from it.")
    home = ROOT / ".venv-peers" / name
    stamp = home / "requirements.txt"
    if stamp.exists() and stamp.read_text() == listed.read_text():
        return home, []
    click.echo(f"installing the peers of {name} into {home}", err=True)
    venv.create(home, clear=True, with_pip=True)
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    if not subprocess.run([*pip, "-r", str(listed)], check=False).returncode:
        stamp.write_text(listed.read_text())
        return home, []
    wanted = listed.read_text().split()
    return home, [each for each in wanted if subprocess.run([*pip, each], check=False).returncode]


class Failed(Exception):
    """A peer that cannot be measured here; the message says why."""


class Peer:
    """One system in a child process of its own, over a folder; see `peer_child`. `home` is its Python environment.

    Without a folder it has one that is gone at the end. Raises Failed when it does not start, or does not do what it is
    asked. `started` are the bytes of memory it held at first.
    """

    def __init__(
        self, name: str, home: Path, environment: dict[str, str] | None = None, folder: Path | None = None
    ) -> None:
        self.name = name
        self._own = tempfile.TemporaryDirectory(prefix="alejo-bench-", ignore_cleanup_errors=True)
        self.folder = folder or Path(self._own.name, "data")
        self.folder.mkdir(exist_ok=True)
        self._log = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - `close` closes it
        self._process = subprocess.Popen(
            [home / "bin" / "python", "-P", Path(__file__).with_name("peer_child.py"), name, self.folder, _ALEJO],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **(environment or {})},
            text=True,
        )
        try:
            born = self._answer()
        except Failed:
            self.close()
            raise
        self.version, self.started = str(born["version"]), int(born["bytes"])

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """The answer to a request."""
        assert self._process.stdin is not None  # noqa: S101 - it was opened above
        try:
            self._process.stdin.write(json.dumps({"do": do, **request}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Failed("it ended") from None
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            said = self._log.read().strip().splitlines()
            raise Failed(f"it ended ({said[-1] if said else 'without a word'})")
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            raise Failed(str(answer["failed"]).partition("\n")[0])
        return answer

    @property
    def disk(self) -> int:
        """The bytes its folder takes on disk."""
        return sum(path.lstat().st_blocks * 512 for path in self.folder.rglob("*"))

    def close(self) -> None:
        """Ends it."""
        self._process.communicate()
        self._log.close()
        self._own.cleanup()

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def leave_out(name: str, why: object) -> None:
    """Says that a peer is not among the measured, and why."""
    click.echo(f"not measured: {name}: {why}", err=True)
