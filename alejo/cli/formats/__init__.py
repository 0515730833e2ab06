"""Conversations of elsewhere, read whole before anything is sent: a file that is wrong imports nothing.

Every session and message gets an origin made from the file's own identifiers, so that the server knows what it has.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from alejo.errors import StartupError

from . import alejo, chatgpt, letta, locomo, mem0
from .conversation import Conversation, wrong

__all__ = ["Conversation", "read"]

NO_INPUT = 66
_FOLDER_HINT = "Name a file in it. An export in Markdown is for reading: alejo export -o FILE writes what import takes."
_TREES: dict[str, Any] = {"locomo": locomo, "chatgpt": chatgpt, "mem0": mem0, "letta": letta}


def read(path: Path, wanted: str = "auto") -> list[Conversation]:
    """The conversations of a file. Raises InvalidArgument naming the line or field, StartupError if it is not there."""
    text = _text(path)
    if wanted == "alejo" or (wanted == "auto" and _is_lines(text)):
        return alejo.parse(text, path.name)
    try:
        tree = json.loads(text)
    except ValueError as error:
        raise wrong(path.name, f"is not valid JSON ({error})") from None
    except RecursionError:
        raise wrong(path.name, "is nested too deeply to be a conversation") from None
    for name, kind in _TREES.items():
        if wanted == name or (wanted == "auto" and kind.fits(tree)):
            found: list[Conversation] = kind.parse(tree, path.name)
            return found
    raise wrong(path.name, f"is none of the known formats (alejo, {', '.join(_TREES)}); say which with --format")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise wrong(path.name, f"is not UTF-8 at byte {error.start}") from None
    except IsADirectoryError:
        inside = path / "conversations.json"
        hint = f"alejo import {inside}" if inside.exists() else _FOLDER_HINT
        raise StartupError(f"{path} is a folder, not a file.", hint=hint, exit_code=NO_INPUT) from None
    except OSError as error:
        raise StartupError(
            f"{path} cannot be read: {error.strerror}.", hint=f"ls -l {path}", exit_code=NO_INPUT
        ) from None


def _is_lines(text: str) -> bool:
    """Whether the first line that is not empty is an object of our own format."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    try:
        item: Any = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return isinstance(item, dict) and "type" in item
