"""Random bytes from the system, fetched in blocks.

Asking the system costs a call that lets go of the interpreter: under load, each took some 40 microseconds to get it
back. A block is a thread's own and each byte of it is given out once; a forked child begins with a block of its own.
"""

from __future__ import annotations

import os
import threading

_BLOCK = 8192


class _Block(threading.local):
    """A thread's random bytes and how many of them are spent."""

    spent = _BLOCK
    data = b""


_block = _Block()


def random_bytes(count: int) -> bytes:
    """`count` fresh bytes of the system's cryptographic generator; at most 8,192."""
    block = _block
    start = block.spent
    end = start + count
    if end > _BLOCK:
        block.data, start, end = os.urandom(_BLOCK), 0, count
    block.spent = end
    return block.data[start:end]


def _forget() -> None:
    # Only the forking thread lives on in a child; two processes must not give out the same bytes.
    _block.spent = _BLOCK


os.register_at_fork(after_in_child=_forget)
