"""Which plugins an operator switched off while the server ran: a small file of the data folder, kept over a restart.

It says nothing else, and alejo.toml is never written: what that disables stays disabled whatever is switched here.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec

from alejo.errors import StartupError

FILE = "plugins.json"
CONFIGURATION = 78  # EX_CONFIG of sysexits(3)


class _State(msgspec.Struct):
    disabled: list[str] = []


class Switches:
    """The plugins switched off. Without a path they are forgotten with the process."""

    def __init__(self, path: Path | None = None) -> None:
        """Reads the file. Raises StartupError when it is damaged: a plugin that was switched off must not come back."""
        self._path = path
        self.off: frozenset[str] = frozenset()
        if path is None:
            return
        try:
            self.off = frozenset(msgspec.json.decode(path.read_bytes(), type=_State).disabled)
        except (FileNotFoundError, NotADirectoryError):  # what is wrong with the folder is told when it is opened
            return
        except (OSError, msgspec.MsgspecError):
            raise StartupError(
                f"{path} cannot be read, so it is not known which plugins are switched off.",
                hint=f"rm {path}, then switch them off again with: alejo plugins disable NAME",
                exit_code=CONFIGURATION,
            ) from None

    def turn(self, name: str, *, on: bool) -> None:
        """Switches a plugin on or off; on disk when this returns. Raises OSError, and then nothing has changed."""
        off = self.off - {name} if on else self.off | {name}
        if off != self.off and self._path is not None:
            with tempfile.NamedTemporaryFile(dir=self._path.parent, prefix=".alejo-new-", delete=False) as file:
                file.write(msgspec.json.encode(_State(sorted(off))))
                file.flush()
                os.fsync(file.fileno())
            os.replace(file.name, self._path)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)  # the name is on disk too
            finally:
                os.close(folder)
        self.off = off
