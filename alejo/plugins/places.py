"""Where in a plugin's code something happened, as people name it: file:line."""

from __future__ import annotations

import sys
from pathlib import PurePath
from types import FrameType, TracebackType


def short(path: str, line: int, package: str) -> str:
    """The path from the package's folder on, or the file alone: enough to find it, and nothing about the machine."""
    parts = PurePath(path).parts
    inside = parts[parts.index(package) :] if package in parts else parts[-1:]
    return f"{'/'.join(inside)}:{line}"


def of_frame(frame: FrameType | None, package: str) -> str:
    """The innermost place in the package, else the innermost place at all; empty without a frame."""
    innermost = ""
    while frame is not None:
        place = short(frame.f_code.co_filename, frame.f_lineno, package)
        if _package(frame) == package:
            return place
        innermost = innermost or place
        frame = frame.f_back
    return innermost


def of_function(function: object) -> str:
    """Where a function is defined; empty for what is not written in Python."""
    function = getattr(function, "__func__", function)
    code, names = getattr(function, "__code__", None), getattr(function, "__globals__", {})
    if code is None:
        return ""
    return short(code.co_filename, code.co_firstlineno, str(names.get("__name__", "")).partition(".")[0])


def of_traceback(traceback: TracebackType | None, package: str) -> str:
    """The innermost place in the package that an exception came through, else where it was raised."""
    inside = last = ""
    while traceback is not None:
        last = short(traceback.tb_frame.f_code.co_filename, traceback.tb_lineno, package)
        if _package(traceback.tb_frame) == package:
            inside = last
        traceback = traceback.tb_next
    return inside or last


def of_error(error: BaseException, package: str) -> str:
    """An exception's class and place. Its text stays out: it may carry what a user said."""
    place = of_traceback(error.__traceback__, package)
    return f"{type(error).__name__} at {place}" if place else type(error).__name__


def of_thread(ident: int | None, package: str) -> str:
    """Where a thread is right now; empty if it waits in its event loop or has ended."""
    frame = sys._current_frames().get(ident or 0)
    if frame is None or _is_waiting(frame):
        return ""
    return of_frame(frame, package)


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _is_waiting(frame: FrameType) -> bool:
    caller = frame.f_back
    return frame.f_code.co_name == "select" and caller is not None and caller.f_code.co_name == "_run_once"
