"""A process that leases a job, and commits what it made of it when it is told to: too late, if it was stopped.

    python -m tests.queue.late FOLDER

Prints "leased", and after a line on standard input "committed" or why that was refused.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from alejo.clock import SystemClock
from alejo.errors import Conflict
from alejo.ids import Ids
from alejo.queue import Limits
from alejo.queue.presence import Presence
from alejo.queue.stored import StoredQueue
from alejo.storage.keyring import Keyring
from alejo.storage.opener import open_lmdb
from alejo.storage.store import Store

from .storm import EFFECTS, KINDS, say

LIMITS = Limits(lease=0.5, least_delay=0.001, most_delay=0.01)


def open_queue(folder: Path) -> tuple[Store, StoredQueue]:
    """The store, and a queue of this process whose leases are short."""
    store = Store(open_lmdb(f"lmdb:{folder / 'records'}", map_size=1 << 24), Keyring(bytes(32)))
    clock = SystemClock()
    return store, StoredQueue(store, Ids(clock), clock, KINDS, presence=Presence(folder / "processes"), limits=LIMITS)


async def main(folder: str) -> None:
    store, queue = open_queue(Path(folder))
    (job,) = await queue.lease()
    say("leased")
    await asyncio.to_thread(sys.stdin.readline)
    writer = await store.writer(job.scope)
    writer.append(EFFECTS, (job.session_id, "late", job.from_seq, job.to_seq))
    try:
        await queue.advance(writer, "episodic", job)
    except Conflict as error:
        say(error.reason)
    else:
        say("committed")
    await queue.close()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
