"""The pages tell the truth: their blocks run, their links lead somewhere, and nothing is left untold."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from alejo.cli.exits import MEANINGS
from alejo.hooks import Specs
from alejo.reasons import REASONS
from alejo.settings import OPTIONS

from .blocks import RUN, SHOWN, Block, beside, blocks, run
from .imports import ROOT

PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *ROOT.glob("plugins/*/README.md"),
        *ROOT.glob("examples/*/README.md"),
    ]
)
LINK = re.compile(r"\]\((?!\w+:|#)([^)#]+)(#[^)]*)?\)")


def page(name: str) -> str:
    return (ROOT / name).read_text()


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def home(folder: Path) -> dict[str, str]:
    """An environment in which a page's blocks find our commands, an empty home and free ports."""
    with socket.socket() as server, socket.socket() as metrics:
        server.bind(("127.0.0.1", 0))
        metrics.bind(("127.0.0.1", 0))
        ports = {
            "ALEJO_SERVER_ADDRESS": f"127.0.0.1:{server.getsockname()[1]}",
            "ALEJO_SERVER_METRICS_ADDRESS": f"127.0.0.1:{metrics.getsockname()[1]}",
        }
    folders = {f"XDG_{kind}_HOME": f"{folder}/.{kind.lower()}" for kind in ("CONFIG", "DATA", "CACHE")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"HOME": str(folder), "PATH": path, "LANG": "C.UTF-8"} | folders | ports


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_blocks_run(path: Path, tmp_path: Path) -> None:
    """Every block of the page that is code runs, and prints what the page shows."""
    environment = home(tmp_path)
    with beside(path.read_text(), tmp_path, environment) as page:
        for block in blocks(name(path), page):
            run(block, tmp_path, environment)


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_blocks_that_do_not_run_say_why(path: Path) -> None:
    """A block of commands that is not run gives its reason; every other block has a kind that is known."""
    for block in blocks(name(path), path.read_text()):
        if block.kind == "sh":
            assert block.excused, f"{block} needs <!-- not run: why -->"
        else:
            assert block.kind in RUN | SHOWN, f"{block} is of an unknown kind"


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    """Every link to a file of the repository finds it."""
    targets = [match[1] for match in LINK.finditer(path.read_text())]
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize(("kind", "text", "fault"), [
    ("python", "raise SystemExit(3)\n", "exit code 3"),
    ("console", "$ false\n", "exit code 1"),
    ("console", "$ echo two; echo three\none\n", "prints"),
])  # fmt: skip
def test_a_false_block_is_noticed(kind: str, text: str, fault: str, tmp_path: Path) -> None:
    """A block that fails, or prints something else than it shows, is refused."""
    with pytest.raises(AssertionError, match=fault):
        run(Block("page", 1, kind, text, False), tmp_path, home(tmp_path))


def test_blocks_are_found() -> None:
    """Kind, line and excuse of a block are read from the page."""
    found = blocks("p", "a\n\n<!-- not run: needs root -->\n```sh\nx\n```\n\n```python\ny\n```\n")
    assert [(b.line, b.kind, b.text, b.excused) for b in found] == [(4, "sh", "x\n", True), (8, "python", "y\n", False)]


def test_every_make_target_that_is_named_exists() -> None:
    """Every `make x` on any page is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", page("Makefile"), re.MULTILINE))
    named = {target for path in PAGES for target in re.findall(r"(?:`|^|\| )make ([a-z]+)", path.read_text(), re.M)}
    assert {"run", "test"} <= named <= targets


def test_make_help_names_every_target() -> None:
    """`make help` tells every target with what it does."""
    told = subprocess.run(["make", "-s", "-C", ROOT, "help"], check=True, capture_output=True, text=True).stdout
    phony = re.search(r"^\.PHONY: (.*)$", page("Makefile"), re.MULTILINE)
    assert phony
    assert sorted(line.split("\t")[0] for line in told.splitlines()) == sorted(f"make {t}" for t in phony[1].split())


def test_the_readme_is_short_and_begins_with_the_two_commands() -> None:
    """README.md has at most 150 lines, and its first block is `make run` and `make test`."""
    readme = page("README.md")
    assert len(readme.splitlines()) <= 150
    first = blocks("README.md", readme)[0].text.splitlines()
    assert [line.split("#")[0].strip() for line in first] == ["make run", "make test"]


def test_every_setting_is_told() -> None:
    """docs/settings.md has a heading or a row for every setting."""
    settings = page("docs/settings.md")
    assert [option.name for option in OPTIONS if f"`{option.name}`" not in settings] == []


def test_every_hook_is_told() -> None:
    """docs/plugins.md names every hook."""
    hooks = [hook for hook in vars(Specs) if hook.startswith("alejo_")]
    assert hooks
    assert [hook for hook in hooks if f"`{hook}`" not in page("docs/plugins.md")] == []


def test_every_call_is_told() -> None:
    """docs/api.md has a heading for every method, message and enum, and beneath it every field and every value."""
    sections = dict(re.findall(r"^##+ (\S+)\n(.*?)(?=^#|\Z)", page("docs/api.md"), re.MULTILINE | re.DOTALL))
    kind, name, missing, found = "", "", [], 0
    for line in (line for proto in (ROOT / "proto").rglob("*.proto") for line in proto.read_text().splitlines()):
        if opened := re.match(r"(service|message|enum) (\w+)", line):
            kind, name = opened[1], opened[2]
            told = name in sections
        elif called := re.match(r"\s+rpc (\w+)", line):
            told = f"{name}.{called[1]}" in sections
        elif inside := re.match(r"\s+(?:[\w.<>, ]+ )?(\w+) = \d+;", line):
            told = f"| `{inside[1]}` | " in sections.get(name, "")
        else:
            continue
        found += 1
        if not told:
            missing.append(f"{kind} {name}: {line.strip()}")
    assert found > 250
    assert missing == []


def test_every_reason_is_told() -> None:
    """docs/errors.md has a row for every reason, with its status."""
    rows = [f"| `{one.name}` | {one.status.name} |" for one in REASONS.values()]
    assert [row for row in rows if row not in page("docs/errors.md")] == []


def test_the_service_config_is_shown_as_it_is() -> None:
    """docs/clients.md shows the service config that is shipped, number by number."""
    (shown,) = (block.text for block in blocks("docs/clients.md", page("docs/clients.md")) if block.kind == "json")
    assert json.loads(shown) == json.loads(page("alejo/service_config.json"))


def test_every_exit_code_is_told() -> None:
    """docs/commands.md has a row for every exit code."""
    assert [code for code in MEANINGS if f"| {code.value} |" not in page("docs/commands.md")] == []
