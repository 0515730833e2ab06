"""The example plugin, installed as its own distribution and served beside bad ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from .shelf import Shelf

DICE = Path(__file__).parents[2] / "examples" / "alejo-dice"
PROGRAM = """
import asyncio, json
from alejo.clock import SystemClock
from alejo.plugins import PluginHost
from alejo.settings import read

async def main():
    host = await PluginHost.start(read(), SystemClock())
    (slot,) = [slot for slot in host.every("command") if slot.plugin == "dice"]
    said = [slot.spec.name, slot.trusted, await host.call(slot, "run", '{"count": 9, "sides": 99}', None)]
    states = {status.distribution: [status.state.name, status.reason] for status in host.statuses()}
    await host.close()
    print(json.dumps({"said": said, "states": states}))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which pip installed the example, without a network."""
    folder = tmp_path_factory.mktemp("installed")
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder), str(DICE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def serve(shelf: Shelf, *folders: Path) -> dict[str, Any]:
    """Starts a process with these folders on its path and returns what its plugins say."""
    shelf.settings(toml="[plugin.dice]\nseed = 7\n")
    path = os.pathsep.join([*map(str, folders), *sys.path])
    environment = {"HOME": str(shelf.home), "PATH": os.environ["PATH"], "PYTHONPATH": path}
    environment["ALEJO_PLUGINS_IMPORT_SECONDS"] = "3"
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_the_example_is_installed_and_served(shelf: Shelf, installed: Path) -> None:
    """The distribution is found, imported apart, loaded and called with its settings."""
    served = serve(shelf, installed)
    assert served["states"]["alejo-dice"] == ["ACTIVE", ""]
    assert served["said"][:2] == ["dice", False]
    assert served["said"] == serve(shelf, installed)["said"]


def test_bad_plugins_beside_it_change_nothing(shelf: Shelf, installed: Path) -> None:
    """A broken, a hanging and a duplicate plugin are told of; the example goes on unless it is the one duplicated."""
    shelf.add("broken", "import no_such_module")
    shelf.add("hanging", "while True: pass")
    shelf.add("other-dice", "", entry_point="cards")
    shelf.add("more-cards", "", entry_point="cards")
    served = serve(shelf, installed, shelf.folder)
    states = {name: state for name, (state, _) in served["states"].items()}
    bad = ("broken", "hanging", "other-dice", "more-cards")
    assert {name: states[name] for name in bad} == dict.fromkeys(bad, "REJECTED")
    assert states["alejo-dice"] == "ACTIVE"
    assert "claimed by more-cards and other-dice" in served["states"]["more-cards"][1]


def test_the_example_fits_on_a_page() -> None:
    """The plugin is one module of at most 50 lines, and a pyproject.toml of at most 25."""
    (module,) = (DICE / "src").rglob("*.py")
    assert len(module.read_text().splitlines()) <= 50
    assert len((DICE / "pyproject.toml").read_text().splitlines()) <= 25
