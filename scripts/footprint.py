"""Measures what a server takes that nobody talks to: scripts/footprint.py [--idle SECONDS] [--json FILE]

In an environment of its own, holding only the server and its four plugins: the size on disk, the first start ever (the
plugins are looked at in a child process), warm starts, and the memory and processor time of an idle server. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
from alejo_bench.report import row, show, write_json
from grpc_health.v1 import health_pb2, health_pb2_grpc

from alejo import __version__

ROOT = Path(__file__).resolve().parent.parent
WARM_STARTS = 5
DEADLINE = 60.0  # seconds for a start


def install(folder: Path) -> Path:
    """An environment with the server and its plugins; returns its folder of programs."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, str(ROOT), *map(str, sorted(ROOT.glob("plugins/*/")))], check=True)
    return folder / "bin"


def size(folder: Path) -> int:
    """The bytes a folder takes on disk, links not followed."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


@contextlib.contextmanager
def server(programs: Path, home: Path) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """A server and the seconds from its birth to the first health check that says SERVING."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "ALEJO_SERVER_ADDRESS": address}
    environment["ALEJO_SERVER_METRICS_ADDRESS"] = ""
    born = time.perf_counter()
    with (home / "log").open("ab") as log:
        process = subprocess.Popen([programs / "alejo", "serve"], env=environment, stdout=log, stderr=log)
    try:
        yield process, _serving(process, address, home / "log") - born
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE)


def _serving(process: subprocess.Popen[bytes], address: str, log: Path) -> float:
    host, _, port = address.rpartition(":")
    until = time.perf_counter() + DEADLINE
    while time.perf_counter() < until and process.poll() is None:
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            time.sleep(0.002)
            continue
        with grpc.insecure_channel(address) as channel:
            request = health_pb2.HealthCheckRequest()
            if health_pb2_grpc.HealthStub(channel).Check(request, timeout=DEADLINE).status == 1:
                return time.perf_counter()
    sys.exit(f"The server did not start.\n{log.read_text()}")


def anonymous(pid: int) -> int:
    """The bytes of memory a process has for itself (RssAnon)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


def processor(pid: int) -> float:
    """The seconds of processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measures, and prints what `alejo bench` would."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--idle", type=float, default=30.0, help="seconds over which the idle server is watched")
    parser.add_argument("--json", type=Path, help="write the figures as JSON lines")
    arguments = parser.parse_args()
    found: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        home.mkdir()
        programs = install(Path(folder, "environment"))
        found["environment_mb", "MB"] = [size(programs.parent) / 1e6]
        with server(programs, home) as (_, seconds):
            found["first_start_s", "s"] = [seconds]
        warm = found["warm_start_s", "s"] = []
        for _ in range(WARM_STARTS):
            with server(programs, home) as (_, seconds):
                warm.append(seconds)
        with server(programs, home) as (process, _):
            time.sleep(min(arguments.idle, 5.0))  # what starting left to do is no idling
            before, began = processor(process.pid), time.perf_counter()
            time.sleep(arguments.idle)
            share = (processor(process.pid) - before) / (time.perf_counter() - began)
            found["idle_rss_anon_mb", "MB"] = [anonymous(process.pid) / 1e6]
            found["idle_cpu_percent", "%"] = [share * 100]
    rows = [row("footprint", "server", "alejo", __version__, *name, rounds) for name, rounds in found.items()]
    show(rows)
    if arguments.json is not None:
        write_json(rows, arguments.json)


if __name__ == "__main__":
    main()
