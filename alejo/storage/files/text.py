"""Text with a head: what stands between two lines of dashes is fields, one a line, and below them is the text.

The head is a part of YAML that editors of notes read and write: `name: value`, where a value is plain text, or what
JSON calls a string, list or object; or nothing, and below it indented `name: value` or `- value`. No more of YAML.
"""

from __future__ import annotations

import json
import re
from typing import Any

MARK = "---"

_PLAIN = re.compile(r"[A-Za-z0-9][\w .:/@+-]*", re.ASCII)
_FIELD = re.compile(r"([A-Za-z_][\w-]*):(?:\s+(.*))?")
_INNER = re.compile(r'\s+("(?:[^"\\]|\\.)*"|[^\s"\-#][^:]*):(?:\s+(.*))?')
_ITEM = re.compile(r"\s*-\s+(.*)")


class Wrong(ValueError):
    """What is wrong in a file, and the line it is in, from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


def write(fields: dict[str, Any], text: str) -> bytes:
    """The file of these fields, in their order, and the text. `read` gives back both, to the byte."""
    lines = [MARK, *(f"{name}: {_scalar(value)}" for name, value in fields.items()), MARK, "", text]
    return ("\n".join(lines) + "\n").encode()


def read(content: bytes) -> tuple[dict[str, tuple[int, Any]], str]:
    """The fields, each with its line, and the text. Values that are not JSON are str. Raises Wrong.

    A file without a head has no fields. One empty line below the head, and the line's end at the end, are not text.
    """
    try:
        whole = content.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        raise Wrong(content.count(b"\n", 0, error.start) + 1, "is not UTF-8") from None
    head, _, rest = whole.partition("\n")
    if head.rstrip() != MARK:
        return {}, _ended(whole)
    fields: dict[str, tuple[int, Any]] = {}
    number, last = 1, ""
    while True:
        number += 1
        line, more, rest = rest.partition("\n")
        line = line.rstrip()
        if line == MARK:
            break
        if not more:
            raise Wrong(1, f"the head that begins here has no second line of {MARK}")
        last = _take(fields, last, number, line)
    for blank in ("\r\n", "\n"):
        if rest.startswith(blank):
            rest = rest[len(blank) :]
            break
    return fields, _ended(rest)


def _ended(text: str) -> str:
    return text[:-1] if text.endswith("\n") else text


def _take(fields: dict[str, tuple[int, Any]], last: str, number: int, line: str) -> str:
    """Reads a line of the head; returns the field that lines below may belong to."""
    if not line.strip() or line.lstrip().startswith("#"):
        return last
    if found := _FIELD.fullmatch(line):
        name = found[1]
        if name in fields:
            raise Wrong(number, f"{name} stands here a second time")
        fields[name] = number, _value(number, found[2] or "")
        return "" if found[2] else name
    if last and (found := _ITEM.fullmatch(line)):
        _into(fields, last, number, list).append(_value(number, found[1]))
    elif last and (found := _INNER.fullmatch(line)):
        label = _value(number, found[1])
        _into(fields, last, number, dict)[label] = _value(number, found[2] or "")
    else:
        raise Wrong(number, f'is not "name: value": {line.strip()[:40]!r}')
    return last


def _into(fields: dict[str, tuple[int, Any]], name: str, number: int, kind: type[Any]) -> Any:
    line, held = fields[name]
    if held == "":
        held = kind()
        fields[name] = line, held
    if not isinstance(held, kind):
        raise Wrong(number, f"{name} has both items and names below it")
    return held


def _value(number: int, text: str) -> Any:
    text = text.strip()
    if text[:1] in {'"', "[", "{"}:
        try:
            return json.loads(text)
        except ValueError as error:
            raise Wrong(number, f"is not valid JSON: {error}") from None
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    return text.partition(" #")[0].rstrip()


def _scalar(value: Any) -> str:
    """A value that `read` gives back: as text where that is the same, else as JSON, which YAML reads too."""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, str) and _PLAIN.fullmatch(value) and not value.endswith((" ", ":")) and not _taken(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _taken(text: str) -> bool:
    """Whether other readers of YAML would take a plain text for something else."""
    return ": " in text or text.lower() in {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
