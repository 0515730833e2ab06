"""The keys: one master key, what is derived from it, and the data keys that seal each user's records.

A sealed value is: format (1 byte, 1) ‖ key id (4) ‖ nonce (12, random) ‖ AES-256-GCM ciphertext and tag. What is bound
to it (the associated data) is: format (1) ‖ key id (4) ‖ length of the table's name (1) ‖ the name ‖ tenant (16) ‖
user (16) ‖ the record's own key. Every part has a fixed or stated length, so no two places bind the same bytes: a value
opens only in its table, for its user, under its key. What this cannot tell is an older value of the very same record.

A user's data keys are numbered from 1; the highest seals, all of them open. Each is random, kept in the table
`data_key` (tenant ‖ user ‖ number) sealed in the same form by a key derived from the master key, whose key id names
the master key. Without its row a data key is gone, and all it sealed with it.

AES-GCM with random nonces allows 2^32 values per key (NIST SP 800-38D, 8.3). Instead of a counter, which a restored
backup would turn back, each seal retires its key with probability 2^-26: that process's next writer makes a new one.
No state is kept, and one process seals more than 2^32 values with a key by a chance of e^-64; twenty that run at once
and each know only of their own retirement, by one below 10^-10.
"""

from __future__ import annotations

import functools
import os
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from alejo.entropy import random_bytes
from alejo.errors import DataLoss
from alejo.types import Scope

FORMAT = 1
HEADER_BYTES = 5
KEY_BYTES = 32
PREFIX_BYTES = 32
NONCE_BYTES = 12
DATA_KEYS = "data_key"
RETIRE_BITS = 26
_SCOPES = 4096  # whose prefixes are kept ready

_BODY = HEADER_BYTES + NONCE_BYTES


class SealingKey:
    """A key that seals and opens values. Safe in any thread. `retired` asks for a successor; it still opens."""

    __slots__ = ("_aead", "_last", "header", "retired")

    def __init__(self, secret: bytes, number: int, retire_bits: int = RETIRE_BITS) -> None:
        self.header = bytes((FORMAT,)) + number.to_bytes(4, "big")
        self.retired = False
        self._aead = AESGCM(secret)
        self._last = (1 << 8 * NONCE_BYTES - retire_bits).to_bytes(NONCE_BYTES, "big")

    def seal(self, table: str, plain: bytes, key: bytes) -> bytes:
        """The sealed form of `plain` for the record `key` (with tenant and user) of `table`."""
        nonce = random_bytes(NONCE_BYTES)
        if nonce < self._last:
            self.retired = True
        return self.header + nonce + self._aead.encrypt(nonce, plain, self.header + _named(table) + key)

    def open(self, table: str, sealed: bytes, key: bytes) -> bytes:
        """What was sealed; its header is not compared. Raises InvalidTag of `cryptography`, ValueError if too short."""
        return self._aead.decrypt(sealed[HEADER_BYTES:_BODY], sealed[_BODY:], self.header + _named(table) + key)


class Keyring:
    """What the master key (32 bytes) gives: scope prefixes, the wrapping of data keys, a check value."""

    def __init__(self, master: bytes, *, retire_bits: int = RETIRE_BITS) -> None:
        if len(master) != KEY_BYTES:
            raise ValueError("a master key has 32 bytes")
        self._scopes = _derive(master, b"alejo 1 scope prefixes")
        self._checks = _derive(master, b"alejo 1 key check")
        self._receipts = _derive(master, b"alejo 1 receipts")
        self._retire_bits = retire_bits
        self.prefix = functools.lru_cache(_SCOPES)(self._prefix)
        number = int.from_bytes(blake2b(b"alejo 1 master key id", key=self._checks, digest_size=4).digest(), "big")
        self._wrapping = SealingKey(_derive(master, b"alejo 1 data keys"), number)

    def _prefix(self, scope: Scope) -> bytes:
        """Tenant (16 bytes) ‖ user (16 bytes): keyed hashes, so that a key tells neither; the second covers both."""
        tenant = self._hash(scope.tenant.encode("utf-8", "surrogatepass"), b"tenant")
        return tenant + self._hash(tenant + scope.user.encode("utf-8", "surrogatepass"), b"user")

    def check(self, identifier: str) -> str:
        """A value by which a data folder recognises its master key, and from which nothing can be learned."""
        return blake2b(identifier.encode(), key=self._checks, digest_size=16).hexdigest()

    def mark(self, purpose: bytes, value: bytes) -> bytes:
        """A mark (16 bytes) by which a value that was given out for a purpose is known again, unaltered."""
        return blake2b(value, key=self._receipts, person=purpose, digest_size=16).digest()

    def make(self, prefix: bytes, number: int) -> bytes:
        """A new random data key, wrapped for the row `prefix` ‖ `number` of the table `data_key`."""
        return self._wrapping.seal(DATA_KEYS, os.urandom(KEY_BYTES), data_key_row(prefix, number))

    def unwrap(self, row: bytes, wrapped: bytes) -> SealingKey:
        """The data key of a row of `data_key`. Raises DataLoss if it was altered, moved or wrapped by another key."""
        try:
            if wrapped[:HEADER_BYTES] != self._wrapping.header:
                raise ValueError
            secret = self._wrapping.open(DATA_KEYS, wrapped, row)
            return SealingKey(secret, int.from_bytes(row[PREFIX_BYTES:], "big"), self._retire_bits)
        except (InvalidTag, ValueError):
            raise DataLoss("A user's data key was altered or belongs to another master key.") from None

    def _hash(self, value: bytes, person: bytes) -> bytes:
        return blake2b(value, key=self._scopes, person=person, digest_size=16).digest()


def data_key_row(prefix: bytes, number: int) -> bytes:
    """Where a user's data key stands in the table `data_key`."""
    return prefix + number.to_bytes(4, "big")


def _derive(master: bytes, purpose: bytes) -> bytes:
    """A subkey by HKDF-SHA256 (RFC 5869)."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose).derive(master)


@functools.cache
def _named(table: str) -> bytes:
    return bytes((len(table),)) + table.encode("ascii")
