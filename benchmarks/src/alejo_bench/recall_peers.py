"""Others that find in the same texts: each turn's line, `speaker: text`, and the question as it is.

Those that bring no model are given ALEJO's static vectors, the same for all of them; bm25s needs none, and
sentence-transformers has its own, of the folder `--model`. Each runs in a process of its own, and keeps users apart in
its own way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from . import found, peers
from .corpora import Conversation, Corpus, Question

SYSTEMS = ("bm25s", "chromadb", "lancedb", "langgraph", "mem0ai")
_FILLING = 600.0  # seconds, for all the users together; who takes longer cannot be compared


class Listed(NamedTuple):
    """What a system found for a question."""

    conversation: Conversation
    question: Question
    items: list[str]
    seconds: float


def ask(corpus: Corpus, model: Path | None) -> Iterator[tuple[str, str, list[Listed]]]:
    """Name, version and findings of each peer that runs here; the others are named with the reason."""
    places = [(name, "recall", dict[str, str]()) for name in SYSTEMS]
    if model is not None:
        places.append(("sentence-transformers", "recall-model", {"ALEJO_BENCH_MODEL": str(model.resolve())}))
    else:
        peers.leave_out("sentence-transformers", "no model was given (--model FOLDER)")
    for name, listed, environment in places:
        click.echo(f"recall: {name}", err=True)
        try:
            home, _ = peers.install(listed)
            with peers.Peer(name, home, environment) as peer:
                yield name, peer.version, _asked(peer, corpus)
        except peers.Failed as failure:
            peers.leave_out(name, failure)


def _asked(peer: peers.Peer, corpus: Corpus) -> list[Listed]:
    left = _FILLING
    for each in corpus.conversations:
        ids, texts = list(each.turns), [turn.line for turn in each.turns.values()]
        filled = peer.ask("fill", user=each.id, ids=ids, texts=texts, language=each.language, seconds=left)
        left -= filled["seconds"]
        if filled["done"] < len(ids):
            raise peers.Failed(f"its filling took more than {_FILLING:.0f} s")
    listed = []
    for each in corpus.conversations:
        queries = [one.text for one in each.questions]
        peer.ask(
            "search", user=each.id, queries=queries[:1], limit=1
        )  # what it does when it is first asked, it has done
        answer = peer.ask("search", user=each.id, queries=queries, limit=found.DEPTHS[-1])
        for one, items, seconds in zip(each.questions, answer["items"], answer["seconds"], strict=True):
            listed.append(Listed(each, one, items, seconds))
    return listed
