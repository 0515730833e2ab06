"""Questions that a fact answers: a relation and whose it is, as it holds now or held at the time the question names.

Or the other way round: since when, until when and how long it held.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from alejo.roles import Turn
from alejo.types import Fact, Hit, Layer, Memory, Mention, Standing

from .asked import plain
from .dating import said as date_said
from .lasting import lasted
from .phrases import here, moment
from .tongues import Tongue
from .words import within

_SELF = "user"
_FACTS = 200
_FOUND = 10  # memories among which the words are looked for that a fact is from
_DAY = 86_400_000_000
_DAYS = (2, 20)  # that a few may be: a weekend, a week, the beginning of a month
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


class Wanted(msgspec.Struct, frozen=True):
    """What is asked for: a relation, and whose, "" for the user's own.

    `before` names what came after it, `after` what came before; `past` says that it is over. With a `span`, "since",
    "until", "when" or "long", it is the time that is asked for, of what is true of `thing`.
    """

    relation: str
    whose: str = ""
    before: str = ""
    past: bool = False
    after: str = ""
    span: str = ""
    thing: str = ""


class Known(msgspec.Struct, frozen=True):
    """What answers: the objects or times of facts, "" where they only come near, and the memories that say so."""

    said: str
    hits: tuple[Hit, ...]


def wanted(text: str, tongue: Tongue) -> list[Wanted]:
    """What a question may ask for, where a fact may answer it: times of one of several relations, or one relation."""
    text = " ".join(plain(text).split())
    times = [
        Wanted(relation, _whose(match, tongue), span=span, thing=match["thing"].casefold())
        for span, relation, pattern in tongue.spans
        if (match := pattern.search(text))
    ]
    return (
        times
        or [
            Wanted(
                _role(match, tongue) or relation,
                _whose(match, tongue),
                _other(tongue.before, text),
                tongue.past.search(match[0]) is not None,
                _other(tongue.after, text),
            )
            for relation, pattern in tongue.facts
            if (match := pattern.search(text))
        ][:1]
    )


def _role(match: re.Match[str], tongue: Tongue) -> str:
    role = (match.groupdict().get("role") or "").casefold()
    return tongue.roles.get(role, role)


def _whose(match: re.Match[str], tongue: Tongue) -> str:
    whose = (match.groupdict().get("whose") or "").casefold()
    return tongue.roles.get(whose, whose)


def _other(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match["other"].casefold() if match else ""


async def known(turn: Turn, tongue: Tongue) -> Known | None:
    """The answer of the facts; None where none is asked for, or none is known."""
    for asked in wanted(turn.message.text, tongue):
        holders = await _holders(asked.whose, turn)
        found = await (_lasted(asked, holders, turn, tongue) if asked.span else _held(asked, holders, turn, tongue))
        if found is not None:
            return found
    return None


async def _held(asked: Wanted, holders: Sequence[str], turn: Turn, tongue: Tongue) -> Known | None:
    """What was so at the time that is asked about, or what comes nearest to it."""
    true = await _beside(asked, holders, turn) if asked.before or asked.after else None
    near: list[Memory] = []
    if true is None:
        moments, true = await _moments(asked, turn), []
        for moment in moments:
            true = true or await _true(asked, holders, turn, moment)
        last, later = _sides(await _true(asked, holders, turn), moments[0]) if moments and not true else ([], [])
        near = last and [*last, *later]
    said = list(dict.fromkeys(tongue.turned(each.fact.object, "user") for each in true if each.fact is not None))
    hits = tuple([await _source(each, turn) for each in true or near])
    return Known(", ".join(said), hits) if hits else None


async def _holders(whose: str, turn: Turn) -> list[str]:
    """The names of whom is asked about: "user", or of "my sister" her name and "user's sister"."""
    if not whose:
        return [_SELF]
    named = [each.fact for each in await turn.desk.facts(_FACTS) if each.fact is not None]
    names = [fact.object for fact in named if _fits(fact, whose, _SELF)]
    return [*names, f"{_SELF}'s {whose}"] if len(names) <= 1 else []  # of two sisters it is unknown which


def _fits(fact: Fact, relation: str, holder: str) -> bool:
    """Whether a fact is believed to have been true, and tells a relation of its holder."""
    believed = fact.standing is Standing.HELD and not fact.negated
    return believed and fact.relation == relation and fact.subject.casefold() == holder.casefold()


async def _true(asked: Wanted, holders: Sequence[str], turn: Turn, as_of: int | None = None) -> list[Memory]:
    """The facts of whom is asked about, all that are believed or those that were true then, what began last first."""
    found = [(holder, each) for holder in holders for each in await turn.desk.stated(holder, as_of=as_of)]
    kept = [(holder, each, each.fact) for holder, each in found if each.fact is not None and not each.stale]
    return [each for holder, each, fact in kept if _fits(fact, asked.relation, holder)]


async def _lasted(asked: Wanted, holders: Sequence[str], turn: Turn, tongue: Tongue) -> Known | None:
    """When something was so, or how long: of several times, the last."""
    told = {each.id: each for holder in holders for each in await turn.desk.stated(holder)}
    for each in _of(asked.thing, await _true(asked, holders, turn)):
        heir = told.get(each.superseded_by)  # if that was told without a time, this was over at some time before
        ended = heir is None or heir.fact is None or heir.fact.valid_from != heir.sent_at
        if said := lasted(asked.span, each, turn.now, tongue, ended=ended):
            source = await _source(each, turn)
            said = (await _roughly(each, source, turn, tongue) if asked.span in {"when", "since"} else "") or said
            return Known(said[0].upper() + said[1:], (source,))
    return None


async def _roughly(memory: Memory, source: Hit, turn: Turn, tongue: Tongue) -> str:
    """When a fact began, if that was told as some days of which nobody knows which: "last week"; "" otherwise."""
    for mention in (await turn.desk.times([source.memory]))[0]:
        begins = memory.fact is not None and memory.fact.valid_from == _of_the_calendar(mention.start, turn)
        if begins and _DAYS[0] <= (mention.end - mention.start) // _DAY <= _DAYS[1]:
            return date_said(tongue, mention, source.memory.sent_at, here(turn))
    return ""


def _of(thing: str, facts: Sequence[Memory]) -> list[Memory]:
    """Those of facts whose object goes by a name."""
    names = [(each, each.fact.object.casefold()) for each in facts if each.fact is not None]
    return [each for each, name in names if within(thing, name) or within(name, thing)]


def _sides(facts: Sequence[Memory], at: int) -> tuple[list[Memory], list[Memory]]:
    """Of what was over by a time the last, and of what began after it the first, each if there is one."""
    times = [(each, each.fact.valid_from, each.fact.valid_to) for each in facts if each.fact is not None]
    over = {each.id: (end, each) for each, _, end in times if end is not None and end <= at}
    later = {each.id: (begin, each) for each, begin, _ in times if begin is not None and begin > at}
    last = [over[max(over, key=lambda each: over[each][0])][1]] if over else []
    return last, [later[min(later, key=lambda each: later[each][0])][1]] if later else []


async def _beside(asked: Wanted, holders: Sequence[str], turn: Turn) -> list[Memory] | None:
    """What was true right before, or after, what the question names; None where nothing is known of that."""
    facts = await _true(asked, holders, turn)
    other = next(iter(_of(asked.before or asked.after, facts)), None)
    if other is None or other.fact is None:
        return None
    at = other.fact.valid_from if asked.before else other.fact.valid_to
    ended = [each for each in facts if asked.before and each.superseded_by == other.id]
    if ended or at is None:
        return ended
    there = await _true(asked, holders, turn, at - 1 if asked.before else at)
    return there or _sides(facts, at)[0 if asked.before else 1]


async def _moments(asked: Wanted, turn: Turn) -> list[int]:
    """When what is asked for may have been so: within the time that is named, best in its midst, else now."""
    times = await named(turn)
    if times:
        start, end = (_of_the_calendar(at, turn) for at in (times[0].start, times[0].end))
        return [(start + end) // 2, end - 1, start]
    return [] if asked.past else [turn.now]


def _of_the_calendar(at: int, turn: Turn) -> int:
    """A time where the user is as the same of UTC, as those of facts are."""
    offset = moment(at, here(turn)).utcoffset()
    return at + round(offset.total_seconds() * 1e6) if offset else at


async def named(turn: Turn) -> list[Mention]:
    """The times that the question names."""
    return [mention for each in await turn.desk.times(_spoken(turn)) for mention in each]


def _spoken(turn: Turn) -> list[Memory]:
    """The question as something that names times; so does a year in it by itself."""
    said = turn.message
    year = _YEAR.search(said.text)
    texts = [said.text, *([f"in {year[0]}"] if year else [])]
    return [Memory("", Layer.IMMEDIATE, "question", each, said.sent_at, said.sent_at) for each in texts]


async def _source(memory: Memory, turn: Turn) -> Hit:
    """The words a fact is from, where they are still known, else the fact."""
    found = [*turn.recalled, *(await turn.desk.recall(memory.text, _FOUND))] if memory.sources else []
    return next((hit for hit in found if hit.memory.id in memory.sources), Hit(memory, 1.0, 1.0))
