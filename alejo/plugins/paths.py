"""Where Python looks for modules, as `.pth` files of site-packages say; it reads them only when it starts itself."""

from __future__ import annotations

import contextlib
import site
from pathlib import Path


class PathFiles:
    """The `.pth` files of this Python. Those that are there when this is made count as read."""

    def __init__(self) -> None:
        self._read = _stamps()

    def catch_up(self) -> None:
        """Reads those that came or changed since, as the next start would: what was installed with `pip install -e`."""
        found, before = _stamps(), self._read
        self._read = found
        for path in sorted(path for path, stamp in found.items() if before.get(path) != stamp):
            with contextlib.suppress(ValueError):  # it is no text, as Python would say at its next start
                site.addpackage(str(path.parent), path.name, None)  # adds no folder that is there already


def _stamps() -> dict[Path, tuple[int, int]]:
    folders = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    stamps = {}
    for path in (path for folder in folders for path in Path(folder).glob("*.pth")):
        with contextlib.suppress(OSError):  # taken away in this moment
            status = path.stat()
            stamps[path] = (status.st_mtime_ns, status.st_size)
    return stamps
