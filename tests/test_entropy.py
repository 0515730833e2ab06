"""Random bytes are given out once: to no two callers, threads or processes the same."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from alejo.entropy import random_bytes


def test_gives_what_is_asked_for() -> None:
    """Any count up to a block comes whole, also across the end of a block."""
    assert [len(random_bytes(count)) for count in [0, 1, 12, 8191, 8192, 5000, 5000]] == [
        0,
        1,
        12,
        8191,
        8192,
        5000,
        5000,
    ]


def test_gives_no_bytes_twice() -> None:
    """A hundred thousand nonces of eight threads are all different."""
    with ThreadPoolExecutor(8) as pool:
        drawn = [
            nonce
            for batch in pool.map(lambda _: [random_bytes(12) for _ in range(12_500)], range(8))
            for nonce in batch
        ]
    assert len(set(drawn)) == len(drawn) == 100_000


def test_a_forked_child_draws_its_own() -> None:
    """A child made by fork gives out other bytes than its parent."""
    random_bytes(1)
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(there, random_bytes(64))
        os._exit(0)
    os.close(there)
    with os.fdopen(here, "rb") as pipe:
        theirs = pipe.read()
    os.waitpid(child, 0)
    assert theirs != random_bytes(64)
    assert len(theirs) == 64
