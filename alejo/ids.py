"""Identifiers: UUID version 7 (RFC 9562, section 5.7) of the moment recorded, as 32 hexadecimal digits."""

from __future__ import annotations

import threading

from alejo.clock import Clock
from alejo.entropy import random_bytes
from alejo.errors import InvalidArgument


class Ids:
    """Makes identifiers that sort by the time they were made, strictly so within a process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self._lock = threading.Lock()

    def new(self) -> str:
        """A new identifier. 48 bits of milliseconds, then 12 of their fraction (RFC 9562, method 3), then 62 random."""
        now = self._clock.now()
        stamp = (now // 1000) << 12 | (now % 1000) * 4096 // 1000
        with self._lock:
            stamp = self._last = max(stamp, self._last + 1)
        tail = int.from_bytes(random_bytes(8), "big") & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        return f"{stamp >> 12 << 80 | 7 << 76 | (stamp & 0xFFF) << 64 | tail:032x}"


def raw(identifier: str, field: str) -> bytes:
    """The 16 bytes of an identifier a client sent. Raises InvalidArgument naming `field`."""
    try:
        found = bytes.fromhex(identifier)
    except ValueError:
        found = b""
    if len(found) == 16 and found.hex() == identifier:  # one spelling: no spaces, no capitals
        return found
    raise InvalidArgument.field(field, "is not an identifier of this server")
