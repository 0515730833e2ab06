"""What many tests stand on: a folder of their own, an assistant over it, a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import alejo
from alejo.clock import FakeClock
from alejo.settings import Settings, read
from alejo.types import Scope

ADA = Scope("acme", "ada")
BOB = Scope("acme", "bob")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment whose every folder is the test's own."""
    return {
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    """The settings of that environment, with free ports and little room."""
    free = {"server.address": "127.0.0.1:0", "server.metrics_address": "127.0.0.1:0", "data.map_size_mb": 16}
    return read(environment, free)


@pytest.fixture
def clock() -> FakeClock:
    """A clock the test moves."""
    return FakeClock()


@pytest.fixture
async def assistant(settings: Settings, clock: FakeClock) -> AsyncIterator[alejo.Assistant]:
    """An assistant with the plugins that are installed."""
    async with alejo.open(settings=settings, clock=clock) as opened:
        yield opened


@pytest.fixture
async def bare(environment: dict[str, str], clock: FakeClock) -> AsyncIterator[alejo.Assistant]:
    """An assistant without a plugin, in which nothing is done behind the answers."""
    chosen = read(environment, {"data.map_size_mb": 16, "reflection.workers": 0})
    async with alejo.open(settings=chosen, clock=clock, entry_points=[]) as opened:
        yield opened
