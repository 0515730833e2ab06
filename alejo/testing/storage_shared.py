"""The levels durable and many-process: what holds beyond one process, and the processes that show it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import subprocess
import sys
from typing import Any

from alejo.errors import Conflict
from alejo.storage import Append, Delete, Expect, Operation, Put, Storage

from .conformance import Subject, level, same


@level("durable")
async def reopening_keeps(subject: Subject) -> None:
    """Closed and opened again, records, versions and the sequence go on where they were."""
    async with subject.open() as storage:
        await storage.commit([Put("t", b"gone", b"")])
        await storage.commit([Delete("t", b"gone"), Put("t", b"a", b"1")])
        last = await storage.commit([Put("t", b"b", b"2"), Append("log", b"", lambda key: key)])
        before = [await storage.scan(table, b"") for table in ("t", "log")]
    async with subject.open() as storage:
        same([await storage.scan(table, b"") for table in ("t", "log")], before)
        same(await storage.commit([Put("t", b"c", b"")]) > last, True)


@level("durable")
async def killed_process_keeps(subject: Subject) -> None:
    """What a process acknowledged is there after it was killed at any moment, each batch whole."""
    acknowledged: dict[bytes, int] = {}
    for round_ in range(3):
        with subject.child("write", f"{round_}-", "8") as process:
            for line in _lines(process, 40 + 30 * round_):
                key, sequence = line.split()
                acknowledged[key.encode()] = int(sequence)
            process.kill()
            for line in _lines(process, -1):  # said before it died
                if line.endswith("\n") and len(parts := line.split()) == 2:
                    acknowledged[parts[0].encode()] = int(parts[1])
        async with subject.open() as storage:
            rows = {record.key: record for record in await storage.scan("t", b"", limit=1 << 20)}
            twins = {record.key: record for record in await storage.scan("u", b"", limit=1 << 20)}
        same({key: rows[key].version if key in rows else None for key in acknowledged}, acknowledged)
        same({key: row.version for key, row in rows.items()}, {key: row.version for key, row in twins.items()})


@level("many-process")
async def processes_share(subject: Subject) -> None:
    """Processes that write at once get different numbers, see each other's commits, and lose none."""
    acknowledged: dict[bytes, int] = {}
    async with subject.open() as storage:
        with contextlib.ExitStack() as stack:
            processes = [stack.enter_context(subject.child("write", f"{number}-", "4")) for number in range(3)]
            for process in processes:
                for line in _lines(process, 60):
                    key, sequence = line.split()
                    acknowledged[key.encode()] = int(sequence)
                    row = await storage.get("t", key.encode())
                    same(row and row.version, int(sequence))
                mine = await storage.commit([Put("mine", b"k", b"")])
                same(mine > max(acknowledged.values()), True)
    same(len(set(acknowledged.values())), len(acknowledged))


@level("many-process")
async def processes_count(subject: Subject) -> None:
    """A counter raised by several processes under Expect loses no step."""
    with contextlib.ExitStack() as stack:
        for process in [stack.enter_context(subject.child("count", "25")) for _ in range(3)]:
            same(process.wait(), 0)
    async with subject.open() as storage:
        row = await storage.get("t", b"n")
    same(row and row.value, b"75")


def _lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None  # noqa: S101  # made with a pipe
    if count < 0:
        return list(process.stdout)
    lines = [process.stdout.readline() for _ in range(count)]
    if not lines[-1]:
        raise AssertionError("the child process ended early")
    return lines


async def _write(storage: Storage, name: str, workers: str) -> None:
    async def work(worker: int) -> None:
        number = 0
        while True:
            key = f"{name}{worker}-{number:06d}"
            batch: list[Operation] = [
                Expect("t", key.encode(), None),
                Put("t", key.encode(), b"v" * 200),
                Put("u", key.encode(), b""),
            ]
            sequence = await storage.commit(batch)
            os.write(1, f"{key} {sequence}\n".encode())  # one call: a killed process leaves no half line behind it
            number += 1

    await asyncio.gather(*(work(worker) for worker in range(int(workers))))


async def _count(storage: Storage, steps: str) -> None:
    left = int(steps)
    while left:
        row = await storage.get("t", b"n")
        value = int(row.value) if row else 0
        with contextlib.suppress(Conflict):
            expect = Expect("t", b"n", row.version if row else None)
            await storage.commit([expect, Put("t", b"n", b"%d" % (value + 1))])
            left -= 1


def child() -> None:
    """What a child process of the suite runs; its arguments are those of `Subject.child`."""
    worker, opener, argument, *arguments = sys.argv[1:]
    module, _, name = opener.partition(":")
    target: Any = importlib.import_module(module)
    for part in name.split("."):
        target = getattr(target, part)

    async def run() -> None:
        storage = target(argument)
        await {"write": _write, "count": _count}[worker](storage, *arguments)  # type: ignore[operator]
        await storage.close()

    asyncio.run(run())
