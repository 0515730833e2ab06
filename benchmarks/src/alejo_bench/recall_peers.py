"""Others that find in the same texts: each turn's line, `speaker: text`, and the question as it is.

bm25s needs no vectors; the others, which bring no model, are given ALEJO's static ones, the same for all. Each runs in
a process of its own, and keeps users apart in its own way.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from . import found, peers
from .corpora import Corpus
from .recall_model import Listed

SYSTEMS = ("bm25s", "chromadb", "lancedb", "langgraph", "mem0ai")
_FILLING = 600.0  # seconds, for all the users together; who takes longer cannot be compared


def ask(corpus: Corpus) -> Iterator[tuple[str, str, list[Listed]]]:
    """Name, version and findings of each peer that runs here; the others are named with the reason."""
    home, _ = peers.install("recall")
    for name in SYSTEMS:
        click.echo(f"recall: {name}", err=True)
        try:
            with peers.Peer(name, home) as peer:
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
    listed: list[Listed] = []
    for each in corpus.conversations:
        queries = [one.text for one in each.questions]
        peer.ask(
            "search", user=each.id, queries=queries[:1], limit=1
        )  # what it does when it is first asked, it has done
        answer = peer.ask("search", user=each.id, queries=queries, limit=found.DEPTHS[-1])
        for one, items, seconds in zip(each.questions, answer["items"], answer["seconds"], strict=True):
            listed.append((each, one, items, seconds))
    return listed
