"""pytest fixtures for plugins. pytest finds them by itself where alejo is installed; nothing heavy is imported first.

| fixture | what it is |
|---|---|
| `alejo_host` | `alejo.testing.host`: opens a host in memory around plugins |
| `alejo_assistant` | `alejo.testing.assistant`: opens an assistant in memory around plugins |
| `alejo_clock` | a FakeClock |
| `alejo_desk` | a ListDesk |
| `alejo_turn` | makes a turn at that desk: `alejo_turn("Hello")` |
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from alejo.clock import FakeClock
    from alejo.roles import Turn

    from .desk import ListDesk


@pytest.fixture
def alejo_host() -> Callable[..., Any]:
    """Opens a host in memory around plugins: `async with alejo_host(my_plugin) as host`."""
    from .hosting import host  # noqa: PLC0415 - every pytest run would pay for it

    return host


@pytest.fixture
def alejo_assistant() -> Callable[..., Any]:
    """Opens an assistant in memory around plugins: `async with alejo_assistant(my_plugin) as assistant`."""
    from .hosting import assistant  # noqa: PLC0415

    return assistant


@pytest.fixture
def alejo_clock() -> FakeClock:
    """A clock that stands still until it is moved."""
    from alejo.clock import FakeClock  # noqa: PLC0415

    return FakeClock()


@pytest.fixture
def alejo_desk() -> ListDesk:
    """A desk that keeps a list."""
    from .desk import ListDesk  # noqa: PLC0415

    return ListDesk()


@pytest.fixture
def alejo_turn(alejo_desk: ListDesk) -> Callable[..., Turn]:
    """Makes a turn at the desk of `alejo_desk`."""
    from .desk import turn  # noqa: PLC0415

    return functools.partial(turn, desk=alejo_desk)
