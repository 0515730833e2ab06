"""The log: one JSON object a line on stderr, written in batches. Never a word a user said, never a user's name.

`configure` is called once by whoever owns the process (the server, the command line). A library that was only imported
writes nothing; one that is open gives its warnings to the program's own `logging`.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import sys
import threading
import time
import traceback
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger

FLUSH_SECONDS = 0.2
_FLUSH_LINES = 512
_encode = msgspec.json.Encoder(enc_hook=str).encode


class Lines:
    """A stream that is written at most every 200 ms while an event loop runs, and at once otherwise."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: list[str] = []
        self._lock = threading.Lock()
        self._due: asyncio.TimerHandle | None = None

    def write(self, line: str, *, now: bool = False) -> None:
        """Adds a line; with `now` it is written before this returns."""
        self._waiting.append(line)
        if now or len(self._waiting) >= _FLUSH_LINES:
            self.flush()
        elif self._due is None:
            try:
                self._due = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
            except RuntimeError:
                self.flush()

    def flush(self) -> None:
        """Writes what waits. A stream that was closed loses it."""
        with self._lock:
            lines, self._waiting = self._waiting, []
            self._due = None
            if not lines:
                return
            try:
                self._stream.write("\n".join(lines) + "\n")
                self._stream.flush()
            except (ValueError, OSError):  # the process ends, or nobody reads any more: there is nobody left to tell
                pass


class _Output:
    """What structlog hands finished lines to; a method for each level."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def debug(self, line: str) -> None:
        self._lines.write(line)

    info = debug

    def warning(self, line: str) -> None:
        self._lines.write(line, now=True)

    error = warning
    critical = warning


class _Stamp:
    """The present time as ISO 8601 in UTC, its seconds formatted once a second."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def __call__(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = second
        return f"{self._text}.{int((now - second) * 1000):03d}Z"


_stamp = _Stamp()


def _render(logger: Any, level: str, event: EventDict) -> str:
    return _encode({"at": _stamp(), "level": level, **event}).decode()


class _Library(logging.Handler):
    """Lines of libraries that use the standard library's logging."""

    def emit(self, record: logging.LogRecord) -> None:
        say = get().error if record.levelno >= logging.ERROR else get().warning
        error = record.exc_info[1] if record.exc_info else None
        extra: dict[str, Any] = {"trace": trace(error)} if error is not None else {}
        if record.args and "%" in str(record.msg):
            # A message without places to fill in may have been filled in by the library, with whose words nobody knows.
            extra["template"] = str(record.msg).partition("\n")[0][:200]
        say("a library reports", library=record.name, place=f"{record.module}:{record.lineno}", **extra)


_lines: Lines | None = None


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Sets up the log of this process. `level` is debug, info, warning or error; the stream is stderr by default.

    Raises ValueError on another level.
    """
    global _lines  # noqa: PLW0603  a process has one log
    number = {"debug": 10, "info": 20, "warning": 30, "error": 40}.get(level)
    if number is None:
        raise ValueError("log.level must be debug, info, warning or error")
    if _lines is not None:
        _lines.flush()
        atexit.unregister(_lines.flush)
    lines = _lines = Lines(stream or sys.stderr)
    atexit.register(lines.flush)
    structlog.configure(
        processors=[_render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _Output(lines),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [one for one in root.handlers if not isinstance(one, _Library)]
    root.addHandler(_Library(logging.WARNING))


def hand_over() -> None:
    """Gives what a library logs to the standard `logging` of the program, unless that set up structlog itself."""
    if not structlog.is_configured():
        structlog.configure(
            processors=[structlog.processors.KeyValueRenderer(key_order=["event"])],
            wrapper_class=structlog.stdlib.BoundLogger,
            logger_factory=structlog.stdlib.LoggerFactory(),
        )


def get() -> FilteringBoundLogger:
    """The logger of this process; silent until `configure` was called. Cheap to call, not for hot paths."""
    if _lines is None:
        return _silent()
    made: FilteringBoundLogger = structlog.get_logger().bind()
    return made


def _silent() -> FilteringBoundLogger:
    def drop(logger: Any, level: str, event: EventDict) -> EventDict:
        raise structlog.DropEvent

    wrapper = structlog.make_filtering_bound_logger(50)
    made: FilteringBoundLogger = structlog.wrap_logger(None, processors=[drop], wrapper_class=wrapper).bind()
    return made


def flush() -> None:
    """Writes what waits."""
    if _lines is not None:
        _lines.flush()


def trace(error: BaseException) -> list[str]:
    """Where an exception and its causes came from: types and places. Texts stay out, as they may hold content."""
    told: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(told) < 100:
        told.append(type(seen).__qualname__)
        told.extend(
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(seen.__traceback__)[-20:]
        )
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return told
