"""Memories kept and found, beside what people would pick instead: `alejo bench memory`.

Each system runs in a process of its own over a folder of its own, all with the same vectors, which ALEJO's static table
makes in each of them; questions are put to them in turns. Cases `1000`, `10000` and `100000` are memories of one user,
`100x1000` those of a hundred. A peer that takes more than 60 s to fill is asked about what it holds by then, and its
case says how much that is; one that is asked for more than 60 s in a case is asked no further rounds there, and `n`
says how many there were.

    recall_p50_ms, recall_p99_ms   a question to its ten best, embedding included; none is asked twice
    tenant_recall@10       the share of the ten nearest of one user's memories that are found among those of a hundred;
                           `alejo` weighs meaning alone for it, as nothing else has one right answer
    remember_s             memories a second that are filled in, a hundred at a time where a system takes them so
    ram_bytes_per_memory   what the process grew by (RssAnon: pages of mapped files are not its own), filled and asked
    disk_bytes_per_memory  what its folder takes
    restart_s, restart_mb  ALEJO opened anew over that folder: seconds until the first question is answered, and by how
                           many MB it grew
    idle_user_bytes        what each of the users takes of an ALEJO opened over them in which nobody speaks
    forget_p99_ms          a memory forgotten; of `lmdb` a bare commit of five rows, in turns with it

What is acknowledged one by one is in `memory_disk`, what the wire adds in `memory_wire`. `--quick` takes 10,000
memories and 10 users at most, fewer rounds, and 5 s to fill.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import click
import lmdb
import msgspec

from . import memory_disk, memory_texts, memory_wire, peers
from .memory_texts import BEST
from .report import Row, row

OTHERS = ("chromadb", "lancedb", "langgraph-checkpoint-sqlite", "mem0ai+faiss", "mem0ai+qdrant")
HERE = Path(sys.prefix)
_ONE = ""  # the only user there is
_PATIENCE = 1800.0  # seconds, for our own filling


class Size(msgspec.Struct, frozen=True):
    """How much is measured: memories of one user, users and what each has, seconds to fill, rounds of questions."""

    steps: tuple[int, ...] = (1000, 10_000, 100_000)
    users: int = 100
    of_each: int = 1000
    filling: float = 60.0
    rounds: int = 10
    asked: int = 100
    forgotten: int = 200
    written: int = 100
    streamed: int = 5000


QUICK = Size((1000, 10_000), 10, filling=5.0, rounds=2, asked=30, forgotten=30, written=20, streamed=1000)


class System:
    """A peer, or ALEJO, while it is measured: what it holds, the seconds it has left to fill, and its figures.

    `asking` are the seconds it may be asked in a case.
    """

    def __init__(self, peer: peers.Peer, filling: float, asking: float = math.inf) -> None:
        self.peer = peer
        self.left = filling
        self.held = 0
        self.case = ""
        self._asking = asking
        self._asked: dict[str, float] = {}  # seconds, by case
        self.users: list[str] = []
        self.meaning = False
        self._found: dict[tuple[str, str, str], list[float]] = {}
        self._taken: dict[str, list[float]] = {}

    def note(self, metric: str, unit: str, value: float) -> None:
        """One figure, or that of one round."""
        self._found.setdefault((self.case, metric, unit), []).append(value)

    def fill(self, user: str, texts: Sequence[str], start: int = 0) -> bool:
        """Adds a user's texts from `start` on, as long as there is time; whether there was enough."""
        ids = [str(place) for place in range(start, len(texts))]
        answer = self.peer.ask("fill", user=user, ids=ids, texts=texts[start:], language="en", seconds=self.left)
        self.left -= answer["seconds"]
        self.held += answer["done"]
        return bool(answer["done"] == len(ids))

    def ask(self, user: str, asked: Sequence[str], *, counts: bool) -> list[list[str]]:
        """A round of questions; the first of a case warms up and does not count. No answers once its time is over."""
        if counts and self._asked.get(self.case, 0.0) > self._asking:
            return []
        answer = self.peer.ask("search", user=user, queries=asked, limit=BEST)
        if counts:
            self._asked[self.case] = self._asked.get(self.case, 0.0) + sum(answer["seconds"])
            self.note("recall_p50_ms", "ms", median(answer["seconds"]) * 1e3)
            self._taken.setdefault(self.case, []).extend(answer["seconds"])
        items: list[list[str]] = answer["items"]
        return items

    def weigh(self) -> None:
        """What it takes of memory and disk."""
        grown = self.peer.ask("resident")["bytes"] - self.peer.started
        self.note("ram_bytes_per_memory", "B", grown / self.held)
        self.note("disk_bytes_per_memory", "B", self.peer.disk / self.held)

    def rows(self) -> Iterator[Row]:
        """Every figure."""
        about = self.peer.name, self.peer.version
        for (case, metric, unit), values in self._found.items():
            yield row("memory", case, *about, metric, unit, values)
        for case, taken in self._taken.items():
            yield row("memory", case, *about, "recall_p99_ms", "ms", [ninety_ninth(taken) * 1e3])


def ninety_ninth(values: Sequence[float]) -> float:
    """What 99 of 100 values do not exceed."""
    return sorted(values)[(len(values) - 1) * 99 // 100]


def run(options: Any) -> list[Row]:
    """Every figure, those that compare side by side."""
    homes = {"alejo": HERE}
    if options.peers:
        homes |= dict.fromkeys(OTHERS, peers.install("memory")[0])
    return measured(homes, QUICK if options.quick else Size())


def measured(homes: dict[str, Path], size: Size) -> list[Row]:
    """The same, of the systems in these environments."""
    rows = [*_one(homes, size), *_many(homes, size)]
    rows += memory_disk.run(size.rounds, size.written)
    rows += memory_wire.run(size.rounds, size.streamed)
    places = list(dict.fromkeys((each.metric, each.case) for each in rows))
    return sorted(rows, key=lambda each: places.index((each.metric, each.case)))


def _started(stack: ExitStack, homes: dict[str, Path], filling: float, folder: Path) -> list[System]:
    systems = []
    for name, home in homes.items():
        ours = name == "alejo"
        try:
            peer = stack.enter_context(peers.Peer(name, home, folder=folder if ours else None))
            systems.append(System(peer, _PATIENCE) if ours else System(peer, filling, filling))
        except peers.Failed as failure:
            peers.leave_out(name, failure)
    return systems


def _all(systems: list[System], do: Callable[..., object], *arguments: Any, **options: Any) -> None:
    """Lets each system do its part; one that fails is told, and left out from there on."""
    for system in list(systems):
        try:
            do(system, *arguments, **options)
        except peers.Failed as failure:
            peers.leave_out(system.peer.name, failure)
            systems.remove(system)


def _one(homes: dict[str, Path], size: Size) -> Iterator[Row]:
    """One user with more and more memories, then ALEJO opened anew."""
    texts = memory_texts.memories(_ONE, size.steps[-1])
    with tempfile.TemporaryDirectory(prefix="alejo-bench-") as folder:
        with ExitStack() as stack:
            systems = _started(stack, homes, size.filling, Path(folder))
            filling = list(systems)
            for step in size.steps:
                click.echo(f"memory: {step:,} of one user", err=True)
                _step(filling, texts[:step], size)
                filling = [system for system in filling if system.held == step]
            for system in systems:
                yield from system.rows()
        yield from _again(Path(folder), texts, size)


def _step(systems: list[System], texts: Sequence[str], size: Size) -> None:
    def fill(system: System) -> None:
        before, left = system.held, system.left
        system.fill(_ONE, texts, before)
        if system.held == before:
            raise peers.Failed("its time to fill is over")
        system.case = str(system.held)
        system.note("remember_s", "1/s", (system.held - before) / (left - system.left))

    _all(systems, fill)
    for number in range(size.rounds + 1):
        asked = memory_texts.questions(_ONE, texts, size.asked, seed=len(texts) + number)
        _all(systems, System.ask, _ONE, asked, counts=number > 0)
    _all(systems, System.weigh)


def _again(folder: Path, texts: Sequence[str], size: Size) -> Iterator[Row]:
    """ALEJO opened anew, and what forgetting costs there: it throws away what makes the next start quick."""
    with peers.Peer("alejo", HERE, folder=folder) as peer:
        asked = memory_texts.questions(_ONE, texts, 1, seed=-1)
        (first,) = peer.ask("search", user=_ONE, queries=asked, limit=BEST)["seconds"]
        grown = peer.ask("resident")["bytes"] - peer.started
        yield row("memory", str(len(texts)), "alejo", peer.version, "restart_s", "s", [first])
        yield row("memory", str(len(texts)), "alejo", peer.version, "restart_mb", "MB", [grown / 1e6])
        taken = peer.ask("forget", user=_ONE, count=size.forgotten)
        ours, bare = ("alejo", peer.version, taken["seconds"]), ("lmdb", lmdb.__version__, taken["bare"])
        for name, version, values in (ours, bare):
            about = ("memory", str(len(texts)), name, version)
            yield row(*about, "forget_p50_ms", "ms", [median(values) * 1e3])
            yield row(*about, "forget_p99_ms", "ms", [ninety_ninth(values) * 1e3])


def _many(homes: dict[str, Path], size: Size) -> Iterator[Row]:
    """Many users, each asked about their own; then ALEJO opened over them."""
    click.echo(f"memory: {size.users} users with {size.of_each:,} each", err=True)
    held = {
        name: memory_texts.memories(name, size.of_each) for name in (f"user{number:03}" for number in range(size.users))
    }
    with tempfile.TemporaryDirectory(prefix="alejo-bench-") as folder:
        with ExitStack() as stack:
            systems = _started(stack, homes, size.filling, Path(folder))
            _all(systems, _users, held, size)
            for number in range(size.rounds + 1):
                _all(systems, _tenant, held, number, size.asked)
            for system in systems:
                yield from system.rows()
        yield from _meaning(Path(folder), held, size)
        yield _idle(Path(folder), size)


def _users(system: System, held: dict[str, list[str]], size: Size) -> None:
    """Fills user by user; those count who were whole before the time was over."""
    system.users = [name for name, texts in held.items() if system.left > 0 and system.fill(name, texts)]
    if not system.users:
        raise peers.Failed(f"it takes longer to fill the first {size.of_each:,}")
    system.case = f"{len(system.users)}x{size.of_each}"


def _tenant(system: System, held: dict[str, list[str]], number: int, count: int) -> None:
    """Questions to one user, whose ten nearest are known."""
    name = system.users[number % len(system.users)]
    asked = memory_texts.questions(name, held[name], count, seed=number)
    items = system.ask(name, asked, counts=number > 0)
    if items and (system.peer.name != "alejo" or system.meaning):
        best = memory_texts.nearest(held[name], asked)
        right = sum(len(set(found) & set(wanted)) for found, wanted in zip(items, best, strict=True))
        system.note("tenant_recall@10", "share", right / BEST / count)


def _meaning(folder: Path, held: dict[str, list[str]], size: Size) -> Iterator[Row]:
    """What ALEJO finds by meaning alone."""
    with peers.Peer("alejo", HERE, {"ALEJO_BENCH_PLAN": "dense"}, folder) as peer:
        system = System(peer, 0.0)
        system.case, system.users, system.meaning = f"{len(held)}x{size.of_each}", list(held), True
        for number in range(size.rounds + 1):
            _tenant(system, held, number, size.asked)
        yield from (each for each in system.rows() if each.metric.startswith("tenant"))


def _idle(folder: Path, size: Size) -> Row:
    """What users who do not speak take of a process that is opened over them."""
    with peers.Peer("alejo", HERE, folder=folder) as full, peers.Peer("alejo", HERE) as empty:
        grown = full.ask("resident")["bytes"] - empty.ask("resident")["bytes"]
        case = f"{size.users}x{size.of_each}"
        return row("memory", case, "alejo", full.version, "idle_user_bytes", "B", [grown / size.users])
