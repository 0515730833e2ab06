"""Tiny distributions, written by hand and imported for real."""

from __future__ import annotations

import hashlib
import sys
import textwrap
from collections.abc import Mapping
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from typing import Any

from alejo.settings import Settings, read


class Shelf:
    """A folder of installed plugins with a home of its own. `add` puts one on it; `settings` reads settings for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.verdicts = folder.parent / "verdicts"  # shared by all tests that start with what is known to be good

    def add(
        self,
        name: str,
        code: str,
        *,
        entry_point: str | None = None,
        attribute: str = "",
        requires: str = "alejo",
        version: str = "1.0",
    ) -> str:
        """Installs a distribution of one module. Returns the module's name."""
        module = name.replace("-", "_")
        text = textwrap.dedent(code)
        (self.folder / f"{module}.py").write_text(text)
        info = self.folder / f"{module}-{version}.dist-info"
        info.mkdir(exist_ok=True)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: {requires}\n"
        (info / "METADATA").write_text(metadata)
        target = f"{module}:{attribute}" if attribute else module
        (info / "entry_points.txt").write_text(f"[alejo]\n{entry_point or name} = {target}\n")
        (info / "RECORD").write_text(f"{module}.py,sha256={hashlib.sha256(text.encode()).hexdigest()},{len(text)}\n")
        return module

    def entry_points(self) -> list[EntryPoint]:
        """The entry points of all that is on the shelf."""
        return [each for dist in distributions(path=[str(self.folder)]) for each in dist.entry_points]

    def settings(self, *, toml: str = "", environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Settings whose folders are the shelf's; `call_seconds=1` overrides plugins.call_seconds."""
        config = self.home / ".config" / "alejo" / "alejo.toml"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(toml)
        return read(
            {"HOME": str(self.home), **(environment or {})},
            {f"plugins.{name}": value for name, value in overrides.items()},
        )

    def forget_modules(self) -> None:
        """Takes what was imported from the shelf out of Python's memory."""
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", "")).startswith(str(self.folder)):
                del sys.modules[name]
