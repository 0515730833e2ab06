"""Static embedding, as Python sees it, against the method its README gives."""

from __future__ import annotations

import json
import math
import shutil
import struct
import unicodedata
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alejo._core import DamagedTable, StaticEmbedder, WordPiece
from alejo.embedding import SHIPPED, shipped

EMBEDDER = shipped()
PIECES = WordPiece(SHIPPED / "vocab.txt")
WORDS = (SHIPPED / "vocab.txt").read_text().splitlines()
KNOWN = {word: number for number, word in enumerate(WORDS)}
TEXTS = [
    "My dog is called Luna.",
    "Don't forget: she'll be 37 in May!",
    "naïve café, ÅNGSTRÖM; straße … “quoted” — dash",
    "我的猫 は 猫です 강아지 แมวดำ привет שלום",
    "supercalifragilisticexpialidocious xylophonists 3.14159",
    "snake_case www.example.org a@b.c $5+$6=^11` ~",
    "tab\tand\nline\r\nand\u00a0space\u3000wide\u200bzero\x00null\ufffd",
    "🙂 emoji 👩\u200d👩\u200d👧 \ufb01sh \uff2c\uff55\uff4e\uff41 İzmir ΟΔΟΣ",
    "x" * 100 + " " + "y" * 101,
    "",
    " \u200b ",
]
ANY = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=40)


def is_ideograph(c: str) -> bool:
    blocks = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F))
    blocks += ((0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))
    return any(low <= ord(c) <= high for low, high in blocks)


def words(text: str) -> list[str]:
    """BERT's basic tokens, step by step as the paper's code takes them."""
    kept = (c for c in text if c in "\t\n\r" or (c != "\ufffd" and unicodedata.category(c)[0] != "C"))
    spread = "".join(f" {c} " if is_ideograph(c) else c for c in kept)
    bare = (c for c in unicodedata.normalize("NFD", spread) if unicodedata.category(c) != "Mn")
    lower = "".join(c.lower() for c in bare)
    marks = (
        (c.isascii() and c.isprintable() and not c.isalnum() and c != " ") or unicodedata.category(c)[0] == "P"
        for c in lower
    )
    return "".join(f" {c} " if mark else c for c, mark in zip(lower, marks, strict=True)).split()


def pieces(word: str) -> list[int]:
    """The longest known beginning, then the longest continuation, and so on."""
    found: list[int] = []
    rest = word if len(word) <= 100 else ""
    while rest:
        prefix = "##" if found else ""
        end = next((end for end in range(len(rest), 0, -1) if prefix + rest[:end] in KNOWN), 0)
        if not end:
            return [100]
        found.append(KNOWN[prefix + rest[:end]])
        rest = rest[end:]
    return found or [100]


def table() -> tuple[list[float], bytes]:
    """Scales and rows of the shipped table."""
    whole = (SHIPPED / "table.safetensors").read_bytes()
    (length,) = struct.unpack_from("<Q", whole)
    header, data = json.loads(whole[8 : 8 + length]), memoryview(whole)[8 + length :]
    scales, rows = (data[slice(*header[name]["data_offsets"])] for name in ("scale", "embedding"))
    return list(struct.unpack(f"<{len(scales) // 4}f", scales)), bytes(rows)


SCALES, ROWS = table()


def by_hand(text: str) -> list[float]:
    """The README's method: mean of the rows, length 1."""
    ids = [one for word in words(text) for one in pieces(word)] or [100]
    rows = [(SCALES[number], struct.unpack_from("256b", ROWS, 256 * number)) for number in ids]
    mean = [sum(scale * row[at] for scale, row in rows) / len(rows) for at in range(256)]
    length = math.sqrt(sum(value * value for value in mean))
    return [value / length for value in mean]


def product(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def numbers(vector: bytes) -> Sequence[float]:
    return array("f", vector)


@pytest.mark.parametrize("text", TEXTS)
def test_a_vector_is_that_of_the_method(text: str) -> None:
    """Tokens and vector are those that the README's method gives, computed in 64 bits."""
    assert PIECES.ids(text) == [one for word in words(text) for one in pieces(word)]
    assert numbers(EMBEDDER.embed(text)) == pytest.approx(by_hand(text), abs=1e-6)


@given(ANY)
def test_tokens_are_those_of_the_method(text: str) -> None:
    """Whatever the text, it is cut as the method says."""
    assert PIECES.ids(text) == [one for word in words(text) for one in pieces(word)]


def test_many_are_as_each_alone() -> None:
    """A batch is its texts' vectors, one after the other, bit by bit; no texts give no vectors."""
    assert EMBEDDER.embed_many(TEXTS) == b"".join(map(EMBEDDER.embed, TEXTS))
    assert EMBEDDER.embed_many([]) == b""
    assert len(EMBEDDER.embed("dog")) == 4 * EMBEDDER.dimensions == 1024


def test_what_means_nearly_the_same_lies_near() -> None:
    """A paraphrase without a common word is nearer than a sentence about something else."""
    ill, sick, late = map(
        numbers, map(EMBEDDER.embed, ("my dog is ill", "this puppy feels sick", "the train left late"))
    )
    assert product(ill, sick) > product(ill, late) + 0.2


def test_the_shipped_table_is_whole() -> None:
    """The package's table holds every invariant and takes less than 10 MB."""
    EMBEDDER.validate()
    assert len(PIECES) == len(WORDS) == 30522
    assert sum(file.stat().st_size for file in SHIPPED.iterdir() if file.is_file()) < 10_000_000


def cut_short(folder: Path) -> None:
    (folder / "table.safetensors").write_bytes((SHIPPED / "table.safetensors").read_bytes()[:-1])


def without_words(folder: Path) -> None:
    (folder / "vocab.txt").unlink()


def with_other_words(folder: Path) -> None:
    (folder / "vocab.txt").write_text("[UNK]\ndog\n")


def not_utf8(folder: Path) -> None:
    (folder / "vocab.txt").write_bytes(b"\xff\n")


def empty(folder: Path) -> None:
    (folder / "table.safetensors").write_bytes(b"")


@pytest.mark.parametrize("damage", [cut_short, without_words, with_other_words, not_utf8, empty])
def test_a_damaged_table_is_refused(damage: Callable[[Path], None], tmp_path: Path) -> None:
    """A table that is not whole is a DamagedTable when it is opened, not a wrong vector later."""
    for name in ("table.safetensors", "vocab.txt"):
        shutil.copyfile(SHIPPED / name, tmp_path / name)
    damage(tmp_path)
    with pytest.raises(DamagedTable):
        StaticEmbedder(tmp_path)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    """The error says which file there is not."""
    with pytest.raises(DamagedTable, match=r"table\.safetensors cannot be read"):
        StaticEmbedder(tmp_path)
