"""Messages over a pipe: four bytes of length, then the message."""

from __future__ import annotations

import os
import select
import time

MOST = 32 << 20
_HEAD = 4


def write(pipe: int, message: bytes) -> None:
    """Writes a whole message. Raises OSError when nobody reads any more."""
    rest = memoryview(len(message).to_bytes(_HEAD, "big") + message)
    while rest:
        rest = rest[os.write(pipe, rest) :]


def read(pipe: int, until: float) -> bytes | None:
    """The next message, or None at the end of the pipe. Raises TimeoutError at a moment of `time.monotonic`."""
    head = _exactly(pipe, _HEAD, until)
    if head is None:
        return None
    length = int.from_bytes(head, "big")
    return _exactly(pipe, length, until) if length <= MOST else None


def _exactly(pipe: int, length: int, until: float) -> bytes | None:
    gathered = bytearray()
    poll = select.poll()  # unlike select, for any descriptor
    poll.register(pipe, select.POLLIN)
    while len(gathered) < length:
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            raise TimeoutError
        part = os.read(pipe, length - len(gathered))
        if not part:
            return None
        gathered += part
    return bytes(gathered)
