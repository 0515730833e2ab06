"""A home for every test of the command line."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from .home import Home


@pytest.fixture(scope="session", autouse=True)
def heeds_ctrl_c() -> None:
    """Where the tests run behind something, Ctrl-C is ignored, and so it would be by the commands they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    one = Home(tmp_path)
    yield one
    one.close()
