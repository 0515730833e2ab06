"""`alejo plugins`, typed."""

from __future__ import annotations

import signal

from .home import Home

SAYING = """
from typing import Annotated
import msgspec
from alejo.hooks import hookimpl
from alejo.types import CommandSpec

class Settings(msgspec.Struct):
    word: Annotated[str, msgspec.Meta(description="What it says.")] = "Hello"
    token: Annotated[str, msgspec.Meta(extra_json_schema={"writeOnly": True})] = ""

class Say:
    spec = CommandSpec("say", "Says it.")
    async def run(self, arguments, turn):
        return arguments

@hookimpl
def alejo_register_settings():
    return Settings

@hookimpl
def alejo_register_commands(settings):
    return [Say()]
"""


def test_plugins_are_switched_and_reloaded(home: Home) -> None:
    """What is disabled stays so over a restart; enabled and reloaded it is active; a broken reload says why."""
    home.plugin("say", "alejo", SAYING)

    def state() -> str:
        (row,) = [row for row in home.json("plugins", "list") if row["name"] == "say"]
        return str(row["state"])

    served, _ = home.serve()
    assert state() == "active"
    assert "say 1.0 is off" in home.run("plugins", "disable", "say").stderr
    assert state() == "discovered"
    served.send_signal(signal.SIGTERM)
    served.wait(20)
    home.serve()
    assert state() == "discovered"
    assert "alejo plugins enable say" in home.run("plugins", "reload", "say", code=1).stderr
    assert "say 1.0 is active" in home.run("plugins", "enable", "say").stderr
    (home.site / "say.py").write_text("import nothing_of_that_name")
    told = home.run("plugins", "reload", "say", code=1).stderr
    assert "No module named" in told
    assert "The old one goes on" in told
    assert "Try: alejo plugins check" in told
    assert state() == "active"
    assert "No plugin none is installed there" in home.run("plugins", "reload", "none", code=1).stderr


def test_a_plugin_installed_in_place_is_let_in(home: Home) -> None:
    """What `pip install -e` put in place while the server runs is loaded by a reload, as are later edits."""
    home.site = home.own_environment()
    home.serve()
    source = home.folder / "source"
    home.plugin("say", "alejo", SAYING, editable=source)
    assert "say 1.0 is active" in home.run("plugins", "reload", "say").stderr
    (source / "say.py").write_text(SAYING.replace("return arguments", "return arguments.upper()"))
    assert "say 1.0 is active" in home.run("plugins", "reload", "say").stderr
    assert home.run("chat", lines="say hello\n").stdout == "HELLO\n"


def test_settings_of_plugins_are_shown(home: Home) -> None:
    """`config show` and `plugins show` tell value, source and variable, and hide secrets and what nobody declared."""
    home.plugin("say", "alejo", SAYING)
    home.config.mkdir(parents=True)
    (home.config / "alejo.toml").write_text('[plugin.say]\nword = "Hi"\ntoken = "t0p"\n[plugin.gone]\nkey = "t0p"\n')
    shown = home.run("config", "show", "--json").stdout
    assert "t0p" not in shown
    rows = {row["name"]: row for row in home.json("config", "show")}
    assert (rows["plugin.say.word"]["value"], rows["plugin.say.word"]["source"]) == ("Hi", "file")
    assert rows["plugin.say.word"]["environment"] == "ALEJO_PLUGIN_SAY_WORD"
    assert rows["plugin.gone.key"]["help"] == "No plugin gone is installed."
    told = home.run("plugins", "show", "say").stdout
    assert 'plugin.say.word = "Hi"  (file; ALEJO_PLUGIN_SAY_WORD)  What it says.' in told
    assert "t0p" not in told
    table = home.run("plugins", "show", "say", "--markdown").stdout
    assert '| `plugin.say.word` | `"Hello"` | `ALEJO_PLUGIN_SAY_WORD` | What it says. |' in table
    assert "alejo plugins list" in home.run("plugins", "show", "none", code=1).stderr


def test_timings_are_shown(home: Home) -> None:
    """The timings say what import and calls took, for people and for programs."""
    assert "IMPORT MS" in home.run("plugins", "list", "--timings").stdout
    row = home.json("plugins", "list", "--timings")[0]
    assert row["load_ms"] >= row["import_ms"] > 0
    assert row["calls"] == 0
