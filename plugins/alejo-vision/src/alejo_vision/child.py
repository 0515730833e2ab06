"""A process that looks at pictures, as the host sees it: asked, heard step by step, and ended with all it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

from . import frames
from .eye import DECODE, ENCODE, Seen
from .looking import Request

# What it needs to know of its surroundings: no key that the server was given is among it.
_KNOWN = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TESSDATA_PREFIX", "TMPDIR")
_CALM = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS", "MALLOC_ARENA_MAX"), "1"),
    "PYTHONDONTWRITEBYTECODE": "1",
}


class Child:
    """One process. It serves one request at a time, in the thread that asks."""

    def __init__(self, megabytes: int) -> None:
        environment = {name: os.environ[name] for name in _KNOWN if name in os.environ} | _CALM
        self._process = subprocess.Popen(  # noqa: S603  # Python itself, with arguments of our own
            [sys.executable, "-P", "-m", "alejo_vision.eye", str(megabytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            bufsize=0,
            start_new_session=True,  # so that it ends with what it has started, and not with Ctrl-C in a terminal
        )

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def ask(self, request: Request, seconds: float) -> Iterator[Seen]:
        """What it says, step by step; whole when it ends. Raises EOFError when it has ended, TimeoutError.

        Who does not hear it to the end, ends it.
        """
        until = time.monotonic() + seconds
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101, PT018  # pipes
        whole = False
        try:
            frames.write(self._process.stdin.fileno(), ENCODE(request))
            while message := frames.read(self._process.stdout.fileno(), until):
                yield DECODE(message)
            whole = message is not None
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
        finally:
            if not whole:
                self.kill()
        if not whole:
            raise EOFError

    def kill(self) -> None:
        """Stops it, from any thread: whoever asks it hears of its end."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Ends it and waits until it has."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
