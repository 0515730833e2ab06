"""The distribution as the host meets it."""

from __future__ import annotations

import inspect
from importlib.metadata import entry_points

import pluggy

from alejo.hooks import PROJECT, Specs
from alejo.types import CommandSpec


def test_the_entry_point_registers_a_brain_and_six_commands() -> None:
    """The entry point loads, its hooks fit the specifications, and they return the roles' objects."""
    (entry,) = entry_points(group="alejo", name="brain")
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Specs)
    manager.register(entry.load())
    manager.check_pending()
    (brain,) = manager.hook.alejo_register_brain(settings={})
    (commands,) = manager.hook.alejo_register_commands(settings={})
    assert inspect.isasyncgenfunction(brain.respond)
    assert [command.spec.name for command in commands] == ["remember", "recall", "forget", "list", "help", "time"]
    assert all(
        isinstance(command.spec, CommandSpec) and inspect.iscoroutinefunction(command.run) for command in commands
    )
