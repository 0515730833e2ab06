"""What it costs to have one memory acknowledged, beside bare py-lmdb on the same disk, in turns.

durable_p50_ms   case `1`: one writer. Of `alejo` a remember, of `lmdb` a commit of the very rows that one makes, of
                 `fdatasync` a page written and synced
durable_s        case `64`: acknowledged a second, 64 writers, each of a user of its own. `lmdb` puts the same rows, of
                 as many users, in transactions of as many as `alejo` had in one, from one thread
group            case `64`: how many remembers went in one transaction
"""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from statistics import median

import click
import lmdb

import alejo
from alejo import __version__
from alejo.types import MemoryDraft, Scope

from . import memory_texts, plans
from .report import Row, row

WRITERS = 64
_MAP = 1 << 32

Rows = list[tuple[bytes, bytes]]


def run(rounds: int, count: int) -> list[Row]:
    """Every figure, of so many memories of each writer in a round."""
    click.echo(f"memory: acknowledged one by one, {rounds} rounds", err=True)
    with tempfile.TemporaryDirectory(prefix="alejo-bench-") as folder:
        (Path(folder) / "first").mkdir()
        (Path(folder) / "alejo").mkdir()
        asyncio.run(_remembered(Path(folder) / "first"))
        with Bare(Path(folder) / "bare", _made(Path(folder) / "first" / "data" / "records")) as bare:
            return asyncio.run(_rounds(Path(folder) / "alejo", bare, rounds, count))


async def _remembered(folder: Path) -> None:
    """A few remembers, whose rows are looked at."""
    chosen, _ = plans.settings(folder)
    async with alejo.open(settings=chosen) as assistant:
        for text in memory_texts.memories("first", 32):
            await assistant.memories.remember(Scope("bench", "first"), MemoryDraft(text))


def _made(place: Path) -> list[Rows]:
    """The rows of each remember: every stored value begins with the number of its commit."""
    found: defaultdict[bytes, Rows] = defaultdict(list)
    with lmdb.open(str(place), readonly=True, lock=False) as environment, environment.begin() as transaction:
        for key, value in transaction.cursor():
            if not key.startswith(b"\0"):
                found[value[:8]].append((key, value))
    rows = list(found.values())
    usual = median(map(len, rows))
    return [each for each in rows if len(each) == usual]


class Bare:
    """py-lmdb with its defaults, as ALEJO uses it, given the same rows under ever new keys, of each user in turn.

    A key is a table's name, NUL, tenant and user (16 bytes each), and what is of the row.
    """

    def __init__(self, place: Path, rows: Sequence[Rows]) -> None:
        self._environment = lmdb.open(str(place), map_size=_MAP)
        self._rows = itertools.cycle(rows)
        self._number = itertools.count()
        self._page = (place.parent / "page").open("wb", buffering=0)

    def commit(self, remembers: int, users: int = 1) -> None:
        """The rows of so many remembers in one transaction."""
        with self._environment.begin(write=True) as transaction:
            for _ in range(remembers):
                number = next(self._number)
                user, mark = blake2b(bytes([number % users]), digest_size=16).digest(), number.to_bytes(8, "big")
                for key, value in next(self._rows):
                    place = key.index(0) + 17
                    transaction.put(key[:place] + user + mark + key[place + 16 :], value)

    def sync(self) -> None:
        """A page, written over the last one, and synced."""
        os.pwrite(self._page.fileno(), os.urandom(4096), 0)
        os.fdatasync(self._page.fileno())

    def __enter__(self) -> Bare:
        return self

    def __exit__(self, *_: object) -> None:
        self._page.close()
        self._environment.close()


async def _rounds(folder: Path, bare: Bare, rounds: int, count: int) -> list[Row]:
    found: defaultdict[tuple[str, str, str, str], list[float]] = defaultdict(list)
    chosen, _ = plans.settings(folder)
    texts = iter(memory_texts.memories("writers", (rounds + 1) * count * (1 + WRITERS)))
    async with alejo.open(settings=chosen) as assistant:
        for number in range(rounds + 1):
            one = [next(texts) for _ in range(count)]
            taken = await _alone(assistant, bare, one)
            groups = assistant.storage.stats()["groups"]  # type: ignore[attr-defined]
            many = [[next(texts) for _ in range(count)] for _ in range(WRITERS)]
            ours = await _together(assistant, many)
            group = WRITERS * count / (assistant.storage.stats()["groups"] - groups)  # type: ignore[attr-defined]
            theirs = _grouped(bare, WRITERS * count, max(1, round(group)))
            if number:  # the first round warms up
                for name, values in taken.items():
                    found["1", name, "durable_p50_ms", "ms"].append(median(values) * 1e3)
                found[str(WRITERS), "alejo", "durable_s", "1/s"].append(ours)
                found[str(WRITERS), "lmdb", "durable_s", "1/s"].append(theirs)
                found[str(WRITERS), "alejo", "group", "remembers"].append(group)
    return list(_rows(found))


def _rows(found: dict[tuple[str, str, str, str], list[float]]) -> Iterator[Row]:
    versions = {"alejo": __version__, "lmdb": lmdb.__version__, "fdatasync": os.uname().release}
    for (case, system, metric, unit), values in found.items():
        yield row("memory", case, system, versions[system], metric, unit, values)


async def _alone(assistant: alejo.Assistant, bare: Bare, texts: Sequence[str]) -> dict[str, list[float]]:
    """One writer: each remember is followed by a bare commit and a sync."""
    taken: dict[str, list[float]] = {"alejo": [], "lmdb": [], "fdatasync": []}
    for text in texts:
        marks = [time.perf_counter()]
        await assistant.memories.remember(Scope("bench", "alone"), MemoryDraft(text))
        marks.append(time.perf_counter())
        bare.commit(1)
        marks.append(time.perf_counter())
        bare.sync()
        marks.append(time.perf_counter())
        for name, (begin, end) in zip(taken, itertools.pairwise(marks), strict=True):
            taken[name].append(end - begin)
    return taken


async def _together(assistant: alejo.Assistant, texts: Sequence[Sequence[str]]) -> float:
    """Remembers a second of writers who each wait for one before the next."""

    async def write(number: int, own: Sequence[str]) -> None:
        for text in own:
            await assistant.memories.remember(Scope("bench", f"writer-{number}"), MemoryDraft(text))

    began = time.perf_counter()
    await asyncio.gather(*(write(number, own) for number, own in enumerate(texts)))
    return sum(map(len, texts)) / (time.perf_counter() - began)


def _grouped(bare: Bare, remembers: int, group: int) -> float:
    began = time.perf_counter()
    for start in range(0, remembers, group):
        bare.commit(min(group, remembers - start), WRITERS)
    return remembers / (time.perf_counter() - began)
