"""Assistants with a brain that the test leads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import alejo
from alejo import Assistant
from alejo.clock import FakeClock
from alejo.settings import Settings

from .led import plugins


@pytest.fixture(scope="session")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is known of the plugins is shared by these tests: each plugin's first import is tried once."""
    return tmp_path_factory.mktemp("verdicts")


@pytest.fixture
def environment(environment: dict[str, str], verdicts: Path) -> dict[str, str]:
    """An environment whose every folder but that one is the test's own."""
    return {**environment, "XDG_CACHE_HOME": str(verdicts)}


@pytest.fixture
async def lone(settings: Settings, clock: FakeClock) -> AsyncIterator[Assistant]:
    """An assistant with the led brain alone."""
    async with alejo.open(settings=settings, clock=clock, entry_points=plugins()) as opened:
        yield opened


@pytest.fixture
async def led(settings: Settings, clock: FakeClock) -> AsyncIterator[Assistant]:
    """An assistant with the led brain, which remembers and feels as the built-in plugins do."""
    async with alejo.open(settings=settings, clock=clock, entry_points=plugins("memory", "emotion")) as opened:
        yield opened
