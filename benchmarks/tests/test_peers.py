"""A peer's process: what cannot be measured is told with its reason, and the rest goes on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from alejo_bench import peers

HERE = Path(sys.prefix)  # our own environment, in which no peer is installed


def test_a_peer_that_is_not_there_is_told_with_the_reason() -> None:
    """A package that cannot be imported is a refusal that names it, not the end of the run."""
    with pytest.raises(peers.Failed, match="ModuleNotFoundError: No module named 'chromadb'"):
        peers.Peer("chromadb", HERE)


def test_what_a_peer_cannot_do_is_told() -> None:
    """A process that fails in a request says why and answers the next; one that ends is noticed."""
    with peers.Peer("nothing", HERE) as peer:
        assert peer.version
        assert peer.ask("fill", user="u", ids=["1"], texts=["x"], language="en", seconds=9.0)["done"] == 1
        with pytest.raises(peers.Failed, match="ValueError: nothing is found here"):
            peer.ask("search", user="u", queries=["x"], limit=1)
        assert peer.ask("resident")["bytes"] > 1_000_000
