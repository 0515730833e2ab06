"""A real server in a process of its own, over folders of its own, that may be killed at any moment."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from alejo.client import Client

SECONDS = 30.0  # the longest anything here is waited for
# One connection for each client, and no call sent again behind a test's back.
_OPTIONS = (("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class House:
    """Folders, a port and at most one server. `log` is all that its processes wrote on stderr, a line each.

    `cpu` is what the last `start` used until it served, in seconds.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.site = folder / "site"
        self.data = folder / "data" / "alejo"
        self.log: list[str] = []
        self.cpu = 0.0
        self.environment = {
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join([str(self.site), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "ALEJO_SERVER_METRICS_ADDRESS": "",
            "ALEJO_DATA_MAP_SIZE_MB": "64",
            # Words of chance letters now and then look like these to who learned them from parts of words.
            "ALEJO_PLUGIN_EMOTION_OFF": "self_harm,violence,illegal",
        }
        self.environment |= {f"ALEJO_{name.upper()}": value for name, value in settings.items()}
        self.address = f"127.0.0.1:{free_port()}"
        self.environment["ALEJO_SERVER_ADDRESS"] = self.address
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    async def begin(self) -> None:
        """Starts the server's process and waits for nothing."""
        assert self._process is None, "one server at a time"
        self._ready = asyncio.Event()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "alejo",
            "serve",
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        self._reader = asyncio.create_task(self._read(self._process, self._ready))

    async def _read(self, process: asyncio.subprocess.Process, ready: asyncio.Event) -> None:
        assert process.stderr
        async for line in process.stderr:
            self.log.append(line.decode().rstrip("\n"))
            if line.startswith(b"ready"):
                ready.set()

    async def serving(self) -> None:
        """Waits until its health says over gRPC that it converses. Raises AssertionError with its log if it ended."""
        assert self._reader
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait({ready, self._reader}, timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        assert self._ready.is_set(), "the server did not start:\n" + "\n".join(self.log[-30:])
        async with grpc.aio.insecure_channel(self.address, options=_OPTIONS) as channel:
            request = health_pb2.HealthCheckRequest(service="alejo.v1.ChatService")
            reply = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=SECONDS, wait_for_ready=True)
        assert reply.status == health_pb2.HealthCheckResponse.SERVING

    async def start(self) -> float:
        """Starts the server and returns how many seconds it took until it served."""
        began = time.monotonic()
        await self.begin()
        await self.serving()
        self.cpu = self._cpu()
        return time.monotonic() - began

    def _cpu(self) -> float:
        """Seconds of CPU that the server has used."""
        assert self._process
        # proc_pid_stat(5): fields 14 and 15, counted from behind the command's name, which may hold blanks.
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """The bytes of memory that the server has for itself (RssAnon, which leaves out mapped files)."""
        assert self._process
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("RssAnon:")[2].split()[0]) << 10

    async def end(self, number: signal.Signals) -> int:
        """Sends a signal and returns the exit code."""
        assert self._process
        assert self._reader
        process, self._process = self._process, None
        if process.returncode is None:
            process.send_signal(number)
        async with asyncio.timeout(SECONDS):
            await process.wait()
            await self._reader
        assert process.returncode is not None
        return process.returncode

    async def kill(self) -> None:
        """SIGKILL."""
        await self.end(signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM, and all that it promises."""
        code = await self.end(signal.SIGTERM)
        assert code == 0, f"SIGTERM ended it with {code}:\n" + "\n".join(self.log[-30:])

    async def close(self) -> None:
        if self._process is not None:
            await self.kill()

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[grpc.aio.Channel]:
        async with grpc.aio.insecure_channel(self.address, options=_OPTIONS) as channel:
            yield channel

    @asynccontextmanager
    async def client(self, user: str, *, seconds: float = SECONDS) -> AsyncIterator[Client]:
        """A client over a connection of its own; `seconds` is each call's deadline."""
        async with self.channel() as channel:
            yield Client(channel, self.address, [("x-alejo-user", user)], seconds)

    def plugin(self, name: str, code: str, *, distribution: str = "") -> None:
        """Installs a distribution with one module. `name` is its entry point's."""
        distribution = distribution or name
        module = distribution.replace("-", "_")
        self.site.mkdir(exist_ok=True)
        (self.site / f"{module}.py").write_text(textwrap.dedent(code))
        info = self.site / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "RECORD").write_text(f"{module}.py,,{len(code)}\n")
        (info / "entry_points.txt").write_text(f"[alejo]\n{name} = {module}\n")
