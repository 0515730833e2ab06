"""Who is at the other end of a connection, and how many calls they have under way."""

from __future__ import annotations

import ipaddress
from urllib.parse import unquote

import msgspec

from alejo.errors import ResourceExhausted

_REMEMBERED = 10_000


class Peer(msgspec.Struct, frozen=True, gc=False):
    """The other end: the address its calls are counted under, and "unix", "loopback" or "network"."""

    address: str
    kind: str


class Peers(dict[str, Peer]):
    """Peers by gRPC's name for their connection; a connection is looked at once."""

    def __missing__(self, name: str) -> Peer:
        if len(self) >= _REMEMBERED:
            self.clear()
        peer = self[name] = describe(name)
        return peer


def describe(name: str) -> Peer:
    """The peer gRPC names, as in "ipv4:10.0.0.7:51234", "ipv6:%5B::1%5D:51234" or "unix:"."""
    scheme, _, rest = name.partition(":")
    if scheme == "unix":
        return Peer("unix", "unix")
    host = unquote(rest).rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return Peer(host, "network")
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif not address.is_loopback:
            # A host owns at least a /64, and would have as many quotas as it likes.
            return Peer(str(ipaddress.ip_network((address, 64), strict=False)), "network")
    return Peer(str(address), "loopback" if address.is_loopback else "network")


class Quota:
    """A limit of concurrent calls by some name. `what` is as in "calls of this address"."""

    def __init__(self, most: int, what: str) -> None:
        self._most = most
        self._what = what
        self._held: dict[str, int] = {}

    def take(self, name: str) -> None:
        """Counts a call. Raises ResourceExhausted when there are too many."""
        held = self._held.get(name, 0)
        if held >= self._most:
            raise ResourceExhausted(
                f"There are already {self._most:,} {self._what} under way.",
                retry_after=0.1,
                subject=self._what,
            )
        self._held[name] = held + 1

    def give(self, name: str) -> None:
        """Ends a call that was counted."""
        held = self._held[name] - 1
        if held:
            self._held[name] = held
        else:
            del self._held[name]
