"""The exit codes of the command line: one table, from which the documentation is made."""

from __future__ import annotations

import enum

from alejo import errors


class Exit(enum.IntEnum):
    """What a process ends with. From 64 on the numbers are those of sysexits.h."""

    OK = 0
    FAILED = 1
    USAGE = 2
    BAD_INPUT = 65
    NO_INPUT = 66
    UNAVAILABLE = 69
    INTERNAL = 70
    CANNOT_CREATE = 73
    STORAGE = 74
    LOCKED = 75
    NOT_PERMITTED = 77
    CONFIGURATION = 78
    INTERRUPTED = 130


MEANINGS = {
    Exit.OK: "All went well.",
    Exit.FAILED: "Something failed: a line of a chat, a message of an import, a check of doctor, a name not found.",
    Exit.USAGE: "The command line is wrong: an unknown command or option, a missing argument.",
    Exit.BAD_INPUT: "What was given is wrong: a file that cannot be imported, a field the server refuses.",
    Exit.NO_INPUT: "A file to read is not there or may not be read.",
    Exit.UNAVAILABLE: "The server cannot be reached, does not answer in time, or its address is in use.",
    Exit.INTERNAL: "A fault of ALEJO itself; --debug shows where.",
    Exit.CANNOT_CREATE: "The data folder or a file cannot be made.",
    Exit.STORAGE: "The data folder cannot be read or written: full, damaged, or of a newer version.",
    Exit.LOCKED: "The data folder is in use by another server, or a limit was reached; try again later.",
    Exit.NOT_PERMITTED: "The key is wrong or missing, or may not do this.",
    Exit.CONFIGURATION: "A setting is wrong.",
    Exit.INTERRUPTED: "Ended by Ctrl-C.",
}

# The first class that fits decides, so a leaf stands before its parent.
_CODES: tuple[tuple[type[errors.AlejoError], Exit], ...] = (
    (errors.InvalidArgument, Exit.BAD_INPUT),
    (errors.Unauthenticated, Exit.NOT_PERMITTED),
    (errors.PermissionDenied, Exit.NOT_PERMITTED),
    (errors.StorageFull, Exit.STORAGE),
    (errors.ResourceExhausted, Exit.LOCKED),
    (errors.DeadlineExceeded, Exit.UNAVAILABLE),
    (errors.Unavailable, Exit.UNAVAILABLE),
    (errors.DataLoss, Exit.STORAGE),
    (errors.AlejoError, Exit.FAILED),
)


def code(error: errors.AlejoError) -> int:
    """The exit code of an error. A StartupError brings its own."""
    if isinstance(error, errors.StartupError):
        return error.exit_code
    return next(exit_code for kind, exit_code in _CODES if isinstance(error, kind))


def table() -> str:
    """The codes and what they mean, a line each."""
    return "\n".join(f"{exit_code.value:>3}  {meaning}" for exit_code, meaning in MEANINGS.items())
