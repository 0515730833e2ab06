"""Holds a server at a share of its full load and tells whether what it takes stays flat: scripts/soak.py [--minutes 15]

Users talk in sessions, recall, forget what was remembered and delete the session, so that as much is kept at the end as
at the beginning. The full load is measured first, with calls that wait for each other; then sessions begin at the given
share of that rate, whether or not the ones before have ended. Watched are the memory the server has for itself
(RssAnon), its descriptors, its threads and its readers of the data file. Exit code 1 if one of them grew. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import lmdb

from alejo.client import Client, connect
from alejo.types import Ask, Page

USERS = 8
TURNS = 6
SAMPLES = 90
MOST = 128  # sessions under way at once; where something else takes the machine, those beyond are left out, and told
SLACK = {"rss_mib": 3.0, "descriptors": 4, "threads": 2, "readers": 2}  # what is no growth, beside a share
SHARE = 0.03
# The first fifth is the server getting warm: its caches fill up to their bounds.
WARM = 0.2


class Sample(NamedTuple):
    """What a server takes at one moment."""

    at: float
    rss_mib: float
    descriptors: int
    threads: int
    readers: int


class Server:
    """A server over folders of its own, and what it takes."""

    def __init__(self, home: Path) -> None:
        self.environment = {"HOME": str(home), "PATH": os.environ["PATH"], "ALEJO_SERVER_METRICS_ADDRESS": ""}
        self.environment |= {"ALEJO_SERVER_ADDRESS": "127.0.0.1:0", "ALEJO_LOG_LEVEL": "warning"}
        self.data = home / ".local" / "share" / "alejo"
        self.target = f"unix:{self.data / 'alejo.sock'}"
        command = [sys.executable, "-m", "alejo", "serve"]
        self._process = subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE, text=True)
        stderr = self._process.stderr or ()
        said: list[str] = []
        for line in stderr:
            said.append(line)
            if line.startswith("ready"):
                break
        else:
            sys.exit("The server did not start.\n" + "".join(said))
        # A pipe that nobody reads would hold it up once it is full.
        threading.Thread(target=lambda: said.extend(stderr), daemon=True).start()
        # Its own map, never a transaction: it only asks who reads.
        self._records = lmdb.open(str(self.data / "records"), readonly=True, create=False)

    def sample(self) -> Sample:
        """What it takes now."""
        place = Path("/proc", str(self._process.pid))
        status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
        readers = [line.split() for line in self._records.readers().splitlines()]
        return Sample(
            time.monotonic(),
            int(status["RssAnon"].split()[0]) / 1024,
            len(os.listdir(place / "fd")),
            int(status["Threads"]),
            sum(line[:1] == [str(self._process.pid)] for line in readers),
        )

    def stop(self) -> int:
        """Ends it; returns its exit code."""
        self._records.close()
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)


@contextmanager
def server() -> Iterator[Server]:
    """A server for the length of a block."""
    with tempfile.TemporaryDirectory() as folder:
        one = Server(Path(folder))
        try:
            yield one
        finally:
            code = one.stop()
        if code:
            sys.exit(f"The server ended with {code}.")


class Load:
    """The sessions of the users. `latencies` are those of turns, in seconds."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self._clients = clients
        self._number = 0
        self.latencies: list[float] = []
        self.sessions = 0
        self.skipped = 0

    async def session(self) -> None:
        """One session from its beginning to its end, after which nothing of it is kept."""
        self._number += 1
        number = self._number
        client = self._clients[number % len(self._clients)]
        session, _ = await client.create_session(title=f"Trip {number}")
        for turn in range(TURNS):
            text = f"Who paints boat {number}?" if turn % 3 == 2 else f"My cousin {number} of {turn} paints boats."
            began = time.perf_counter()
            await client.chat(Ask(text, session.id))
            self.latencies.append(time.perf_counter() - began)
        hits, _ = await client.recall(f"cousin {number}", Page(100))
        mine = [hit.memory.id for hit in hits if hit.memory.session_id == session.id]
        if mine:
            await client.forget(mine)
        await client.delete_session(session.id)
        self.sessions += 1

    async def closed(self, seconds: float) -> float:
        """All users one session after the other; returns sessions per second."""

        async def user(end: float) -> None:
            while time.monotonic() < end:
                await self.session()

        began, before = time.monotonic(), self.sessions
        await asyncio.gather(*(user(began + seconds) for _ in self._clients))
        return (self.sessions - before) / (time.monotonic() - began)

    async def paced(self, rate: float, seconds: float) -> int:
        """Begins `rate` sessions a second for so long; returns the most that were under way at once."""
        under_way: set[asyncio.Task[None]] = set()
        begun, most, began = 0, 0, time.monotonic()
        while (now := time.monotonic() - began) < seconds:
            while begun < now * rate:
                begun += 1
                if len(under_way) < MOST:
                    under_way.add(asyncio.create_task(self.session()))
                else:
                    self.skipped += 1
            most = max(most, len(under_way))
            await asyncio.wait(under_way, timeout=1 / rate) if under_way else await asyncio.sleep(1 / rate)
            for task in [task for task in under_way if task.done()]:
                under_way.discard(task)
                task.result()
        await asyncio.gather(*under_way)
        return most


async def watch(one: Server, samples: list[Sample], every: float) -> None:
    """Takes a sample every so many seconds, until it is cancelled."""
    while True:
        samples.append(one.sample())
        await asyncio.sleep(every)


def judged(samples: Sequence[Sample]) -> dict[str, tuple[float, float, bool]]:
    """For each figure its median in the fifth after the warm one and in the last, and whether it grew."""
    fifth = max(1, len(samples) // 5)
    warm = int(len(samples) * WARM)
    verdicts = {}
    for name, slack in SLACK.items():
        early = statistics.median(getattr(one, name) for one in samples[warm : warm + fifth])
        late = statistics.median(getattr(one, name) for one in samples[-fifth:])
        verdicts[name] = (early, late, late > early * (1 + SHARE) + slack)
    return verdicts


async def soak(minutes: float, share: float) -> dict[str, object]:
    """Runs it; returns the figures."""
    seconds = minutes * 60
    with server() as one:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connect(one.target, user=f"user-{n}")) for n in range(USERS)]
            load = Load(clients)
            full = await load.closed(min(20.0, max(2.0, seconds / 10)))
            load.latencies.clear()
            samples: list[Sample] = []
            watching = asyncio.create_task(watch(one, samples, seconds / SAMPLES))
            most = await load.paced(full * share, seconds)
            watching.cancel()
            latencies = sorted(load.latencies)
            verdicts = judged(samples)
            return {
                "minutes": minutes,
                "full_turns_per_second": round(full * TURNS, 1),
                "held_turns_per_second": round(len(latencies) / seconds, 1),
                "turns": len(latencies),
                "sessions_under_way_at_most": most,
                "sessions_left_out": load.skipped,
                "turn_p50_ms": round(latencies[len(latencies) // 2] * 1000, 2),
                "turn_p99_ms": round(latencies[len(latencies) * 99 // 100] * 1000, 2),
                **{
                    name: {"early": round(early, 1), "late": round(late, 1), "grew": grew}
                    for name, (early, late, grew) in verdicts.items()
                },
                "rss_mib_over_time": [round(each.rss_mib, 1) for each in samples[:: max(1, len(samples) // 15)]],
            }


def main() -> int:
    """Measures and prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=15.0, help="how long (default 15)")
    parser.add_argument("--share", type=float, default=0.8, help="which share of the full load (default 0.8)")
    given = parser.parse_args()
    figures = asyncio.run(soak(given.minutes, given.share))
    print(json.dumps(figures, indent=2))
    return int(any(isinstance(one, dict) and one["grew"] for one in figures.values()))


if __name__ == "__main__":
    sys.exit(main())
