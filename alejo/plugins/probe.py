"""Imports one plugin in a process of its own and reports how that went. Run by `alejo.plugins.verdicts`.

Only the standard library is imported here, so that what is measured is the plugin. The report, one JSON object with
`error` (empty if all went well), is written to the file descriptor given in the arguments; a report that is missing
means that the import ended the process.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import sys
import time
from typing import Any


def describe(error: BaseException) -> str:
    """An exception in one line of at most 200 characters."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__


def load(module: str, attribute: str) -> None:
    """Imports what an entry point names. Raises whatever the import raises."""
    target: Any = importlib.import_module(module)
    for part in filter(None, attribute.split(".")):
        target = getattr(target, part)


def main() -> None:
    """Takes one JSON argument: path, module, attribute, report (a file descriptor), dump_at (monotonic seconds)."""
    task = json.loads(sys.argv[1])
    sys.path[:] = task["path"]
    os.nice(10)  # a server that tries out a plugin while it works gives its calls the processor first
    # The stack just before the budget ends says where an import hangs.
    faulthandler.dump_traceback_later(max(task["dump_at"] - time.monotonic(), 0.01), file=task["report"])
    error = ""
    try:
        load(task["module"], task["attribute"])
    except BaseException as raised:  # noqa: BLE001  a plugin may raise SystemExit, and that is what is to be found out
        error = describe(raised)
    faulthandler.cancel_dump_traceback_later()
    os.write(task["report"], json.dumps({"error": error}).encode())
    # Threads or exit functions that the plugin left behind must not decide when this ends.
    os._exit(0)


if __name__ == "__main__":
    main()
