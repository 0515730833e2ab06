"""How often what a user will need next is expected, and what that costs.

The user's turns of a corpus are said to an assistant in their order and at their times; after each it looks ahead. The
figures are medians of the corpus' conversations, with their range.

hit          of the turns for which something was expected, those whose first memory was among the 8 expected ones
hit_recent   the same for the 8 memories that the session recalled first before
hit_chance   the same for any 8 memories, by how many there were at each turn
ready        of the turns that recalled anything, those for which something was expected
surprise_hit, surprise_miss  the mean surprise, 0 to 1, where it was a hit and where it was none
cpu_us       CPU time of looking ahead after a turn; turn_cpu_us that of the turn itself, to compare it with
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from alejo import __version__
from alejo.app import Assistant, open_assistant
from alejo.clock import FakeClock
from alejo.memory.expecting import GUESSES
from alejo.settings import read
from alejo.types import Ask, Role, Scope

from . import corpora
from .report import Row, row

if TYPE_CHECKING:
    from .options import Options

_PAUSE = 60_000_000  # µs between turns that the data give one time
_QUICK = 40  # turns


class Seen(NamedTuple):
    """What one turn that recalled something showed: None where nothing was expected. Times are in µs of the CPU."""

    hit: bool | None
    recent: bool
    chance: float
    surprise: float
    turn: float
    ahead: float


def run(options: Options) -> list[Row]:
    """The rows of a corpus."""
    corpus = corpora.read(options.data)
    conversations = corpus.conversations[:2] if options.quick else corpus.conversations
    found: dict[str, list[float]] = {}
    for conversation in conversations:
        seen = asyncio.run(_replay(conversation, _QUICK if options.quick else None))
        for name, value in _figures(seen).items():
            found.setdefault(name, []).append(value)
        click.echo(f"{conversation.id}: {len(seen)} turns", err=True)
    return [
        row("prediction", corpus.name, "alejo", __version__, name, "µs" if name.endswith("_us") else "", values)
        for name, values in found.items()
    ]


def _figures(seen: Sequence[Seen]) -> dict[str, float]:
    expected = [each for each in seen if each.hit is not None]
    if not expected:
        return {}
    surprises = {hit: [each.surprise for each in expected if each.hit is hit] for hit in (True, False)}
    return {
        "hit": statistics.fmean(bool(each.hit) for each in expected),
        "hit_recent": statistics.fmean(each.recent for each in expected),
        "hit_chance": statistics.fmean(each.chance for each in expected),
        "ready": len(expected) / len(seen),
        **{
            f"surprise_{'hit' if hit else 'miss'}": statistics.fmean(values)
            for hit, values in surprises.items()
            if values
        },
        "cpu_us": statistics.median(each.ahead for each in seen),
        "turn_cpu_us": statistics.median(each.turn for each in seen),
    }


async def _replay(conversation: corpora.Conversation, most: int | None) -> list[Seen]:
    scope, clock, seen = Scope("bench", conversation.id), FakeClock(), list[Seen]()
    with tempfile.TemporaryDirectory() as folder:
        home = {"HOME": folder, **{f"XDG_{kind}_HOME": f"{folder}/{kind}" for kind in ("DATA", "CONFIG", "CACHE")}}
        settings = read(home, {"reflection.workers": 0, "log.level": "error"})
        async with open_assistant(settings=settings, clock=clock) as assistant:
            for session in conversation.sessions:
                said = [turn for turn in session.turns if turn.role is Role.USER]
                seen += await _talk(assistant, scope, clock, said)
                if most is not None and len(seen) >= most:
                    break
    return seen


async def _talk(assistant: Assistant, scope: Scope, clock: FakeClock, said: Sequence[corpora.Turn]) -> list[Seen]:
    seen: list[Seen] = []
    session_id, recent = "", list[str]()
    for turn in said:
        clock.advance(max(turn.sent_at - clock.now(), _PAUSE) / 1_000_000)
        known, before = len(assistant.memories.known(scope)), assistant.prediction.outcomes.copy()
        began = time.process_time()
        answer = await assistant.conversation.chat(scope, Ask(turn.text, session_id))
        answered = time.process_time()
        session_id = answer.session_id
        await assistant.prediction.look_ahead(scope, session_id)
        ahead = time.process_time() - answered
        if answer.recalled:
            came = answer.recalled[0].memory.id
            (outcome,) = assistant.prediction.outcomes - before
            hit = None if outcome == "unready" else outcome == "hit"
            surprise = answer.workspace.surprise if answer.workspace is not None else 0.0
            chance = min(1.0, GUESSES / max(known, 1))
            seen.append(Seen(hit, came in recent, chance, surprise, (answered - began) * 1e6, ahead * 1e6))
            recent = [came, *(each for each in recent if each != came)][:GUESSES]
    return seen
