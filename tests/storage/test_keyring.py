"""The keys: what they bind, what they refuse, and that they never change."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from alejo.errors import DataLoss
from alejo.storage.keyring import HEADER_BYTES, NONCE_BYTES, Keyring, SealingKey, data_key_row
from alejo.types import Scope

MASTER = bytes(range(32))
PLACE = bytes(32) + b"key"


def sealing_key(keyring: Keyring, scope: Scope, number: int = 1) -> SealingKey:
    prefix = keyring.prefix(scope)
    return keyring.unwrap(data_key_row(prefix, number), keyring.make(prefix, number))


@given(st.binary(max_size=2_000), st.binary(min_size=1, max_size=300))
def test_a_sealed_value_opens_in_its_place(plain: bytes, key: bytes) -> None:
    """What was sealed comes back, 33 bytes longer on the way."""
    keys = SealingKey(MASTER, 7)
    sealed = keys.seal("message", plain, key)
    assert len(sealed) == len(plain) + 33
    assert keys.open("message", sealed, key) == plain


def test_a_sealed_value_opens_nowhere_else() -> None:
    """Another table, another key, another key number and another secret each refuse it."""
    sealed = SealingKey(MASTER, 7).seal("message", b"words", PLACE)
    for keys, table, place in (
        (SealingKey(MASTER, 7), "memory", PLACE),
        (SealingKey(MASTER, 7), "messag", b"e" + PLACE),
        (SealingKey(MASTER, 7), "message", PLACE + b"\0"),
        (SealingKey(MASTER, 7), "message", b"\1" + PLACE[1:]),
        (SealingKey(MASTER, 8), "message", PLACE),
        (SealingKey(MASTER[::-1], 7), "message", PLACE),
    ):
        with pytest.raises(InvalidTag):
            keys.open(table, sealed, place)


def test_every_bit_counts() -> None:
    """A flip of any bit of the nonce, the ciphertext or the tag refuses the value."""
    keys = SealingKey(MASTER, 7)
    sealed = keys.seal("message", b"words", PLACE)
    for bit in range(HEADER_BYTES * 8, len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InvalidTag):
            keys.open("message", bytes(flipped), PLACE)


def test_no_nonce_repeats() -> None:
    """100,000 seals of one key from four threads have 100,000 nonces, and all of them open."""
    keys = SealingKey(MASTER, 7)

    def seal(part: int) -> set[bytes]:
        nonces = set()
        for number in range(25_000):
            plain = b"%d %d" % (part, number)
            sealed = keys.seal("message", plain, PLACE)
            assert keys.open("message", sealed, PLACE) == plain
            nonces.add(sealed[HEADER_BYTES : HEADER_BYTES + NONCE_BYTES])
        return nonces

    with ThreadPoolExecutor(4) as threads:
        assert len(set().union(*threads.map(seal, range(4)))) == 100_000


def test_prefixes_tell_users_apart() -> None:
    """Every pair of tenant and user has its own prefix, where one name ends and the other begins included."""
    keyring = Keyring(MASTER)
    scopes = [
        Scope(tenant, user)
        for tenant in ("", "a", "ab", "local", "\0", "\u00e9", "e\u0301")
        for user in ("", "a", "b", "bc", "c", "me", "\0", "\ud800")
    ]
    prefixes = {keyring.prefix(scope) for scope in scopes}
    assert len(prefixes) == len(scopes)
    assert {len(prefix) for prefix in prefixes} == {32}
    assert len({prefix[:16] for prefix in prefixes}) == 7
    assert len({prefix[16:] for prefix in prefixes}) == len(scopes)


def test_prefixes_need_the_master_key() -> None:
    """Another master key gives other prefixes and check values, so that names cannot be guessed from a data file."""
    one, other = Keyring(MASTER), Keyring(MASTER[::-1])
    scope = Scope("local", "me")
    assert one.prefix(scope)[:16] != other.prefix(scope)[:16]
    assert one.prefix(scope)[16:] != other.prefix(scope)[16:]
    assert one.check("folder") != other.check("folder")
    assert one.check("folder") != one.check("another")


def test_what_is_derived_never_changes() -> None:
    """A known master key gives the known prefix, check value and data key: data written today open tomorrow."""
    keyring = Keyring(MASTER)
    assert keyring.prefix(Scope("local", "me")).hex() == PREFIX
    assert keyring.check("0" * 32) == CHECK
    key = keyring.unwrap(data_key_row(bytes.fromhex(PREFIX), 1), bytes.fromhex(WRAPPED))
    assert key.open("message", bytes.fromhex(SEALED), bytes.fromhex(PREFIX) + b"key") == b"words"


def test_a_data_key_belongs_to_its_row_and_master_key() -> None:
    """A wrapped data key is refused under another user, number or master key, and when any byte differs."""
    keyring = Keyring(MASTER)
    prefix, other = keyring.prefix(Scope("local", "me")), keyring.prefix(Scope("local", "you"))
    wrapped = keyring.make(prefix, 1)
    keyring.unwrap(data_key_row(prefix, 1), wrapped)
    refused = [
        (keyring, data_key_row(other, 1), wrapped),
        (keyring, data_key_row(prefix, 2), wrapped),
        (Keyring(MASTER[::-1]), data_key_row(prefix, 1), wrapped),
        (keyring, data_key_row(prefix, 1), b""),
        *(
            (keyring, data_key_row(prefix, 1), wrapped[:at] + bytes((wrapped[at] ^ 1,)) + wrapped[at + 1 :])
            for at in range(len(wrapped))
        ),
    ]
    for ring, row, value in refused:
        with pytest.raises(DataLoss):
            ring.unwrap(row, value)


def test_data_keys_are_random() -> None:
    """Two data keys of the same user and number do not open each other's values."""
    keyring = Keyring(MASTER)
    one, other = (sealing_key(keyring, Scope("local", "me")) for _ in range(2))
    with pytest.raises(InvalidTag):
        other.open("message", one.seal("message", b"words", PLACE), PLACE)


def test_a_key_retires_by_chance() -> None:
    """With 6 bits a key seals 64 values in the mean before it asks for a successor, and still opens them."""
    lives = []
    for _ in range(100):
        keys, seals = SealingKey(os.urandom(32), 1, retire_bits=6), 0
        while not keys.retired:
            sealed = keys.seal("message", b"", PLACE)
            seals += 1
        lives.append(seals)
        assert keys.open("message", sealed, PLACE) == b""
    # The mean of 100 geometric lives is 64 with a deviation of 6.4; six deviations fail once in 10^8 runs.
    assert 26 < sum(lives) / len(lives) < 110


def test_a_master_key_has_its_length() -> None:
    """A master key of another length is a mistake of the caller."""
    with pytest.raises(ValueError, match="32 bytes"):
        Keyring(b"short")


PREFIX = "b0ea45fdcf638b6a215d156d91ef188d5cb8a38baf56c3c766b4c57986abb324"
CHECK = "8dfed2314d943294c7f32d84be48d093"
WRAPPED = (
    "01d0e4d90388dc41bfec35684958536418f594f0a4d15897b444a9cc86e82d0f75"
    "8b44df3337cf9ab9f9b119e6d145103f6e5c84d9e92d7123a4a70009a4be80a9"
)
SEALED = "01000000011335a01a5cba58e10b6b852367ed021ff81321210380a88380612099cb68770f1d"
