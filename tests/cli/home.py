"""A user of their own for a test: folders, ports, the command line as real processes, and plugins made for it."""

from __future__ import annotations

import base64
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import textwrap
import time
import venv
from pathlib import Path
from typing import Any

SECONDS = 20.0
# What a terminal is told and a reader does not see: colours, cursor moves, titles, modes.
_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07|[()][A-Z0-9]|[=>])")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


# A red picture of nine by nine pixels.
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAkAAAAJCAIAAABv85FHAAAAEUlEQVR42mP8z4ATMDEMbzkAA+wBEXeSMCcAAAAASUVORK5CYII="
)


class Home:
    """An empty home. `environment` may be changed before a process is started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = sys.executable
        self.port = free_port()
        self.site = folder / "site"
        self.config = folder / "config" / "alejo"
        self.data = folder / "data" / "alejo"
        self.key = self.config / "key"
        self.socket = self.data / "alejo.sock"
        self.environment = {
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            "TZ": "UTC",
            "PROMPT_TOOLKIT_NO_CPR": "1",
            "PYTHONPATH": os.pathsep.join([str(self.site), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "ALEJO_SERVER_ADDRESS": f"127.0.0.1:{self.port}",
            "ALEJO_SERVER_METRICS_ADDRESS": "",
        }
        self._running: list[subprocess.Popen[str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *arguments: str, lines: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end, with `lines` on stdin, and checks its exit code."""
        done = subprocess.run(
            [self.python, "-m", "alejo", *arguments],
            check=False,
            input=lines,
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=SECONDS,
        )
        assert done.returncode == code, f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts a command whose stdin stays open."""
        process = subprocess.Popen(
            [self.python, "-m", "alejo", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=self.environment,
        )
        self._running.append(process)
        return process

    def serve(self, *arguments: str) -> tuple[subprocess.Popen[str], list[str]]:
        """Starts a server and returns it with its banner once it is ready."""
        process = self.start("serve", *arguments)
        banner: list[str] = []
        assert process.stderr
        for line in process.stderr:
            banner.append(line.rstrip("\n"))
            if line.startswith("ready"):
                return process, banner
        raise AssertionError(f"no server: {banner}")

    def close(self) -> None:
        for process in self._running:
            process.kill()
            process.communicate()

    def own_environment(self) -> Path:
        """Gives the processes a Python environment that may be installed into; returns its site-packages."""
        folder = self.folder / "environment"
        venv.create(folder, symlinks=True)
        self.python = str(folder / "bin" / "python")
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "here.pth").write_text("".join(f"{path}\n" for path in sys.path if path))
        return site

    def plugin(self, name: str, group: str, code: str, *, distribution: str = "", editable: Path | None = None) -> None:
        """Installs a distribution with one module, whose entry point is the module or, after a colon, an object.

        With `editable` the module stays in that folder, as `pip install -e` leaves it.
        """
        module, _, attribute = name.partition(":")
        distribution = distribution or f"test-{module}"
        self.site.mkdir(exist_ok=True)
        source = editable or self.site
        source.mkdir(exist_ok=True)
        (source / f"{module}.py").write_text(textwrap.dedent(code))
        if editable:
            (self.site / f"{distribution}.pth").write_text(f"{editable}\n")
        metadata = self.site / f"{distribution.replace('-', '_')}-1.0.dist-info"
        metadata.mkdir()
        target = f"{module}:{attribute}" if attribute else module
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (metadata / "RECORD").write_text("")
        (metadata / "entry_points.txt").write_text(f"[{group}]\n{attribute or module} = {target}\n")

    def slow_brain(self) -> Path:
        """Puts in the brain's place one that says "One.", waits for the returned file to be made, and says "two"."""
        gate = self.folder / "gate"
        self.plugin(
            "slow",
            "alejo",
            f"""
            import asyncio
            from pathlib import Path
            from alejo.hooks import hookimpl

            class Slow:
                async def respond(self, turn):
                    yield "One. "
                    while not Path({str(gate)!r}).exists():
                        await asyncio.sleep(0.01)
                    yield "two"

            @hookimpl
            def alejo_register_brain(settings):
                return Slow()
            """,
        )
        self.environment |= {"ALEJO_PLUGINS_DISABLED": "brain", "ALEJO_PLUGINS_CALL_SECONDS": "60"}
        return gate


def said(process: subprocess.Popen[str], line: str) -> str:
    """Says a line to a chat and returns its answer."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(line + "\n")
    answer = process.stdout.readline()
    assert answer, process.communicate()[1]
    return answer.rstrip("\n")


class Terminal:
    """A chat at a terminal of 100 columns. `text` is what was shown since it was last cut, without escapes."""

    def __init__(self, home: Home, *arguments: str) -> None:
        command = [sys.executable, "-m", "alejo", "chat", *arguments]
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, home.environment | {"COLUMNS": "100", "LINES": "40"})  # noqa: S606
        self._raw = b""

    @property
    def text(self) -> str:
        return _ESCAPES.sub("", self._raw.decode("utf-8", "replace"))

    @property
    def raw(self) -> bytes:
        return self._raw

    def type(self, keys: str) -> None:
        self._raw = b""
        os.write(self._file, keys.encode())

    def expect(self, words: str) -> str:
        """Waits until the words are shown. Raises AssertionError with what was shown instead."""
        deadline = time.monotonic() + SECONDS
        while words not in self.text:
            assert self._more(deadline), f"{words!r} was not shown, but {self.text!r}"
        return self.text

    def prompt(self) -> str:
        """Waits for the next prompt, which stands alone on the last line."""
        deadline = time.monotonic() + SECONDS
        while not self.text.rstrip(" ").endswith("\nyou >"):
            assert self._more(deadline), f"no prompt was shown, but {self.text!r}"
        return self.text

    def end(self) -> int:
        """Waits for the process and returns its exit code. Raises AssertionError if it does not end."""
        deadline = time.monotonic() + SECONDS
        while self._more(deadline):
            pass
        assert time.monotonic() < deadline, f"it did not end, but showed {self.text!r}"
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._file)
        self.pid = 0
        return code

    def _more(self, deadline: float) -> bool:
        """Reads what is shown next; False at the end or the deadline."""
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self._file], [], [], left)[0]:
            return False
        try:
            chunk = os.read(self._file, 4096)
        except OSError:  # Linux says EIO when the last process has left
            return False
        self._raw += chunk
        return bool(chunk)

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            self.end()
