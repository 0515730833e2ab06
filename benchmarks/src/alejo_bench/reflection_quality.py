"""What reflection without a model makes of conversations: part of `alejo bench reflection`.

    answer_support   the part of the questions, by category, of whose answer all content words stand in one fact, or in
                     one episode's summary, whose sources hold a turn with the answer. Cases `1` to `4` and `1-4` are
                     with facts and episodes of at most 15 % of the conversation's tokens, `… at 5%` of 5 %: what
                     matters most is taken first. `… whole` is with all there is
    share            the tokens of facts and episodes, of those of the conversation
    fact_precision   of 100 facts, drawn by what they are numbered by, how many were judged right by the message and the
                     fact alone; one that nobody has judged counts as wrong
    cpu_ms_turn      processor time of reflection for each turn, batched

`--judge FILE` writes the facts that are not judged yet, each with its message and nothing else; `--verdicts FILE` takes
the same lines back, each with a `verdict`, and keeps of them in benchmarks/figures/facts.jsonl the conversation, the
turn, the number of the fact and the verdict: no word of the data.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from hashlib import blake2b
from math import sqrt
from pathlib import Path
from typing import TypeVar

import click
import msgspec

import alejo
from alejo import __version__
from alejo._core import estimate_tokens, tokens
from alejo.queue.promises import REFLECTION
from alejo.types import Filter, Layer, Page, Scope

from . import recall_ours
from .corpora import ROOT, Conversation, Corpus
from .report import Row, figures, row

BENCH = "reflection"
JUDGED = ROOT / "benchmarks" / "judged" / "facts.jsonl"
EPISODE = "episode"
DRAWN = 100
BUDGETS = {"": 0.15, " at 5%": 0.05, " whole": float("inf")}
_SURE = 1.96  # standard deviations of a 95 % interval
_PAGE = Page(1000)


class Made(msgspec.Struct, frozen=True):
    """A fact or an episode, and the turns it was made of."""

    text: str
    turns: tuple[str, ...]
    importance: float
    is_fact: bool


class Verdict(msgspec.Struct, frozen=True):
    """How a fact was judged, without a word of it."""

    conversation: str
    turn: str
    fact: str
    verdict: bool


class Judgeable(msgspec.Struct):
    """A fact as it is handed out to be judged, and taken back."""

    id: str
    message: str
    fact: str
    verdict: bool | None = None


def measure(corpus: Corpus, judge: Path | None = None, verdicts: Path | None = None) -> list[Row]:
    """The rows of a corpus, whose facts are written to, or whose verdicts are taken from, a file."""
    with tempfile.TemporaryDirectory(prefix="alejo-bench-") as folder:
        made, seconds = asyncio.run(_reflect(corpus, Path(folder)))
    drawn = _drawn(corpus, made)
    if verdicts is not None:
        _keep(drawn, verdicts)
    judged = {each.fact: each.verdict for each in _read(JUDGED, Verdict)}
    if judge is not None:
        _write(judge, [each for each in _judgeable(drawn) if each.id not in judged])
    turns = sum(len(each.turns) for each in corpus.conversations)
    cost = row(BENCH, "batched", "alejo", __version__, "cpu_ms_turn", "ms", [seconds / turns * 1000])
    return [*_support(corpus, made), _precision(drawn, judged), cost]


async def _reflect(corpus: Corpus, folder: Path) -> tuple[dict[str, list[Made]], float]:
    """Imports every conversation as a user and reflects on it; what was made, and the processor seconds that took."""
    turns = await recall_ours.fill(corpus, folder)
    async with recall_ours.opened(folder, recall_ours.Calendar()) as assistant:
        began = time.process_time()
        assistant.reflection.start()
        await assistant.reflection.settled()
        seconds = time.process_time() - began
        made = {}
        for each in corpus.conversations:
            await _check(assistant, Scope("bench", each.id))
            made[each.id] = [one async for one in _made(assistant, Scope("bench", each.id), turns[each.id])]
    return made, seconds


async def _check(assistant: alejo.Assistant, scope: Scope) -> None:
    """Raises ClickException naming what failed, if anything did."""
    jobs, _ = await assistant.reflection.register.list(scope, _PAGE, kind=REFLECTION)
    for failure in (attempt.failure for job in jobs for attempt in job.attempts):
        raise click.ClickException(f"{failure.processor} failed: {failure.code}.")


async def _made(assistant: alejo.Assistant, scope: Scope, turns: Mapping[str, str]) -> AsyncIterator[Made]:
    """The facts and episodes of a user, by the order of their ids."""
    page = _PAGE
    while True:
        memories, token = await assistant.memories.list(scope, page, Filter(include_superseded=True))
        for memory in memories:
            stated = memory.layer is Layer.SEMANTIC and memory.fact is not None
            if stated or memory.kind == EPISODE:
                of = (turns[each] for each in memory.sources if each in turns)
                yield Made(memory.text, tuple(of), memory.importance, stated)
        if not token:
            return
        page = Page(_PAGE.size, token)


def _support(corpus: Corpus, made: Mapping[str, Sequence[Made]]) -> Iterator[Row]:
    for name, budget in BUDGETS.items():
        found: dict[str, list[float]] = {}
        shares = []
        for each in corpus.conversations:
            source = sum(estimate_tokens(turn.text) for turn in each.turns.values())
            kept = _within(made[each.id], source * budget)
            shares.append(sum(estimate_tokens(one.text) for one in kept) / source)
            told = [(frozenset(tokens(one.text)), frozenset(one.turns)) for one in kept]
            for question in each.questions:
                wanted = frozenset(tokens(question.answer))
                if wanted:
                    answers = any(wanted <= words and question.gold & of for words, of in told)
                    for case in question.cases:
                        found.setdefault(case, []).append(float(answers))
        yield row(BENCH, f"all{name}", "alejo", __version__, "share", "", shares)
        for case, values in sorted(found.items()):
            bounds = _wilson(sum(values), len(values))
            yield figures(BENCH, f"{case}{name}", "alejo", __version__, "answer_support", "", bounds, len(values))


def _within(made: Sequence[Made], budget: float) -> list[Made]:
    """What matters most, of at most so many tokens."""
    kept = []
    for each in sorted(made, key=lambda one: (-one.importance, one.text)):
        cost = estimate_tokens(each.text)
        if cost <= budget:
            budget -= cost
            kept.append(each)
    return kept


def _wilson(right: float, n: int) -> tuple[float, float, float]:
    """A share with its 95 % interval (Wilson 1927)."""
    share, square = right / n, _SURE * _SURE
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = _SURE * sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    return share, max(0.0, middle - half), min(1.0, middle + half)


def _number(conversation: str, fact: Made) -> str:
    """What a fact of a conversation is known by: nobody reads its words out of it."""
    return blake2b("\n".join((conversation, *fact.turns, fact.text)).encode(), digest_size=12).hexdigest()


def _drawn(corpus: Corpus, made: Mapping[str, Sequence[Made]]) -> list[tuple[Conversation, Made]]:
    """The facts that are judged: those whose numbers come first, so that most stay when some others change."""
    facts = {
        _number(each.id, fact): (each, fact) for each in corpus.conversations for fact in made[each.id] if fact.is_fact
    }
    return [facts[number] for number in sorted(facts)[:DRAWN]]


def _precision(drawn: Sequence[tuple[Conversation, Made]], judged: Mapping[str, bool]) -> Row:
    right = sum(judged.get(_number(each.id, fact), False) for each, fact in drawn)
    bounds = _wilson(right, max(len(drawn), 1))
    return figures(BENCH, "drawn", "alejo", __version__, "fact_precision", "", bounds, len(drawn))


def _judgeable(drawn: Sequence[tuple[Conversation, Made]]) -> Iterator[Judgeable]:
    for each, fact in drawn:
        turns = [each.turns[turn] for turn in fact.turns]
        said = "\n".join(f"{_date(turn.sent_at)}, {turn.line}" for turn in turns)
        yield Judgeable(_number(each.id, fact), said, fact.text)


def _date(moment: int) -> str:
    return time.strftime("%d %B %Y", time.gmtime(moment // 1_000_000))


def _keep(drawn: Sequence[tuple[Conversation, Made]], file: Path) -> None:
    """Takes verdicts of the drawn facts from a file. Raises ClickException for one without a verdict."""
    known = {_number(each.id, fact): (each.id, fact.turns[-1]) for each, fact in drawn}
    kept = {each.fact: each for each in _read(JUDGED, Verdict)}
    for each in _read(file, Judgeable):
        if each.verdict is None:
            raise click.ClickException(f"{file}: {each.id} has no verdict.")
        if each.id in known:
            kept[each.id] = Verdict(*known[each.id], each.id, each.verdict)
    _write(JUDGED, [kept[number] for number in sorted(kept)])


_T = TypeVar("_T")


def _read(file: Path, row_of: type[_T]) -> list[_T]:
    try:
        lines = file.read_bytes().splitlines() if file.exists() else []
        return [msgspec.json.decode(line, type=row_of) for line in lines if line.strip()]
    except (OSError, msgspec.MsgspecError) as error:
        raise click.ClickException(f"{file}: {error}") from None


def _write(file: Path, rows: Sequence[object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in rows))
