"""`alejo plugins new` and `check`: from nothing to a plugin that a host takes, and what is said of one it would not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from alejo.cli.authoring import ROLES
from alejo.cli.scaffold import ROLES as WRITTEN
from alejo.cli.scaffold import files
from alejo.testing.check import check

from .home import Home

ROOT = Path(__file__).parents[2]
MODULE = "src/alejo_thing/__init__.py"


def made(folder: Path, role: str = "command", **replacements: str) -> Path:
    """A new plugin, written into a folder, with pieces of its files replaced: `module="old → new"`."""
    plugin = folder / "alejo-thing"
    for path, text in files("thing", role).items():
        (plugin / path).parent.mkdir(parents=True, exist_ok=True)
        (plugin / path).write_text(text)
    for name, change in replacements.items():
        path = plugin / {"module": MODULE, "project": "pyproject.toml", "readme": "README.md"}[name]
        old, _, new = change.partition(" → ")
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    return plugin


def found(home: Home, plugin: Path, code: int, *more: str) -> list[dict[str, Any]]:
    """What the check says."""
    return json.loads(home.run("plugins", "check", str(plugin), "--json", *more, code=code).stdout)  # type: ignore[no-any-return]


@pytest.mark.parametrize("role", ROLES)
def test_a_new_plugin_passes_its_check_and_its_tests(home: Home, role: str) -> None:
    """What `new` writes for a role passes `check`, its own tests, ruff and mypy --strict."""
    home.run("plugins", "new", "thing", "--role", role, "--in", str(home.folder))
    plugin = home.folder / "alejo-thing"
    findings = found(home, plugin, 0)
    assert {"version range", "entry point", "import", "hooks", "settings", "deadline", "cancellation"} == {
        finding["check"] for finding in findings
    }
    for command in (
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        [
            str(Path(sys.executable).parent / "ruff"),
            "check",
            "--isolated",
            "--select=E,F,UP",
            "--line-length=120",
            ".",
        ],
    ):
        done = subprocess.run(command, cwd=plugin, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_new_plugins_are_typed(tmp_path: Path) -> None:
    """mypy --strict accepts the code of every role."""
    for role in ROLES:
        (tmp_path / f"{role}.py").write_text(files("thing", role)[MODULE])
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        "--cache-dir",
        str(ROOT / ".mypy_cache"),
        ".",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_roles_are_those_that_can_be_written() -> None:
    """The command offers every role that there are files for."""
    assert list(ROLES) == sorted(WRITTEN)


def test_new_overwrites_nothing(home: Home) -> None:
    """A folder that is there, or a name that is none, is refused with what helps."""
    home.run("plugins", "new", "coffee-machine", "--in", str(home.folder))
    assert (home.folder / "alejo-coffee-machine/src/alejo_coffee_machine/__init__.py").exists()
    assert "is there already" in home.run("plugins", "new", "coffee-machine", "--in", str(home.folder), code=73).stderr
    assert "no name for a plugin" in home.run("plugins", "new", "Coffee", code=2).stderr


RUN = "return f\"{self._word}, {arguments or 'you'}!\""
FAULTS = {
    "entry point": ({"project": 'thing = "alejo_thing" → thing = "alejo_thin"'}, "pyproject.toml", "Name the module"),
    "no entry point": ({"project": "points.alejo → points.alejoo"}, "pyproject.toml", "[project.entry-points.alejo"),
    "version range": ({"project": '"alejo>=0.1.0.dev0,<0.2" → "alejo"'}, "pyproject.toml", '"alejo>=0.1.0.dev0,<0.2"'),
    "other version": ({"project": ">=0.1.0.dev0,<0.2 → >=7,<8"}, "pyproject.toml", '"alejo>=0.1.0.dev0,<0.2"'),
    "hook": ({"module": "alejo_register_commands → alejo_register_comands"}, f"{MODULE}:", "alejo_register_commands"),
    "role": ({"module": "async def run → async def ran"}, MODULE, "alejo.roles"),
    "not async": ({"module": "async def run → def run"}, f"{MODULE}:", "async def run"),
    "settings": ({"module": '] = "Hello" → ] = 7'}, MODULE, ""),
    "no description": ({"module": 'description="The word it uses.",  → '}, MODULE, "msgspec.Meta"),
    "not documented": ({"readme": "word → wort"}, "README.md", "alejo plugins show thing --markdown"),
    "import": ({"module": "from typing import → import nothing_like_it\nfrom typing import"}, MODULE, ""),
    "exit at import": ({"module": "import msgspec → import os; os._exit(3)\nimport msgspec"}, MODULE, "imported"),
    "slow import": ({"module": "import msgspec → import time; time.sleep(1.2)\nimport msgspec"}, MODULE, "first call"),
    "deadline": ({"module": f"{RUN} → import time; time.sleep(0.6); return ''"}, f"{MODULE}:", "asyncio.to_thread"),
    "wrong answer": ({"module": f"{RUN} → return 7"}, MODULE, "alejo.roles"),
    "raises": ({"module": f"{RUN} → raise ValueError"}, f"{MODULE}:", "alejo.roles"),
    "exit": ({"module": f"{RUN} → import os; os._exit(3)"}, MODULE, "must not end the process"),
    "cancellation": (
        {"module": f"{RUN} → import asyncio\n        for _ in range(30):\n            try:\n"
         "                await asyncio.sleep(0.1)\n            except asyncio.CancelledError:\n                pass\n"
         "        return ''"},
        f"{MODULE}:",
        "CancelledError",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_file_and_fix(tmp_path: Path, fault: str) -> None:
    """Each kind of mistake is told with the file to mend and what mends it, and does not end the check."""
    changes, file, fix = FAULTS[fault]
    plugin = made(tmp_path, **changes)
    bad = next(finding for finding in check(plugin) if finding.level == "fail")
    assert file in bad.file, bad
    assert fix in bad.fix, bad
    assert Path(re.sub(r":\d+$", "", bad.file)).exists()


def test_the_check_ends_with_what_it_found(home: Home) -> None:
    """A failure is exit code 1, the file and the fix, for people and for programs."""
    plugin = made(home.folder, module="alejo_register_commands → alejo_register_comands")
    told = home.run("plugins", "check", str(plugin), code=1).stdout
    assert "fail  hooks: There is no hook alejo_register_comands." in told
    assert "src/alejo_thing/__init__.py:" in told
    assert "Try: Did you mean alejo_register_commands?" in told
    assert [finding["check"] for finding in found(home, plugin, 1) if finding["level"] == "fail"] == ["hooks"]


def test_a_folder_without_a_project_is_told(home: Home) -> None:
    """Without a pyproject.toml there is nothing to check, and the command that writes one is named."""
    told = home.run("plugins", "check", str(home.folder), code=1).stderr
    assert "There is no" in told
    assert "alejo plugins new NAME" in told


@pytest.mark.parametrize("folder", [ROOT / "examples/alejo-dice", *ROOT.glob("plugins/*")], ids=lambda path: path.name)
def test_our_own_plugins_pass(folder: Path) -> None:
    """The example and the built-in plugins pass what others' must."""
    assert [finding for finding in check(folder) if finding.level != "ok"] == []
