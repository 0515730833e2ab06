"""The master key's file: one line, `alejo-key-1 ` and 32 bytes in base64; mode 0600; outside the data folder.

It is made once, for a new data folder, and never again: whoever has the data without this file has nothing, so a file
that is missing, altered or readable by others is refused, with the command that helps.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path

from alejo.errors import StartupError
from alejo.storage.disk import locked, write_new
from alejo.storage.keyring import KEY_BYTES

LABEL = "alejo-key-1"
CONFIGURATION = 78  # EX_CONFIG of sysexits(3)


def read(path: Path) -> bytes | None:
    """The master key, or None when there is no such file. Raises StartupError if it cannot be used as it is."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror}", f"ls -l {path}") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise _refused(path, "is not a file", f"ls -l {path}")
        if mode & 0o077:
            raise _refused(path, "can be read by others than its owner", f"chmod 600 {path}")
        text = os.read(descriptor, 1024)
    finally:
        os.close(descriptor)
    label, _, encoded = text.removesuffix(b"\n").partition(b" ")
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        key = b""
    if label != LABEL.encode() or len(key) != KEY_BYTES:
        raise _refused(path, f'is not a key file of ALEJO ("{LABEL} …")', "Restore it from your backup.")
    return key


def read_or_make(path: Path) -> tuple[bytes, bool]:
    """The master key, made now (True) if there is none. Processes that start at once get the same one.

    A made key is on disk, whole, before its name is. Raises StartupError as `read`, OSError if it cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(path.parent):
        key = read(path)
        if key is not None:
            return key, False
        key = os.urandom(KEY_BYTES)
        write_new(path, f"{LABEL} {base64.b64encode(key).decode()}\n".encode())
        return key, True


def _refused(path: Path, what: str, hint: str) -> StartupError:
    return StartupError(f"The master key {path} {what}.", hint=hint, exit_code=CONFIGURATION)
