"""Page tokens: opaque, and bound to the question they were given for (AIP-158)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

import msgspec

from alejo.errors import InvalidArgument

PAGE_BYTES = 3 << 20  # below what a gRPC client takes in one message unless told otherwise (4 MiB)
_DIGEST = 6
_CURSOR = 64  # bytes; no list has longer keys, and a backend refuses those it cannot have made
_ITEM_BYTES = 512


def _digest(question: object) -> bytes:
    return hashlib.blake2b(msgspec.msgpack.encode(question, order="deterministic"), digest_size=_DIGEST).digest()


def token(question: object, cursor: bytes) -> str:
    """The token that continues `question` (anything msgpack can encode) beyond `cursor`."""
    return base64.urlsafe_b64encode(_digest(question) + cursor).decode()


def cursor(question: object, page_token: str) -> bytes:
    """The cursor of a token; empty for the first page. Raises InvalidArgument when it belongs to another question."""
    if not page_token:
        return b""
    try:
        blob = base64.b64decode(page_token, altchars=b"-_", validate=True)
    except ValueError:
        blob = b""
    if not _DIGEST < len(blob) <= _DIGEST + _CURSOR or blob[:_DIGEST] != _digest(question):
        raise InvalidArgument.field("page_token", "is not a token of this list with these filters")
    return blob[_DIGEST:]


def weight(text: str) -> int:
    """An upper estimate of the bytes an item with this text takes in a page."""
    return len(text.encode()) + _ITEM_BYTES


def fitting(texts: Sequence[str]) -> int:
    """How many items with these texts fit a page of 3 MiB, at least one."""
    room = PAGE_BYTES
    for count, text in enumerate(texts):
        room -= weight(text)
        if room < 0 and count:
            return count
    return len(texts)
