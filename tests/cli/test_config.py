"""Settings on the command line."""

from __future__ import annotations

import stat
import tomllib

import pytest

from alejo.cli.config import template
from alejo.errors import StartupError
from alejo.settings import OPTIONS, read

from .home import Home


def test_every_setting_is_shown_with_its_source(home: Home) -> None:
    """Each setting has a value and says where it came from: default, file, environment or command line."""
    home.config.mkdir(parents=True)
    (home.config / "alejo.toml").write_text("[context]\ntokens = 4096\n")
    home.environment["ALEJO_LOG_LEVEL"] = "error"
    shown = {row["name"]: (row["value"], row["source"]) for row in home.json("config", "show", "--data", "/x")}
    assert [name for name in shown if not name.startswith("plugin.")] == [option.name for option in OPTIONS]
    assert shown["context.tokens"] == (4096, "file")
    assert shown["log.level"] == ("error", "environment")
    assert shown["data.path"] == ("/x", "command line")
    assert shown["server.drain_seconds"] == (8.0, "default")
    assert "context.tokens" in home.run("config", "show").stdout


def test_a_key_is_hidden(home: Home) -> None:
    """A secret setting is never printed."""
    home.environment["ALEJO_API_KEY"] = "alejo_secret"
    assert "alejo_secret" not in home.run("config", "show").stdout
    assert "(hidden)" in home.run("config", "show", "--json").stdout


def test_the_file_that_is_made_changes_nothing(home: Home) -> None:
    """`config init` writes every setting as a comment, for its owner alone, and replaces a file only when forced."""
    home.run("config", "init")
    path = home.config / "alejo.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = home.json("config", "show")
    assert {row["source"] for row in before} == {"default", "environment"}
    path.write_text("[context]\ntokens = 64\n")
    told = home.run("config", "init", code=73).stderr
    assert "alejo config init --force" in told
    assert "64" in path.read_text()
    home.run("config", "init", "--force")
    assert home.json("config", "show") == before


def test_the_template_uncommented_is_every_default() -> None:
    """Without its comment signs each line of the made file sets the default it shows."""
    lines = [line.removeprefix("# ") if " = " in line else line for line in template().splitlines()]
    table = tomllib.loads("\n".join(lines))
    for option in OPTIONS:
        found = table
        for name in option.name.split("."):
            found = found[name]
        assert found == option.default


def test_a_wrong_setting_is_one_sentence(home: Home) -> None:
    """A setting that does not exist or does not fit is named with its place, and the exit code is 78."""
    home.config.mkdir(parents=True)
    path = home.config / "alejo.toml"
    for text, words in (("[server]\nadress = 'x'\n", "server.adress"), ("[context]\ntokens = 'x'\n", "context.tokens")):
        path.write_text(text)
        told = home.run("chat", code=78).stderr
        assert words in told
        assert str(path) in told
    path.unlink()
    home.environment["ALEJO_LOG_LEVEL"] = "loud"
    assert "log.level must be" in home.run("chat", lines="help\n", code=78).stderr


@pytest.mark.parametrize(
    ("named", "zone"),
    [
        ({}, "UTC"),
        ({"TZ": "Etc/UTC"}, "UTC"),
        ({"TZ": ":Asia/Tokyo"}, "Asia/Tokyo"),
        ({"TZ": "/usr/share/zoneinfo/Asia/Tokyo"}, "Asia/Tokyo"),
        ({"TZ": "EST5EDT4,M3.2.0,M11.1.0"}, "UTC"),
        ({"TZ": "Asia/Tokyo", "ALEJO_CONTEXT_TIME_ZONE": "Europe/Vienna"}, "Europe/Vienna"),
    ],
)
def test_the_time_zone_is_the_machine_s(named: dict[str, str], zone: str) -> None:
    """The users' zone is what the setting says, else what TZ names, else UTC where that is no IANA name."""
    assert read(named).time_zone == zone


@pytest.mark.parametrize("number", ["inf", "-inf", "nan"])
def test_a_number_is_finite(number: str) -> None:
    """What is beyond all numbers, or none, is refused when it is read, and not by each turn."""
    with pytest.raises(StartupError, match="must be float"):
        read({"ALEJO_REFLECTION_LINGER_SECONDS": number})
