"""A plugin's folder as its author has it: pyproject.toml, sources, README."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import msgspec

from alejo.errors import StartupError
from alejo.plugins import Candidate

GROUP = "alejo"


class Project(msgspec.Struct, frozen=True):
    """What pyproject.toml says, as far as the host will care. `points` are the entry points of the group `alejo`."""

    folder: Path
    name: str
    version: str
    requires: tuple[str, ...]
    points: dict[str, str]

    @property
    def file(self) -> Path:
        """Where all this stands."""
        return self.folder / "pyproject.toml"

    def source(self, module: str) -> Path | None:
        """The folder to import a module from, if its source is in the project: src/ or the project itself."""
        top = module.partition(".")[0]
        for place in (self.folder / "src", self.folder):
            if (place / top / "__init__.py").exists() or (place / f"{top}.py").exists():
                return place
        return None

    def candidate(self, name: str) -> Candidate:
        """The plugin as the host would find it, were it installed."""
        return Candidate(EntryPoint(name, self.points[name], GROUP), name, self.name, self.version, False)


def read(folder: Path) -> Project:
    """Reads a plugin's folder. Raises StartupError when there is no pyproject.toml that can be read."""
    file = folder / "pyproject.toml"
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise StartupError(f"There is no {file}.", hint="alejo plugins new NAME writes one") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StartupError(f"{file} cannot be read: {error}.", hint="Mend it, then check again.") from None
    project: dict[str, Any] = table.get("project", {})
    try:
        points = msgspec.convert(project.get("entry-points", {}).get(GROUP, {}), dict[str, str])
        requires = msgspec.convert(project.get("dependencies", []), tuple[str, ...])
    except (msgspec.ValidationError, AttributeError):
        raise StartupError(f"{file}: dependencies or entry-points are not what they must be.") from None
    return Project(folder, str(project.get("name", "")), str(project.get("version", "0")), requires, points)
