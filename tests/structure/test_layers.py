"""The layers of alejo: a module imports only what stands in a row below its own, or in its own folder."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from .imports import ROOT, Import, environment, imports, rings, sources

ROWS = (
    "begun errors verdicts v1 _core __version__",
    "attention moods percepts reminder",
    "types",
    "completions jobs lessons outcomes",
    "cache clock embedding entropy log metrics paging reasons roles settings wire",
    "hooks ids",
    "plugins storage",
    "events queue zones",
    "memory sessions identity profiles models reminders",
    "conversation ownership reflection",
    "learning",
    "app",
    "server client testing",
    "__init__",
    "cli",
    "__main__",
)
ROW_OF = {room: number for number, row in enumerate(ROWS) for room in row.split()}

# Who may import what: a module or a folder of alejo on the right, by its path.
DOORS = {
    "grpc": ("server", "client"),
    "grpc_health": ("server", "client"),
    "grpc_reflection": ("server", "client"),
    "grpc_status": ("server", "client"),
    "alejo.v1": ("server", "client", "wire"),
    "pluggy": ("hooks", "plugins"),
    "jsonschema_rs": ("plugins.arguments",),
    "lmdb": ("storage.lmdb", "storage.snapshot"),
    # Settings, a plugin author's pyproject.toml, and the languages of time expressions.
    "tomllib": ("settings", "testing.project", "memory.when"),
    "cryptography": ("storage",),
    "faiss": ("memory",),
    "numpy": ("memory.faiss",),
    "tokenizers": ("models.counting",),
    "prometheus_client": ("metrics",),
    "click": ("cli",),
    "prompt_toolkit": ("cli",),
}
ENVIRONMENT = ("settings",)

# What a plugin may know of alejo; the built-in ones are held to what a stranger's may.
PLUGIN_API = ("alejo.completions", "alejo.errors", "alejo.hooks", "alejo.jobs", "alejo.roles", "alejo.types")


# And of alejo itself, which loads nothing else.
PLUGIN_NAMES = {"NgramHasher", "PhraseFinder", "SparseVector", "StaticEmbedder", "TokenNet", "blend", "shipped_table"}


def room(module: str) -> str:
    """The folder or module of alejo that a dotted name lies in."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROW_OF else "__init__"


def within(module: str, places: tuple[str, ...]) -> bool:
    return any(module == f"alejo.{place}" or module.startswith(f"alejo.{place}.") for place in places)


def upward(found: list[Import]) -> list[str]:
    return [
        str(one)
        for one in found
        if one.target.split(".")[0] == "alejo"
        and not one.type_only
        and room(one.target) != room(one.importer)
        and ROW_OF[room(one.target)] >= ROW_OF[room(one.importer)]
    ]


def through_the_wall(found: list[Import]) -> list[str]:
    return [
        str(one)
        for one in found
        for door, places in DOORS.items()
        if (one.target == door or one.target.startswith(f"{door}.")) and not within(one.importer, places)
        if not within(one.importer, ("v1",))
    ]


@pytest.fixture(scope="module")
def alejo() -> dict[str, str]:
    return sources(ROOT / "alejo")


def test_every_room_has_its_row(alejo: dict[str, str]) -> None:
    """Every folder and module of alejo stands in the table, and the table names nothing that is not there."""
    here = {name.split(".")[1] for name in alejo} | {"_core", "__version__"}
    assert here == set(ROW_OF)


def test_imports_point_down(alejo: dict[str, str]) -> None:
    """No module of alejo imports from its own row or a row above."""
    assert upward(imports(alejo)) == []


def test_there_are_no_rings(alejo: dict[str, str]) -> None:
    """No modules of alejo import each other in a ring."""
    assert rings(imports(alejo)) == []


def test_foreign_packages_have_one_door(alejo: dict[str, str]) -> None:
    """Each foreign package that has a door is imported through it alone."""
    assert through_the_wall(imports(alejo)) == []


def test_the_environment_is_read_in_settings_alone(alejo: dict[str, str]) -> None:
    """No module but settings reads the environment."""
    assert [place for place in environment(alejo) if not within(place.split(":")[0], ENVIRONMENT)] == []


def test_alejo_does_not_know_its_plugins(alejo: dict[str, str]) -> None:
    """The host imports no plugin, not even a built-in one."""
    plugins = {path.name for path in ROOT.glob("plugins/*/src/*")}
    assert plugins
    assert [str(one) for one in imports(alejo) if one.target.split(".")[0] in plugins] == []


def names_of_alejo(tree: dict[str, str]) -> set[str]:
    """What modules take from alejo itself; "*" is all, as is an import of the whole."""
    nodes = [node for source in tree.values() for node in ast.walk(ast.parse(source))]
    taken = {
        name.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module == "alejo"
        for name in node.names
    }
    whole = [node for node in nodes if isinstance(node, ast.Import) and any(one.name == "alejo" for one in node.names)]
    return taken | ({"*"} if whole else set())


@pytest.mark.parametrize("package", sorted((ROOT / "plugins").glob("*/src/*/")), ids=lambda path: path.name)
def test_a_plugin_knows_only_what_a_stranger_may(package: Path) -> None:
    """A built-in plugin imports alejo's public modules and no other plugin."""
    others = {path.name for path in ROOT.glob("plugins/*/src/*")} - {package.name}
    for one in imports(sources(package)):
        top = one.target.split(".")[0]
        assert top not in others, str(one)
        assert top != "alejo" or one.target.startswith(PLUGIN_API) or one.target == "alejo", str(one)
    assert names_of_alejo(sources(package)) <= PLUGIN_NAMES


BAD = {
    "alejo.errors": "def f():\n    from alejo.storage import lmdb\n",
    "alejo.types": "if TYPE_CHECKING:\n    import alejo.app\nelse:\n    import alejo.cli\n",
    "alejo.storage.__init__": "from .lmdb import Lmdb\n",
    "alejo.storage.lmdb": "import lmdb\nfrom . import Batch\nfrom ..app import Assistant\n",
    "alejo.memory.__init__": "import os, grpc\nimport_module('alejo.server')\nos.getenv('X')\n",
    "alejo.sessions": "from alejo.memory import index\nfrom os import environ\nimport tomllib\n",
}


def test_the_walker_sees_what_is_wrong() -> None:
    """Imports upward, sideways, deep inside, relative, in an else branch and by name are all found in a bad sample."""
    found = imports(BAD)
    assert upward(found) == [
        "alejo.errors:2 imports alejo.storage.lmdb",
        "alejo.types:4 imports alejo.cli",
        "alejo.storage.lmdb:3 imports alejo.app",
        "alejo.memory:2 imports alejo.server",
        "alejo.sessions:1 imports alejo.memory",
    ]
    assert through_the_wall(found) == ["alejo.memory:1 imports grpc", "alejo.sessions:3 imports tomllib"]
    assert set(rings(found)) == {"alejo.storage", "alejo.storage.lmdb"}
    assert environment(BAD) == ["alejo.memory:3", "alejo.sessions:2"]
