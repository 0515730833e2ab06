"""Somebody with many memories speaks again after a restart, or a kill: the index comes back, and all is found."""

from __future__ import annotations

import random
import time

from alejo.types import Kept, MemoryDraft, Page

from .house import House
from .size import FULL, size

MEMORIES = size(1_500, 100_000)
SECONDS = 1.0
WORDS = [
    f"{first}{second}" for first in ("ba", "co", "di", "fu", "ge", "ho") for second in ("lam", "ner", "tis", "vok")
]


async def test_a_restart_recalls_soon(house: House, chance: random.Random) -> None:
    """The first recall after a restart finds what was said, from a snapshot; at full size within a second."""
    texts = [" ".join([f"item{number}", *chance.choices(WORDS, k=12)]) for number in range(MEMORIES)]
    house.environment["ALEJO_LIMITS_UNARY_SECONDS"] = "600"  # the first recall of all makes the index from the records
    await house.start()
    async with house.client("ada", seconds=600.0) as client:
        made = [each async for each in client.remember_many(("", MemoryDraft(text)) for text in texts)]
        assert all(isinstance(each, Kept) for each in made)
        hits, _ = await client.recall("item17", Page(3))
        assert hits[0].memory.text == texts[17]
    await house.stop()
    (snapshot,) = (house.data / "indexes").iterdir()
    for number, end in ((18, house.kill), (19, house.stop)):
        await house.start()
        async with house.client("ada", seconds=600.0) as client:
            began = time.monotonic()
            hits, _ = await client.recall(f"item{number}", Page(3))
            took = time.monotonic() - began
            assert hits[0].memory.text == texts[number]
            await client.remember(MemoryDraft(f"the zebra of {number}"))
            assert (await client.recall("zebra", Page(3)))[0][0].memory.text.startswith("the zebra")
        print(f"first recall of {MEMORIES} memories after {took:.2f} s; {snapshot.stat().st_size >> 20} MiB kept")
        assert took <= SECONDS or not FULL  # small ones come back as quickly from the records
        await end()
    assert list((house.data / "indexes").iterdir()) == [snapshot]
