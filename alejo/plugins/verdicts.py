"""The first import of a plugin happens in a child process; what came of it is kept, so that the next start is quick."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import platform
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from . import places, probe
from .discovery import Candidate, alejo_version
from .states import Refusal

FLOOD = 1 << 20
KEPT = 500
RETRY = 3600 * 1_000_000
_FILE_LINE = re.compile(r'File "([^"]+)", line (\d+)')


class Verdict(msgspec.Struct, frozen=True):
    """What a first import showed; an empty reason means that it went well. `at` is in µs since the epoch."""

    at: int
    reason: str = ""
    hint: str = ""
    environment: str = ""
    seconds: float = 0.0

    def check(self) -> None:
        """Raises Refusal when the import did not go well."""
        if self.reason:
            raise Refusal(self.reason, self.hint)


class Verdicts:
    """The verdicts on disk. A file that is missing, damaged or unwritable only costs time."""

    def __init__(self, path: Path, now: int, seconds: float) -> None:
        self._path = path
        self._now = now
        self._seconds = seconds
        self._environment = _environment()
        self._known = self._read()

    def find(self, key: str) -> Verdict | None:
        """What is known. A bad verdict is forgotten after an hour, with a longer budget or any change of packages."""
        verdict = self._known.get(key)
        if verdict is None or not verdict.reason:
            return verdict
        young = 0 <= self._now - verdict.at < RETRY
        same = verdict.environment == self._environment and verdict.seconds >= self._seconds
        return verdict if young and same else None

    def judge(self, candidate: Candidate) -> Verdict:
        """Imports the plugin in a child process. Blocks for at most the budget and a little; run it in a thread."""
        refusal = import_apart(candidate, self._seconds)
        reason, hint = (refusal.reason, refusal.hint) if refusal is not None else ("", "")
        return Verdict(self._now, reason, hint, self._environment, self._seconds)

    def keep(self, new: dict[str, Verdict]) -> None:
        """Writes the newest verdicts, all at once or not at all."""
        known = {**self._read(), **new}
        newest = sorted(known.items(), key=lambda item: item[1].at)[-KEPT:]
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._path.parent, prefix=".plugins-", delete=False) as file:
                file.write(msgspec.json.encode(dict(newest)))
            os.replace(file.name, self._path)

    def _read(self) -> dict[str, Verdict]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Verdict])
        except (OSError, msgspec.DecodeError):
            return {}


def key(candidate: Candidate) -> str:
    """What a verdict holds for: this code of this plugin under this Python and this ALEJO."""
    parts = (
        candidate.name,
        candidate.entry_point.value,
        candidate.distribution,
        candidate.version,
        _fingerprint(candidate),
        sys.prefix,
        platform.python_version(),
        alejo_version(),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _fingerprint(candidate: Candidate) -> str:
    dist = candidate.metadata
    record = dist.read_text("RECORD") if dist is not None else None
    direct = dist.read_text("direct_url.json") if dist is not None else None
    if record and not (direct and '"editable"' in direct):
        return record
    # An editable install's RECORD does not change with its sources; the times of its files do.
    return f"{record}{direct}" + "".join(_stamps(candidate.package))


def _stamps(package: str) -> list[str]:
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    files = [Path(spec.origin)] if spec.origin else []
    for folder in spec.submodule_search_locations or ():
        files += sorted(Path(folder).rglob("*.py"))
    stamps = []
    for file in files:
        with contextlib.suppress(OSError):
            stat = file.stat()
            stamps.append(f"{file}{stat.st_mtime_ns}{stat.st_size}")
    return stamps


def _environment() -> str:
    """The names of all installed distributions, which carry their versions."""
    names: list[str] = []
    for folder in sys.path:
        with contextlib.suppress(OSError):
            names += (n for n in os.listdir(folder or ".") if n.endswith((".dist-info", ".egg-info", ".pth")))
    return hashlib.sha256("\0".join(sorted(names)).encode()).hexdigest()


def import_apart(candidate: Candidate, seconds: float) -> Refusal | None:
    """Imports a plugin in a child process. Returns what is wrong with it, if anything is, within `seconds`."""
    report, write_end = os.pipe()
    task = {
        "path": [os.path.abspath(entry) for entry in sys.path],
        "module": candidate.entry_point.module,
        "attribute": candidate.entry_point.attr or "",
        "dump_at": time.monotonic() + seconds * 0.9,
        "report": write_end,
    }
    with open(report, "rb") as reader:
        try:
            child = subprocess.Popen(  # noqa: S603  this very interpreter runs our own file
                [sys.executable, "-P", probe.__file__, json.dumps(task)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(write_end,),
            )
        finally:
            os.close(write_end)
        with child:
            ending = _watch(child, seconds)
            # The group dies before the child is reaped, while its id cannot belong to anybody else.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            code = child.wait()
        os.set_blocking(reader.fileno(), False)
        return _refusal(candidate, ending, code, reader.read(1 << 16) or b"", seconds)


def _watch(child: subprocess.Popen[bytes], seconds: float) -> str:
    """Waits without reaping until the child "ended", wrote a "flood", or the "time" is over."""
    if child.stdout is None:
        raise AssertionError("the child's output is a pipe")
    deadline = time.monotonic() + seconds
    written = 0
    pidfd = os.pidfd_open(child.pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(pidfd, selectors.EVENT_READ)
            selector.register(child.stdout, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                ready = {selected.fd for selected, _ in selector.select(left)}
                if pidfd in ready:
                    return "ended"
                if child.stdout.fileno() in ready:
                    data = os.read(child.stdout.fileno(), 1 << 16)
                    written += len(data)
                    if written > FLOOD:
                        return "flood"
                    if not data:
                        selector.unregister(child.stdout)
        return "time"
    finally:
        os.close(pidfd)


def _refusal(candidate: Candidate, ending: str, code: int, report: bytes, seconds: float) -> Refusal | None:
    remove = f"pip uninstall {candidate.distribution}"
    if ending == "flood":
        return Refusal("It writes without end while it is imported.", remove)
    if ending == "time":
        place = _hanging_place(report.decode(errors="replace"), candidate.package)
        hint = f"{remove}, or give it more time with plugins.import_seconds"
        return Refusal(f"Its import did not end within {seconds:g} s{place}.", hint)
    if code < 0:
        return Refusal(f"Its import killed the process ({signal.Signals(-code).name}).", remove)
    try:
        # A slow import leaves its stack in the lines before the report.
        error = json.loads(report.rpartition(b"\n")[2])["error"]
    except (ValueError, KeyError):
        return Refusal(f"Its import ended the process (exit code {code}).", remove)
    return import_refusal(candidate, error) if error else None


def _hanging_place(stack: str, package: str) -> str:
    found = [(path, int(line)) for path, line in _FILE_LINE.findall(stack)]
    inside = [(path, line) for path, line in found if f"/{package}/" in path or path.endswith(f"/{package}.py")]
    return f" (it hangs at {places.short(*(inside or found)[0], package)})" if found else ""


def import_refusal(candidate: Candidate, error: str) -> Refusal:
    """The refusal of a plugin whose import raised, the same words in the child and in the host."""
    # Python adds the path of the module to some messages.
    text = re.sub(r" \(/[^)]*\)", "", error)
    return Refusal(f"Its import failed: {text}.", f'python -c "import {candidate.entry_point.module}" shows where.')
