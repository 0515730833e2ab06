"""A process of the storm: over the real records it tells turns, or works through them, until it is killed.

    python -m tests.queue.storm FOLDER NAME turns|work SEED

Prints a line for everything it did, after it is on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
from pathlib import Path

from alejo.clock import SystemClock
from alejo.errors import Conflict
from alejo.ids import Ids
from alejo.queue import Cause, Failure, Limits
from alejo.queue.presence import Presence
from alejo.queue.stored import StoredQueue
from alejo.storage.keyring import Keyring
from alejo.storage.opener import open_lmdb
from alejo.storage.store import Store
from alejo.storage.tables import Table
from alejo.types import Scope

KINDS = {"reflect": ("episodic", "semantic", "procedural")}
# A kill is nobody's fault here, so it is not counted against a job; nor shall one wait for long.
LIMITS = Limits(lease=600.0, attempts=1 << 30, deaths=1 << 30, least_delay=0.001, most_delay=0.01)
TURNS = Table("storm_turn", int)
EFFECTS = Table("storm_effect", tuple[str, str, int, int])  # appended: what is done twice stands there twice


def open_queue(folder: Path) -> tuple[Store, StoredQueue]:
    """The store of the storm, and a queue of a process of its own."""
    store = Store(open_lmdb(f"lmdb:{folder / 'records'}", map_size=1 << 26), Keyring(bytes(32)))
    clock = SystemClock()
    presence = Presence(folder / "processes")
    return store, StoredQueue(store, Ids(clock), clock, KINDS, presence=presence, limits=LIMITS)


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())  # one call: a killed process leaves no half line behind it


async def tell(store: Store, queue: StoredQueue, name: str, chance: random.Random) -> None:
    """Turns in the sessions of two users, each with its job in one commit."""
    seqs: dict[tuple[Scope, str], int] = {}
    while True:
        scope = Scope("storm", f"{name}-{chance.randrange(2)}")
        session = f"{chance.randrange(1, 4):032x}"
        seq = seqs.get((scope, session), 0) + 1
        writer = await store.writer(scope)
        writer.put(TURNS, bytes.fromhex(session) + seq.to_bytes(8, "big"), seq)
        await queue.enqueue(writer, scope, session, "reflect", seq)
        with contextlib.suppress(Conflict):  # what waited was taken: the turn is told again
            await writer.commit()
            seqs[scope, session] = seq
            say(f"{scope.user} {session} {seq}")


async def work(store: Store, queue: StoredQueue, chance: random.Random) -> None:
    """Jobs in batches, processor by processor or all at once; now and then one fails."""
    while True:
        await queue.reap()
        jobs = await queue.lease()
        if not jobs:
            await asyncio.sleep(0.005)
        for job in jobs:
            say(f"leased {job.id}")
            left = await queue.left(job)
            whole = chance.random() < 0.3
            writer = await store.writer(job.scope)
            for name, begin in left.items():
                writer.append(EFFECTS, (job.session_id, name, begin, job.to_seq))
                if not whole:
                    await queue.advance(writer, name, job)
                    say(f"advanced {job.id} {name}")
                    if chance.random() < 0.1:
                        break
            done = not (set(await queue.left(job)) - (set(left) if whole else set()))
            if done:
                await queue.ack(writer, job, processors=left if whole else ())
            else:
                await queue.retry_later(job, Failure(Cause.TRANSIENT, "unlucky"))
            say(f"ended {job.id}")


async def main(folder: str, name: str, what: str, seed: str) -> None:
    store, queue = open_queue(Path(folder))
    chance = random.Random(seed)
    await (tell(store, queue, name, chance) if what == "turns" else work(store, queue, chance))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
