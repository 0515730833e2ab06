"""Who is at the other end."""

from __future__ import annotations

import pytest

from alejo.errors import ResourceExhausted
from alejo.server.peers import Peer, Peers, Quota, describe


@pytest.mark.parametrize(
    ("name", "address", "kind"),
    [
        ("ipv4:127.0.0.1:51234", "127.0.0.1", "loopback"),
        ("ipv4:127.9.9.9:1", "127.9.9.9", "loopback"),
        ("ipv4:10.0.0.7:51234", "10.0.0.7", "network"),
        ("ipv6:%5B::1%5D:51234", "::1", "loopback"),
        ("ipv6:[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::/64", "network"),
        ("ipv6:%5Bfe80::1%25eth0%5D:443", "fe80::/64", "network"),
        ("ipv6:[::ffff:127.0.0.1]:443", "127.0.0.1", "loopback"),
        ("ipv6:[::ffff:8.8.8.8]:443", "8.8.8.8", "network"),
        ("unix:", "unix", "unix"),
        ("unix:/run/alejo.sock", "unix", "unix"),
        ("unknown", "", "network"),
        ("ipv4:localhost:1", "localhost", "network"),
    ],
)
def test_a_peer_is_known_by_its_address(name: str, address: str, kind: str) -> None:
    """Ports and spellings do not matter; an IPv6 host counts as its /64; what is not understood is a stranger."""
    assert describe(name) == Peer(address, kind)
    assert Peers()[name] == Peer(address, kind)


def test_a_quota_counts_what_is_under_way() -> None:
    """The call above the limit is refused and not counted; an ended one makes room; names do not share."""
    quota = Quota(2, "from this address")
    for _ in range(2):
        quota.take("a")
    for _ in range(3):
        with pytest.raises(ResourceExhausted):
            quota.take("a")
    quota.take("b")
    quota.give("a")
    quota.take("a")
    for name in ("a", "a", "b"):
        quota.give(name)
    assert quota._held == {}
