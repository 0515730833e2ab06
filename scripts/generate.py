"""Writes what is generated: the code of alejo/v1 and what docs/ says of calls, commands, settings, states and errors.

With --check nothing is written; differences are named and end in exit code 1.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click
import figures
from api import page as api_page
from google.protobuf.descriptor_pb2 import FileDescriptorSet

import alejo as alejo_room
from alejo.cli.exits import MEANINGS
from alejo.cli.root import MODULES, alejo
from alejo.plugins.states import diagram
from alejo.plugins.surface import VERSION, surface
from alejo.reasons import REASONS
from alejo.sessions import TRANSITIONS
from alejo.settings import OPTIONS, toml

ROOT = Path(__file__).resolve().parent.parent
PROTOS = sorted((ROOT / "proto").rglob("*.proto"))
MARK = "<!-- Written by `make generate` from {}. DO NOT EDIT. -->"
Files = Mapping[Path, bytes]


def wire() -> Files:
    """The Python code of every .proto file, its types and its services."""
    with tempfile.TemporaryDirectory() as folder:
        _protoc(*(f"--{kind}_out={folder}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")))
        made = {path.relative_to(folder): path.read_bytes() for path in Path(folder).rglob("*.py*")}
    old = {path.relative_to(ROOT): b"" for path in (ROOT / "alejo" / "v1").glob("*_pb2*")}
    return old | made


def api() -> Files:
    """docs/api.md: every call and message, with the comments of the .proto files."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "image")
        _protoc("--include_source_info", f"--descriptor_set_out={image}")
        files = FileDescriptorSet.FromString(image.read_bytes()).file
    return {Path("docs/api.md"): api_page(files, MARK.format("proto/")).encode()}


def _protoc(*outputs: str) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}", *outputs, *map(str, PROTOS)]
    run = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stdout + run.stderr)


def settings() -> Files:
    """docs/settings.md: every setting of the table."""
    lines = [
        "# The settings",
        "",
        MARK.format("the table in alejo/settings.py"),
        "",
        "What wins, from weakest: the default, `alejo.toml`, the environment, the command line. `alejo config show`",
        "says where each value came from; `alejo config init` writes a commented `alejo.toml`.",
    ]
    for option in OPTIONS:
        variables = " or ".join(f"`{name}`" for name in (option.alias, option.variable) if name)
        lines += ["", f"## `{option.name}`", "", option.help, ""]
        lines += [f"Default `{toml(option.default)}`; in the environment {variables}."]
    return {Path("docs/settings.md"): ("\n".join(lines) + "\n").encode()}


def commands() -> Files:
    """docs/commands.md: what every command says with --help, and the exit codes."""
    lines = ["# The commands", "", MARK.format("alejo/cli")]
    ours = [command for name in MODULES if (command := alejo.get_command(click.Context(alejo), name))]
    door = click.Group(
        "alejo", params=alejo.params, help=alejo.help, commands=ours, context_settings=alejo.context_settings
    )
    for context in _commands(click.Context(door, info_name="alejo", terminal_width=100, **alejo.context_settings)):
        lines += ["", f"## {context.command_path}", "", "```text", context.get_help().strip(), "```"]
    lines += ["", "## Exit codes", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items()]
    return {Path("docs/commands.md"): ("\n".join(lines) + "\n").encode()}


def _commands(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name, inner in sorted(context.command.commands.items()):
            yield from _commands(click.Context(inner, context, name))


def stable() -> Files:
    """docs/surface.md: what a plugin may count on."""
    lines = [
        "# What a plugin may count on",
        "",
        MARK.format("alejo/plugins/surface.py"),
        "",
        f"Version {VERSION} of the surface. What is listed here stays as it is until its first number changes; what is",
        "new raises the second. `tests/structure/test_surface.py` compares it with what was recorded.",
        "",
        "The rest of `alejo`, but for `alejo.testing`, may change with any release. Declare the range you tested",
        "with in `dependencies`, such as `alejo>=0.1.0.dev0,<0.2`.",
    ]
    for part, found in surface(alejo_room.__all__).items():
        lines += ["", f"## {part}", "", "```text", *found, "```"]
    return {Path("docs/surface.md"): ("\n".join(lines) + "\n").encode()}


def states() -> Files:
    """The diagrams of the states of sessions and plugins, in the pages that tell of them."""
    steps = [f"    {a.name.lower()} --> {b.name.lower()}" for a, ends in TRANSITIONS.items() for b in sorted(ends)]
    sessions = "\n".join(["stateDiagram-v2", "    [*] --> created", *steps])
    pages = (("docs/architecture.md", "session states", sessions), ("docs/plugins.md", "plugin states", diagram()))
    return {
        Path(page): between((ROOT / page).read_text(), name, f"```mermaid\n{drawn}\n```").encode()
        for page, name, drawn in pages
    }


def reasons() -> Files:
    """The table of reasons, in the page that tells of errors."""
    rows = ["| reason | status | what happened | what to do | send again? |", "|---|---|---|---|---|"]
    rows += [
        f"| `{one.name}` | {one.status.name} | {one.meaning} | {one.advice} | {one.retry.value} |"
        for one in REASONS.values()
    ]
    page = Path("docs/errors.md")
    return {page: between((ROOT / page).read_text(), "reasons", "\n".join(rows)).encode()}


def tables() -> Files:
    """The tables of figures, from the files that the benchmarks wrote."""
    folder = ROOT / "benchmarks" / "figures"
    page = (ROOT / "docs/benchmarks.md").read_text()
    parts = {
        "figures": figures.core,
        "recall figures": figures.recall,
        "memory figures": figures.memory,
        "reflection figures": figures.plain("reflection.jsonl"),
        "brain figures": figures.plain("brain.jsonl"),
        "brain own figures": figures.plain("brain-own.jsonl"),
        "prediction figures": figures.plain("prediction.jsonl", "prediction-locomo.jsonl"),
        "command figures": figures.plain("commands.jsonl"),
        "mind figures": figures.plain("emotion.jsonl", "conscience.jsonl"),
        "vision figures": figures.plain("vision.jsonl"),
        "models figures": figures.plain("models.jsonl"),
    }
    for name, table in parts.items():
        page = between(page, name, table(folder))
    front = between((ROOT / "README.md").read_text(), "figures", figures.readme(folder))
    return {Path("README.md"): front.encode(), Path("docs/benchmarks.md"): page.encode()}


def between(document: str, name: str, text: str) -> str:
    """The document with `text` between its markers `<!-- name -->` and `<!-- /name -->`. Raises ValueError without."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    head, found, rest = document.partition(start)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"the markers {start} and {end} are missing")
    return f"{head}{start}\n{text}\n{end}{tail}"


SOURCES: tuple[Callable[[], Files], ...] = (wire, api, settings, commands, states, stable, reasons, tables)


def main(arguments: list[str]) -> int:
    """Writes every generated file, or with --check says which would change."""
    files: dict[Path, bytes] = {}
    for source in SOURCES:
        files.update(source())
    changed = [path for path, new in files.items() if _read(ROOT / path) != new]
    if "--check" in arguments:
        for path in changed:
            print(f"{path} is not what make generate writes")
        return 1 if changed else 0
    for path in changed:
        if files[path]:
            (ROOT / path).write_bytes(files[path])
        else:
            (ROOT / path).unlink()
        print(f"· {path}", file=sys.stderr)
    return 0


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
