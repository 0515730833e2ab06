"""Lines as the parts of a stream, which may end anywhere in a line."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

_PART = 256 << 10
_MOST = 1 << 20


async def parts(lines: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The lines in parts of at most 1 MiB; at least one, which may be empty."""
    gathered = bytearray()
    async for line in lines:
        gathered += line
        while len(gathered) >= _PART:
            yield bytes(gathered[:_MOST])
            del gathered[:_MOST]
    yield bytes(gathered)
