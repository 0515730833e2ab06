"""How many tokens a request has at most, as its model will count them: so that a budget is kept, whatever is said.

What comes first in every request alike, the instructions and tools, has at most as many tokens as the least that a
model ever counted for a whole request that began so. Of the rest each kind of text has a rate, which begins at the most
there can be and becomes the largest that was seen where a request was mostly of that kind, with a margin that shrinks
as more are seen. Where a model counts more than was thought to be the most, that becomes unknown again; of a picture
it is not known what it may have at most, so that becomes what was counted, until one is seen with little text beside it
where there was much. Where the file of a model's tokenizer is
given, texts are counted by that, and only what frames them is learned.

What is learned is of numbers alone, is kept with the system's records and shared by all processes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec

from alejo.completions import ModelRequest, Prompt
from alejo.errors import AlejoError, Conflict
from alejo.models.counting import PLAIN, Count, Made, made, together
from alejo.storage.requests import digest
from alejo.storage.store import SYSTEM, Row, Store
from alejo.storage.tables import COUNTS, Bounds, Counts, Rate
from alejo.types import Role

_FRAME = 16  # tokens that stand around a message
_BEGIN = 64  # and before all of them
_TOOLS = 512  # and around tools
_PICTURE, _PICTURE_TOKENS = "picture", 2048  # of one, until it was seen that they take more
_BESIDE = "picture beside text"  # what one was taken for that was counted together with much text
_LITTLE = 0.25  # of what was counted: how much text beside a picture still tells what that takes
_LEAST = 64  # units of a kind of text from which it tells something
_MOSTLY = 0.5
_SURE = 0.5  # of the rest: how far what comes first may be unknown for the rest to tell something
_ENOUGH = 32  # requests after which a rate is written down only if it grew
_FLOORS = {PLAIN: 1.3, _PICTURE: 0.0}  # no text is taken to have fewer tokens for each of its units
_EXACT, _FRAMES = "exact", "frames"  # whose number is what it is
_FLOOR = 0.5
_NONE = Rate(0, 0.0)
_PREFIXES = 64
_TRIES = 4

Seen = dict[tuple[Count | None, str], Made]  # what texts are made of, by who counts


class Weight(msgspec.Struct, frozen=True):
    """What a request weighs: the digest of how it begins, what that is made of, and what the rest is made of."""

    prefix: str
    first: Made
    rest: Made


class Gauge:
    """Of all models. `counts` are the tokenizers there are by model; `exceeded` counts by model what was too little."""

    def __init__(self, store: Store, counts: Mapping[str, Count] | None = None) -> None:
        self.exceeded: Counter[str] = Counter()
        self._store = store
        self._counts = counts or {}
        self._firsts: dict[tuple[str, str], Made] = {}

    def weigh(self, model: str, request: ModelRequest, seen: Seen | None = None) -> Weight:
        """What a request weighs for a model. `seen` are texts that were weighed in the same work; it takes these."""
        count, seen = self._counts.get(model), {} if seen is None else seen
        instructions = [prompt.text for prompt in request.prompts if prompt.role is Role.SYSTEM]
        offered = (request.tools, request.schema)
        beside = msgspec.json.encode(offered).decode() if any(offered) else ""
        prefix = digest((instructions, beside)).hex()[:16]
        first = self._firsts.get((model, prefix))
        if first is None:
            around = _BEGIN + _FRAME * (len(instructions) + 2 * len(request.tools)) + (_TOOLS if beside else 0)
            parts = (_made(text, count, seen) for text in (*instructions, beside))
            first = self._firsts[model, prefix] = together([*parts, {_FRAMES: (1, around)}])
            if len(self._firsts) > _PREFIXES:
                del self._firsts[next(iter(self._firsts))]
        others = (prompt for prompt in request.prompts if prompt.role is not Role.SYSTEM)
        rest = (part for prompt in others for part in _parts(prompt, count, seen))
        return Weight(prefix, first, together(rest))

    async def bound(self, model: str, weight: Weight) -> int:
        """The most tokens that a model will count in a request."""
        row = await self._store.get(SYSTEM, COUNTS, _key(model))
        return _bound(Counts() if row is None else row.value, weight)

    async def learn(self, model: str, weight: Weight, counted: int) -> None:
        """Takes what a model counted in a request. It fails nothing."""
        if counted <= 0:
            return
        for _ in range(_TRIES):
            try:
                row = await self._store.get(SYSTEM, COUNTS, _key(model))
                before = Counts() if row is None else row.value
                too_many = counted > _bound(before, weight)
                after = (_unlearned if too_many else _learned)(before, weight, counted)
                if after != before:
                    await self._write(model, row, after)
            except Conflict:
                continue
            except AlejoError:
                return
            self.exceeded[model] += too_many
            return

    async def _write(self, model: str, row: Row[Counts] | None, after: Counts) -> None:
        writer = await self._store.writer(SYSTEM)
        writer.expect(COUNTS, _key(model), None if row is None else row.version)
        writer.put(COUNTS, _key(model), after)
        await writer.commit()


def _key(model: str) -> bytes:
    return digest(("model", model))


def _parts(prompt: Prompt, count: Count | None, seen: Seen) -> Iterator[Made]:
    """What a message is made of."""
    calls = " ".join(f"{call.name} {call.arguments} {call.id}" for call in prompt.calls)
    text = "\n".join(filter(None, (prompt.text, calls, prompt.call_id)))
    frames, pictures = 1 + len(prompt.calls), len(prompt.images)
    yield {_FRAMES: (frames, frames * _FRAME)}
    if pictures:
        yield {_PICTURE: (pictures, pictures * _PICTURE_TOKENS)}
    yield _made(text, count, seen)


def _made(text: str, count: Count | None, seen: Seen) -> Made:
    if (count, text) not in seen:
        seen[count, text] = made(text) if count is None else {_EXACT: (0, count(text))}
    return seen[count, text]


def _rate(known: Counts, kind: str) -> float:
    """The most tokens of a unit; endless where too little is known."""
    if kind == _PICTURE and _BESIDE in known.rates:
        kind = _BESIDE
    rate = known.rates.get(kind)
    return math.inf if rate is None else max(rate.largest * (1.1 + 1 / rate.times), _FLOORS.get(kind, _FLOOR))


def _of(known: Counts, parts: Made) -> int:
    """The most tokens of what is made of this."""
    total = 0.0
    for kind, (units, most) in parts.items():
        rate = math.inf if kind in {_EXACT, _FRAMES} else _rate(known, kind)
        # Of a picture it is not known what it may cost at most.
        total += most if rate == math.inf else rate * units if kind == _PICTURE else min(rate * units, most)
    return math.ceil(total)


def _bound(known: Counts, weight: Weight) -> int:
    first = _of(known, weight.first)
    begin = known.prefixes.get(weight.prefix)
    return (first if begin is None else min(begin.most, first)) + _of(known, weight.rest)


def _learned(known: Counts, weight: Weight, counted: int) -> Counts:
    """What is known after a model counted so many tokens in a request."""
    total = sum(most for _, most in weight.rest.values())
    before = known.prefixes.get(weight.prefix, Bounds(0, counted))
    least = before.least if _PICTURE in weight.rest else max(before.least, counted - total)
    least = min(least, counted)
    begin = Bounds(least, min(before.most, counted))
    prefixes = known.prefixes | {weight.prefix: begin}
    for oldest in list(prefixes)[:-_PREFIXES]:
        del prefixes[oldest]
    rates = dict(known.rates)
    if begin.most - least > _SURE * (counted - least):
        return Counts(prefixes, rates)
    for kind, (units, most) in weight.rest.items():
        if kind == _PICTURE:
            tells = _texts(known, weight) <= _LITTLE * (counted - least)
        else:
            tells = units >= _LEAST and most >= _MOSTLY * total and _PICTURE not in weight.rest
        if tells:
            rate = rates.get(kind, _NONE)
            rates[kind] = Rate(min(rate.times + 1, _ENOUGH), max(rate.largest, (counted - least) / units))
            rates.pop(_BESIDE if kind == _PICTURE else "", None)
    return Counts(prefixes, rates)


def _texts(known: Counts, weight: Weight) -> int:
    """The most tokens of what stands beside the pictures of a request, but for what comes first."""
    return _of(known, {kind: part for kind, part in weight.rest.items() if kind != _PICTURE})


def _unlearned(known: Counts, weight: Weight, counted: int) -> Counts:
    """What is left of what is known when a model counted more than it was thought to.

    Where there was a picture it was that, which has a rate now: of all that was counted but what comes first at least.
    Of much text beside it, it is all but that at most which is its own for good.
    """
    if _PICTURE in weight.rest:
        least = known.prefixes.get(weight.prefix, Bounds(0, 0)).least
        pictures, texts = weight.rest[_PICTURE][0], _texts(known, weight)
        own, kind = counted - least, _PICTURE
        rates = dict(known.rates)
        if texts > _LITTLE * own:
            first = (
                _of(known, weight.first) if weight.prefix not in known.prefixes else known.prefixes[weight.prefix].most
            )
            surely = max(rates.get(_PICTURE, _NONE).largest, (counted - first - texts) / pictures)
            rates[_PICTURE], kind = Rate(_ENOUGH, surely), _BESIDE
        rates[kind] = Rate(_ENOUGH, max(rates.get(kind, _NONE).largest, own / pictures))
        return Counts(known.prefixes, rates)
    prefixes = {name: each for name, each in known.prefixes.items() if name != weight.prefix}
    return Counts(prefixes, {kind: rate for kind, rate in known.rates.items() if kind not in weight.rest})
