"""Processes over real records are killed at random: what was acknowledged is worked through, and exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from alejo.queue.rows import SIGNS, WATERMARKS, mark_key
from alejo.storage.store import SYSTEM
from alejo.types import Scope

from ..proofs.size import size
from .storm import EFFECTS, KINDS, TURNS, open_queue

ROOT = Path(__file__).parents[2]
PATIENCE = 300.0  # seconds until a process that does nothing is taken for stuck


class Child:
    """A process of the storm and what it said."""

    def __init__(self, folder: Path, name: str, what: str) -> None:
        command = [sys.executable, "-m", "tests.queue.storm", str(folder), name, what, name]
        self.what = what
        self.lines: list[str] = []
        self._said = threading.Condition()
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with self._said:
                self.lines.append(line)
                self._said.notify()
        with self._said:
            self._said.notify()

    def kill_after(self, count: int) -> None:
        """Kills it once it said so many lines more."""
        with self._said:
            wanted = len(self.lines) + count
            self._said.wait_for(lambda: len(self.lines) >= wanted or self._process.poll() is not None, PATIENCE)
            assert len(self.lines) >= wanted, f"{self.what} said {len(self.lines)} lines and ended or hangs"
        self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout
        self._process.stdout.close()


@pytest.fixture
def children() -> Iterator[list[Child]]:
    alive: list[Child] = []
    yield alive
    for child in alive:
        child.kill()


async def test_nothing_is_lost_and_nothing_done_twice(tmp_path: Path, children: list[Child]) -> None:
    """Whatever is killed whenever, every acknowledged turn is worked through once by each processor."""
    seed = int(os.environ.get("ALEJO_SEED") or random.randrange(1 << 32))
    print(f"ALEJO_SEED={seed} repeats these choices")
    chance, acknowledged = random.Random(seed), list[str]()
    children += [Child(tmp_path, f"{seed}-{number}", what) for number, what in enumerate(("turns", "work", "work"))]
    for number in range(3, 3 + size(8, 500)):
        victim = chance.choice(children)
        await asyncio.to_thread(victim.kill_after, chance.randint(1, 60))
        children.remove(victim)
        acknowledged += victim.lines if victim.what == "turns" else []
        children.append(Child(tmp_path, f"{seed}-{number}", victim.what))
    for child in children:
        child.kill()
        acknowledged += child.lines if child.what == "turns" else []
    children.clear()
    assert acknowledged

    store, queue = open_queue(tmp_path)
    await queue.reap()
    while (depth := await queue.depth()).queued + depth.delayed + depth.running:
        for job in await queue.lease():
            writer, left = await store.writer(job.scope), await queue.left(job)
            for name, begin in left.items():
                writer.append(EFFECTS, (job.session_id, name, begin, job.to_seq))
            await queue.ack(writer, job, processors=left)
    told: dict[Scope, dict[str, int]] = defaultdict(dict)
    for line in acknowledged:
        user, session, seq = line.split()
        told[Scope("storm", user)][session] = int(seq)
    for scope, sessions in told.items():
        effects = [row.value for row in await store.scan(scope, EFFECTS, limit=1 << 20)]
        for session, last in sessions.items():
            turns = await store.scan(scope, TURNS, bytes.fromhex(session), limit=1 << 20)
            assert [row.value for row in turns] == list(range(1, len(turns) + 1))
            assert len(turns) >= last
            for name in KINDS["reflect"]:
                spans = sorted((begin, end) for each, by, begin, end in effects if (each, by) == (session, name))
                assert [seq for begin, end in spans for seq in range(begin, end + 1)] == list(range(1, len(turns) + 1))
                mark = await store.get(scope, WATERMARKS, mark_key(session, name))
                assert mark
                assert (mark.value.seq, mark.value.gaps) == (len(turns), ())
    assert await store.scan(SYSTEM, SIGNS) == []
    with contextlib.closing(queue._presence):
        await store.close()
