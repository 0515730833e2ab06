"""The distribution as the host meets it."""

from __future__ import annotations

import inspect
from importlib.metadata import entry_points

import pluggy

from alejo.hooks import PROJECT, Specs


def test_the_entry_point_registers_a_memory_strategy() -> None:
    """The entry point loads, its hook fits the specification, and it returns an object of the role."""
    (entry,) = entry_points(group="alejo", name="memory")
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Specs)
    manager.register(entry.load())
    manager.check_pending()
    (strategy,) = manager.hook.alejo_register_memory(settings={})
    assert all(inspect.iscoroutinefunction(getattr(strategy, name)) for name in ("keep", "complete", "plan"))
