"""An end for the connections of an address that has more than its share.

gRPC limits the connections of a port, not those of one address, so that one address could take them all, even without a
call. Here the process looks at its own descriptors, and shuts down what is too much; gRPC then sees the peer gone. It
looks only when there are so many descriptors that an address could have too many.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

from alejo import log

from .peers import Peers

_SECONDS = 1.0
_SOON = 0.1
_SLICE = 64  # descriptors looked at before other work has its turn: about a millisecond


class Connections:
    """Keeps each address at `most` connections to `port`. `closed` counts those that were ended."""

    def __init__(self, port: int, most: int) -> None:
        self.closed = 0
        self._port = port
        self._most = most
        self._known: set[Any] = set()
        self._peers = Peers()
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            found = await self.look()
            await asyncio.sleep(_SOON if found else _SECONDS)

    async def look(self) -> int:
        """Closes what is too much, the newest first, and returns how many it closed."""
        if len(os.listdir("/dev/fd")) <= self._most:
            self._known.clear()
            return 0
        crowds: dict[str, list[tuple[bool, Any]]] = defaultdict(list)
        async for place in self._open():
            crowds[self._peers[_name(place)].address].append((place not in self._known, place))
        # Of those that are equally new none is better than another.
        excess = {place for crowd in crowds.values() for _, place in sorted(crowd)[self._most :]}
        self._known = {place for crowd in crowds.values() for _, place in crowd} - excess
        if excess:
            async for _ in self._open(end=excess):
                pass
            self.closed += len(excess)
            crowded = sorted(address for address, crowd in crowds.items() if len(crowd) > self._most)
            log.get().warning("connections closed", count=len(excess), addresses=crowded[:10])
        return len(excess)

    async def _open(self, *, end: set[Any] | None = None) -> AsyncIterator[Any]:
        """The peers of this port's connections. Those in `end` are shut down."""
        for number, name in enumerate(os.listdir("/dev/fd")):
            if number % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
            with contextlib.suppress(OSError), _copy(int(name)) as one:  # no socket, or closed meanwhile
                if one.family not in {socket.AF_INET, socket.AF_INET6} or one.getsockname()[1] != self._port:
                    continue
                place = one.getpeername()
                if end is not None and place in end:
                    one.shutdown(socket.SHUT_RDWR)
                yield place

    def stop(self) -> None:
        """Looks no more."""
        self._task.cancel()


def _copy(descriptor: int) -> socket.socket:
    """A socket by a descriptor of our own: its first may be closed, and be another's, at any moment. Raises OSError."""
    copy = os.dup(descriptor)
    try:
        return socket.socket(fileno=copy)
    except BaseException:
        os.close(copy)
        raise


def _name(place: Any) -> str:
    host, port = place[:2]
    return f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}"
