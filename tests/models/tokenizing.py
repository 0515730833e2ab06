"""Tokenizers as models have them, trained on texts that are here."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from ..structure.imports import ROOT

KINDS = ("small", "large", "wordpiece", "unigram")
_LINES = 20_000


@functools.cache
def texts() -> Sequence[str]:
    """What is said in our corpora, and what stands in our documents: English for the most part, and nine languages."""
    found: list[str] = []
    for file in sorted((ROOT / "benchmarks" / "corpora" / "recall").rglob("*.json*")):
        found += [value for line in file.read_text("utf-8").splitlines() for value in _strings(line)]
    for file in sorted(ROOT.glob("docs/*.md")):
        found += file.read_text("utf-8").splitlines()
    for file in sorted(ROOT.glob("core_rs/src/words/*")):
        found += file.read_text("utf-8").splitlines()
    return found[:_LINES]


def _strings(line: str) -> list[str]:
    try:
        value = json.loads(line)
    except ValueError:
        return [line]
    return [each for each in value.values() if isinstance(each, str)] if isinstance(value, dict) else []


@functools.cache
def trained(kind: str) -> Tokenizer:
    """A tokenizer of a kind, trained on the texts."""
    if kind == "wordpiece":
        made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        made.normalizer = normalizers.BertNormalizer()
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=4000, special_tokens=["[UNK]"], show_progress=False)
    elif kind == "unigram":
        made = Tokenizer(models.Unigram())
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=4000, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False
        )
    else:
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=600 if kind == "small" else 12_000,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    made.train_from_iterator(texts()[:: 5 if kind == "unigram" else 1], trainer)
    return made


def count(kind: str, text: str) -> int:
    return len(trained(kind).encode(text, add_special_tokens=False).ids)
