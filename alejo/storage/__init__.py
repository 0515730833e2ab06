"""Where records are kept: one contract, implementations beside it, opened by URL.

A backend sees table names, keys that begin with 32 hashed bytes (tenant, then user), and sealed values. It never sees
a word of what is stored, and needs no key. `alejo.storage.store` is what the rest of ALEJO uses: typed and sealed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec


class Put(msgspec.Struct, frozen=True, gc=False):
    """Writes a record, new or not."""

    table: str
    key: bytes
    value: bytes


class Delete(msgspec.Struct, frozen=True, gc=False):
    """Removes a record, there or not."""

    table: str
    key: bytes


class Expect(msgspec.Struct, frozen=True, gc=False):
    """Refuses the batch with Conflict unless the record has this version; None means it must be absent.

    It sees what earlier operations of the same batch did.
    """

    table: str
    key: bytes
    version: int | None


class Append(msgspec.Struct, frozen=True, gc=False):
    """Adds a row whose key is only known in the commit: prefix ‖ sequence (8 bytes) ‖ place in the batch (2 bytes).

    `seal` is called with the whole key, in any thread, and returns the value; big-endian numbers keep rows in order.
    """

    table: str
    prefix: bytes
    seal: Callable[[bytes], bytes]


Operation = Put | Delete | Expect | Append
Batch = Sequence[Operation]


class Freeing(list[Operation]):
    """A batch that frees more room than it takes, once a backend has had its way with it: to forget, to erase.

    A backend that is full takes it on what it keeps for batches that only delete.
    """


class Record(NamedTuple):
    """A stored record. `version` is the sequence of the commit that wrote it."""

    key: bytes
    value: bytes
    version: int


class Storage(Protocol):
    """A backend.

    Tables need no declaration; names are 1 to 32 ASCII letters or "_". Keys are 1 to 400 bytes, compared as bytes.
    """

    async def commit(self, batch: Batch) -> int:
        """Applies a batch, all or nothing, and returns its sequence number once it is on disk.

        Sequence numbers rise with every commit of any process, and a reader that sees one sees all before it. Raises
        Conflict when an Expect fails, StorageFull when there is no room (batches without a Put or Append still work,
        and so does one that is Freeing), Unavailable when the disk fails; in every such case nothing of the batch is
        kept.
        """
        ...

    async def get(self, table: str, key: bytes) -> Record | None:
        """One record, or None."""
        ...

    async def many(self, table: str, keys: Sequence[bytes]) -> list[Record | None]:
        """The records of these keys, in their order, None where there is none. One call sees one moment."""
        ...

    async def scan(
        self, table: str, prefix: bytes, *, after: bytes = b"", limit: int = 100, reverse: bool = False
    ) -> list[Record]:
        """At most `limit` records whose key begins with `prefix`, in key order, beyond the key `after` if given.

        With `reverse`, in falling order and below `after`. One call sees one moment; no transaction outlives it.
        """
        ...

    async def close(self) -> None:
        """Ends the writer after what was accepted is on disk. Calls after it raise Unavailable."""
        ...
