"""A sentence-transformers model folder as a function from texts to vectors.

A BERT (config.json says `"model_type": "bert"`) with mean or [CLS] pooling is computed with NumPy alone. Any other
model needs the package sentence-transformers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from alejo._core import WordPiece

Floats = NDArray[np.float32]
_TYPES = {"F32": "<f4", "F16": "<f2", "I8": "i1"}
_BATCH = 32  # texts, of nearly one length


class Teacher(Protocol):
    """What vectors are learned from."""

    def texts(self, texts: Sequence[str]) -> Floats:
        """Vectors [texts, d] of length 1."""

    def tokens(self, words: Sequence[str]) -> Floats:
        """Vectors [words, d] of length 1, each word of the vocabulary, by its number, read alone."""


class Unsuitable(Exception):
    """The folder holds no model this can read; the message says which command helps."""


def teacher(folder: Path, vocabulary: Path) -> Teacher:
    """The model of a folder, whose own words, if it is a BERT, are those of `vocabulary`."""
    if _json(folder / "config.json").get("model_type") == "bert" and (folder / "model.safetensors").exists():
        return Bert(folder, vocabulary)
    return Other(folder)


def uncased(folder: Path) -> bool:
    """Whether the model's tokenizer takes off case; BERT's does unless the folder says otherwise."""
    return bool(_json(folder / "tokenizer_config.json").get("do_lower_case", True))


class Other:
    """A model that sentence-transformers can load."""

    def __init__(self, folder: Path) -> None:
        try:
            from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - only for models that are no BERT
        except ModuleNotFoundError:
            help_ = "pip install sentence-transformers"
            raise Unsuitable(f"{folder} is no BERT with model.safetensors; others need: {help_}") from None
        self._model: Any = SentenceTransformer(str(folder))

    def texts(self, texts: Sequence[str]) -> Floats:
        return np.asarray(self._model.encode(list(texts), normalize_embeddings=True), np.float32)

    def tokens(self, words: Sequence[str]) -> Floats:
        return self.texts([word.removeprefix("##") for word in words])


class Bert:
    """The encoder of Devlin et al. (2018), in float32."""

    def __init__(self, folder: Path, vocabulary: Path) -> None:
        config = _json(folder / "config.json")
        self._weights = {
            name.removeprefix("bert."): value for name, value in tensors(folder / "model.safetensors").items()
        }
        self._layers, self._heads = config["num_hidden_layers"], config["num_attention_heads"]
        self._epsilon = config.get("layer_norm_eps", 1e-12)
        if (
            config.get("hidden_act", "gelu") != "gelu"
            or config.get("position_embedding_type", "absolute") != "absolute"
        ):
            raise Unsuitable(f"{folder}: this BERT is of a kind of its own; only gelu and absolute positions are known")
        self._first_alone = _pooling(folder)
        longest = _json(folder / "sentence_bert_config.json").get("max_seq_length") or config["max_position_embeddings"]
        self._longest = min(longest, config["max_position_embeddings"])
        self._pieces = WordPiece(vocabulary, uncased=uncased(folder))
        words = vocabulary.read_text("utf-8").splitlines()
        if len(words) > len(self._weights["embeddings.word_embeddings.weight"]):
            raise Unsuitable(f"{vocabulary} has more words than the model of {folder} has rows")
        self._begin, self._end = words.index("[CLS]"), words.index("[SEP]")

    def texts(self, texts: Sequence[str]) -> Floats:
        inner = [self._pieces.ids(text)[: self._longest - 2] for text in texts]
        return self._many([[self._begin, *ids, self._end] for ids in inner])

    def tokens(self, words: Sequence[str]) -> Floats:
        return self._many([[self._begin, number, self._end] for number in range(len(words))])

    def _many(self, texts: Sequence[Sequence[int]]) -> Floats:
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        size = self._weights["embeddings.word_embeddings.weight"].shape[1]
        vectors = np.empty((len(texts), size), np.float32)
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            vectors[chosen] = self._batch([texts[number] for number in chosen])
        return unit(vectors)

    def _batch(self, texts: Sequence[Sequence[int]]) -> Floats:
        longest = max(map(len, texts))
        ids = np.array([[*text, *[0] * (longest - len(text))] for text in texts])
        mask = np.array([[1.0] * len(text) + [0.0] * (longest - len(text)) for text in texts], np.float32)
        states = self._states(ids, mask)
        if self._first_alone:
            return states[:, 0]
        mean: Floats = (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        return mean

    def _states(self, ids: NDArray[np.int64], mask: Floats) -> Floats:
        w, name = self._weights, "embeddings"
        x = w[f"{name}.word_embeddings.weight"][ids] + w[f"{name}.position_embeddings.weight"][: ids.shape[1]]
        x = self._norm(f"{name}.LayerNorm", x + w[f"{name}.token_type_embeddings.weight"][0])
        for number in range(self._layers):
            name = f"encoder.layer.{number}"
            seen = self._dense(f"{name}.attention.output.dense", self._attend(f"{name}.attention.self", x, mask))
            x = self._norm(f"{name}.attention.output.LayerNorm", x + seen)
            inner = gelu(self._dense(f"{name}.intermediate.dense", x))
            x = self._norm(f"{name}.output.LayerNorm", x + self._dense(f"{name}.output.dense", inner))
        return x

    def _attend(self, name: str, x: Floats, mask: Floats) -> Floats:
        count, length, size = x.shape

        def heads(part: str) -> Floats:
            split: Floats = self._dense(f"{name}.{part}", x).reshape(count, length, self._heads, -1)
            return split.transpose(0, 2, 1, 3)

        query, key, value = heads("query"), heads("key"), heads("value")
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(size // self._heads))
        scores = np.where(mask[:, None, None, :] > 0, scores, np.float32(-1e9))
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        seen = shares / shares.sum(-1, keepdims=True) @ value
        joined: Floats = seen.transpose(0, 2, 1, 3).reshape(count, length, size)
        return joined

    def _dense(self, name: str, x: Floats) -> Floats:
        made: Floats = x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return made

    def _norm(self, name: str, x: Floats) -> Floats:
        centred = x - x.mean(-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(-1, keepdims=True) + np.float32(self._epsilon))
        made: Floats = centred / spread * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return made


def gelu(x: Floats) -> Floats:
    """x · Φ(x), by formula 7.1.26 of Abramowitz and Stegun: within 1.5e-7 of the error function."""
    z = np.abs(x) / np.float32(np.sqrt(2))
    t = 1 / (1 + np.float32(0.3275911) * z)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    error = np.copysign(1 - series * np.exp(-z * z), x)
    made: Floats = (x * (1 + error) / 2).astype(np.float32)
    return made


def unit(vectors: Floats) -> Floats:
    """Each row at length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    made: Floats = vectors / np.maximum(lengths, np.float32(1e-12))
    return made


def tensors(file: Path) -> dict[str, Floats]:
    """The numbers of a safetensors file, as float32: its header's length (8 bytes), JSON, the numbers."""
    whole = file.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    found: dict[str, Floats] = {}
    for name, about in json.loads(whole[8:start]).items():
        if name == "__metadata__" or about["dtype"] not in {*_TYPES, "BF16"}:
            continue
        raw = whole[slice(*(start + offset for offset in about["data_offsets"]))]
        if about["dtype"] == "BF16":  # the upper half of a float32
            flat = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            flat = np.frombuffer(raw, _TYPES[about["dtype"]]).astype(np.float32)
        found[name] = flat.reshape(about["shape"])
    return found


def vocabulary(folder: Path) -> list[str] | None:
    """The words of a model whose tokenizer is WordPiece, by number; None if it is another."""
    if (folder / "vocab.txt").exists():
        return (folder / "vocab.txt").read_text("utf-8").splitlines()
    model = _json(folder / "tokenizer.json").get("model", {})
    if model.get("type") != "WordPiece":
        return None
    numbers: dict[str, int] = model["vocab"]
    words = {number: word for word, number in numbers.items()}
    return [words.get(number, f"[unused-{number}]") for number in range(max(words) + 1)]


def _pooling(folder: Path) -> bool:
    """Whether the first token alone is the text's vector, instead of the mean. Raises Unsuitable for other ways."""
    if (folder / "modules.json").exists():
        kinds = [each["type"].rpartition(".")[2] for each in json.loads((folder / "modules.json").read_text())]
        if unknown := set(kinds) - {"Transformer", "Pooling", "Normalize"}:
            raise Unsuitable(f"{folder} has modules that are not known here: {', '.join(sorted(unknown))}")
    modes = _json(folder / "1_Pooling" / "config.json")
    chosen = {name for name, value in modes.items() if name.startswith("pooling_mode_") and value is True}
    if chosen - {"pooling_mode_mean_tokens", "pooling_mode_cls_token"} or len(chosen) > 1:
        raise Unsuitable(f"{folder} pools in a way that is not known here: {', '.join(sorted(chosen))}")
    return chosen == {"pooling_mode_cls_token"}


def _json(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return found
