"""Names and keys as a backend with one ordered tree stores them."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z_]{1,32}")


class _Prefixes(dict[str, bytes]):
    def __missing__(self, table: str) -> bytes:
        if not _NAME.fullmatch(table):
            raise ValueError(f'a table is named by 1 to 32 ASCII letters or "_", not {table!r}')
        self[table] = table.encode() + b"\0"
        return self[table]


PREFIXES: dict[str, bytes] = _Prefixes()
"""What stored keys of a table begin with: its name and NUL. Raises ValueError for a name that is none."""


def check_key(key: bytes) -> bytes:
    """Returns the key. Raises ValueError unless it has 1 to 400 bytes."""
    if 0 < len(key) <= 400:
        return key
    raise ValueError(f"a key has 1 to 400 bytes, not {len(key)}")


def successor(prefix: bytes) -> bytes:
    """The least byte string above every one that begins with `prefix`, which must hold a byte below 0xff."""
    head = prefix.rstrip(b"\xff")
    return head[:-1] + bytes([head[-1] + 1])
