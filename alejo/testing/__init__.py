"""What the tests of a plugin or a backend can use: real parts in memory, and suites; nothing that patches.

    async with testing.host(alejo_dice, settings={"dice": {"seed": 7}}) as host:
        assert await host.run("dice", '{"count": 2}') == "3 + 2 = 5"

pytest finds the fixtures of `alejo.testing.fixtures` by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alejo.clock import FakeClock

    from .chaos import Chaos
    from .desk import ListDesk, message, turn
    from .hosting import Host, assistant, host
    from .storage import Check, MemoryStorage, Subject, checks

__all__ = [
    "Chaos",
    "Check",
    "FakeClock",
    "Host",
    "ListDesk",
    "MemoryStorage",
    "Subject",
    "assistant",
    "checks",
    "host",
    "lesson",
    "message",
    "turn",
]

_PLACES = {
    "Chaos": "alejo.testing.chaos",
    "Check": "alejo.testing.storage",
    "FakeClock": "alejo.clock",
    "Host": "alejo.testing.hosting",
    "ListDesk": "alejo.testing.desk",
    "MemoryStorage": "alejo.testing.storage",
    "Subject": "alejo.testing.storage",
    "assistant": "alejo.testing.hosting",
    "checks": "alejo.testing.storage",
    "host": "alejo.testing.hosting",
    "lesson": "alejo.testing.desk",
    "message": "alejo.testing.desk",
    "turn": "alejo.testing.desk",
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used, as `alejo` itself does: a suite's child needs no server."""
    if name not in _PLACES:
        raise AttributeError(f"module 'alejo.testing' has no attribute {name!r}")
    import importlib  # noqa: PLC0415 - only when a name is asked for

    value = globals()[name] = getattr(importlib.import_module(_PLACES[name]), name)
    return value
