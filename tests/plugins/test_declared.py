"""The settings a plugin declares: where they come from, and what is said of a wrong one."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from alejo.clock import SystemClock
from alejo.plugins import PluginHost
from alejo.settings import StartupError
from alejo.types import PluginState, PluginStatus

from .shelf import Shelf

CODE = """
from typing import Annotated
import msgspec
from msgspec import Meta
from alejo.hooks import hookimpl
from alejo.types import Appraisal

class Settings(msgspec.Struct):
    mood: Annotated[int, Meta(ge=0, le=9, description="How it feels.")] = 5
    words: Annotated[list[str], Meta(description="What it listens for.")] = []
    token: Annotated[str, Meta(description="What it shows.", extra_json_schema={"writeOnly": True})] = "none"

    def __post_init__(self):
        if self.mood == 4:
            raise ValueError("4 is no mood")

GIVEN = []

class Feeling:
    async def appraise(self, text):
        return Appraisal(0.0, 0.0)

@hookimpl
def alejo_register_settings():
    return Settings

@hookimpl
def alejo_register_emotion(settings):
    GIVEN.append(settings)
    return Feeling()
"""


async def started(shelf: Shelf, toml: str = "", code: str = CODE, **environment: str) -> tuple[PluginStatus, list[Any]]:
    """Loads the plugin; returns its status and its settings."""
    shelf.add("moody", code)
    host = await PluginHost.start(
        shelf.settings(toml=toml, environment=environment), SystemClock(), entry_points=shelf.entry_points()
    )
    await host.close()
    return host.statuses()[0], host.settings()


async def test_values_come_from_the_environment_then_the_file_then_the_default(shelf: Shelf) -> None:
    """The hooks get an object of the schema; each setting is told with its source, help and variable."""
    toml = '[plugin.moody]\nmood = 7\ntoken = "file"\n'
    status, settings = await started(shelf, toml, ALEJO_PLUGIN_MOODY_TOKEN="env", ALEJO_PLUGIN_MOODY_WORDS="a, b")
    assert status.state is PluginState.ACTIVE, status.reason
    (given,) = sys.modules["moody"].GIVEN
    assert (given.mood, given.words, given.token) == (7, ["a", "b"], "env")
    assert [(one.option.name, one.value, one.source, one.option.secret) for one in settings] == [
        ("plugin.moody.mood", 7, "file", False),
        ("plugin.moody.words", ["a", "b"], "environment", False),
        ("plugin.moody.token", "env", "environment", True),
    ]
    assert (settings[0].option.help, settings[0].option.variable) == ("How it feels.", "ALEJO_PLUGIN_MOODY_MOOD")


@pytest.mark.parametrize(("toml", "variables", "reason", "hint"), [
    ("mood = 'high'", {}, "alejo.toml: plugin.moody.mood: expected int, got str.", "[plugin.moody], for example 5."),
    ("mood = 10", {}, "alejo.toml: plugin.moody.mood: expected int <= 9.", "Correct mood in [plugin.moody]"),
    ("mod = 1", {}, "alejo.toml: there is no setting plugin.moody.mod.", "Did you mean mood?"),
    ("token = 7", {}, "alejo.toml: plugin.moody.token: has a wrong value.", "Correct token in [plugin.moody]."),
    ("mood = 4", {}, "alejo.toml: [plugin.moody] is refused: 4 is no mood.", "alejo plugins show moody"),
    ("", {"ALEJO_PLUGIN_MOODY_MOOD": "x"}, "ALEJO_PLUGIN_MOODY_MOOD: plugin.moody.mood: expected int", "the variable"),
])  # fmt: skip
async def test_a_wrong_value_rejects_the_plugin(
    shelf: Shelf, toml: str, variables: dict[str, str], reason: str, hint: str
) -> None:
    """The reason names the file or the variable and the key, the hint what to write."""
    status, _ = await started(shelf, f"[plugin.moody]\n{toml}\n", **variables)
    assert status.state is PluginState.REJECTED
    assert reason in status.reason
    assert hint in status.hint


async def test_a_setting_without_a_default_must_be_set(shelf: Shelf) -> None:
    """A required setting that is missing rejects the plugin and names where to set it."""
    code = CODE.replace(
        "class Settings(msgspec.Struct):\n", "class Settings(msgspec.Struct, kw_only=True):\n    city: str\n"
    )
    status, _ = await started(shelf, code=code)
    assert status.reason == "alejo.toml: plugin.moody.city is required and not set."
    assert status.hint == "Set it in [plugin.moody] of alejo.toml, or as ALEJO_PLUGIN_MOODY_CITY."


@pytest.mark.parametrize("returned", ["Settings()", "dict", "1 / 0"])
async def test_a_schema_that_is_none_is_refused(shelf: Shelf, returned: str) -> None:
    """Only a subclass of msgspec.Struct is a schema."""
    status, _ = await started(shelf, code=CODE.replace("return Settings", f"return {returned}"))
    assert status.state is PluginState.REJECTED
    assert "alejo_register_settings" in status.reason


def test_a_plugins_table_is_a_table(shelf: Shelf) -> None:
    """A value where the table of a plugin belongs is refused at the start."""
    with pytest.raises(StartupError, match=r"plugin\.moody must be a table"):
        shelf.settings(toml="[plugin]\nmoody = 1\n")
