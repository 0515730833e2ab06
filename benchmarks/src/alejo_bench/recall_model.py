"""A transformer of sentences, from a folder as sentence-transformers writes it: what it finds by its cosines alone, and
what ALEJO finds with it in place of the table that ships.

A BERT such as MiniLM is computed by scripts/teacher.py with NumPy alone; another needs the package.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from alejo.hooks import hookimpl
from alejo.types import EmbeddingModel

from . import corpora, found
from .corpora import Conversation, Corpus, Question

Listed = tuple[Conversation, Question, list[str], float]


class Model:
    """The model of a folder, as a plugin that embeds for ALEJO. `texts` gives its vectors, of length 1."""

    def __init__(self, name: str, teacher: Any) -> None:
        self.name = name
        self._teacher = teacher

    def texts(self, texts: Sequence[str]) -> Any:
        """A vector for each text."""
        return self._teacher.texts(texts)

    async def model(self) -> EmbeddingModel:
        """Which it is."""
        return EmbeddingModel(self.name, len(self.texts(["a"])[0]))

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """The vectors, made in a thread."""
        vectors = await asyncio.to_thread(self.texts, texts)
        return [np.asarray(each, "f4").tobytes() for each in vectors]

    @hookimpl
    def alejo_register_embedder(self, settings: dict[str, Any]) -> Model:
        """Itself."""
        return self


def read(folder: Path) -> Model:
    """The model of a folder. Raises ClickException for a folder that holds none."""
    scripts = corpora.ROOT / "scripts"
    if str(scripts) not in sys.path:
        sys.path.append(str(scripts))
    module = importlib.import_module("teacher")
    try:
        return Model(folder.name, module.teacher(folder, folder / "vocab.txt"))
    except (module.Unsuitable, OSError, ValueError, KeyError) as error:
        raise click.ClickException(f"{folder}: {error}") from None


def ask(corpus: Corpus, model: Model) -> list[Listed]:
    """What its cosines find: the question as it is, among the lines of turns."""
    listed: list[Listed] = []
    for each in corpus.conversations:
        turns = list(each.turns.values())
        vectors = np.asarray(model.texts([turn.line for turn in turns]))
        for question in each.questions:
            began = time.perf_counter()
            best = np.argsort(-(vectors @ np.asarray(model.texts([question.text]))[0]))[: found.DEPTHS[-1]]
            items = [turns[place].id for place in best]
            listed.append((each, question, items, time.perf_counter() - began))
    return listed
