"""The distribution as the host meets it."""

from __future__ import annotations

import inspect
from importlib.metadata import entry_points

import pluggy
from alejo_vision import Settings

from alejo.hooks import PROJECT, Specs


def test_the_entry_point_registers_vision() -> None:
    """The entry point loads, its hook fits the specification, and it returns an object of the role."""
    (entry,) = entry_points(group="alejo", name="vision")
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Specs)
    manager.register(entry.load())
    manager.check_pending()
    (vision,) = manager.hook.alejo_register_vision(settings=Settings())
    assert inspect.iscoroutinefunction(vision.perceive)
