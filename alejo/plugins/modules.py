"""The modules of one distribution, taken out of Python's memory so that its code is read anew."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from .discovery import Candidate


def of(candidate: Candidate) -> dict[str, ModuleType]:
    """Those imported from the files of the plugin's distribution; never ALEJO's own, nor what it depends on."""
    files = _files(candidate)
    # An editable install lists no module of its own: there it is the package that the entry point names.
    listed = any(_top(candidate, file) for file in files)
    found = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not file or name.partition(".")[0] == "alejo":
            continue
        inside = name == candidate.package or name.startswith(f"{candidate.package}.")
        if file in files or (inside and not listed):
            found[name] = module
    return found


@contextlib.contextmanager
def afresh(candidate: Candidate) -> Iterator[None]:
    """Within the block the plugin is imported anew. If the block raises, the modules are again those of before."""
    old = of(candidate)
    for name in old:
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    try:
        yield
    except BaseException:
        for name in of(candidate):
            sys.modules.pop(name, None)
        sys.modules.update(old)
        raise


def _files(candidate: Candidate) -> set[str]:
    dist = candidate.metadata
    listed = (dist.files if dist is not None else None) or ()
    return {str(Path(str(file.locate())).resolve()) for file in listed if file.suffix in {".py", ".so"}}


def _top(candidate: Candidate, file: str) -> bool:
    path = Path(file)
    return candidate.package in (*path.parts, path.stem)
