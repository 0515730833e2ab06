"""The context: what a brain should know to answer, in sections, within a token budget, every piece explained.

A section has a quota, the part of the budget it may take while others want the room. Recalled memories are chosen by
`alejo._core.pack`, so that together they are worth most in what is left, headings counted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, tzinfo

import msgspec

from alejo import _core
from alejo.clock import TIME_ZONE, time_zone
from alejo.memory import lines
from alejo.types import Appraisal, Context, ContextDrop, ContextItem, Evidence, Hit, Layer, Memory, Message, Session

DEFAULT_BUDGET = 2048
QUOTAS = {
    "pinned": 0.5,
    "procedural": 0.15,
    "facts": 0.6,
    "recalled": 1.0,
    "session": 0.15,
    "emotion": 0.1,
    "immediate": 0.5,
}
_SECTIONS = tuple(lines.HEADINGS)
_FIRST = ("pinned", "session", "emotion", "procedural", "immediate")  # before what is recalled, each within its quota
_DATED = frozenset({"facts", "recalled"})
_BY_LAYER = {Layer.SEMANTIC: "facts", Layer.PROCEDURAL: "procedural"}
_WORDS = re.compile(r"\w+")
_ENDING = 2  # letters; words that share all but so many last ones are forms of one word
_SLOPE = 4  # a hit is worth 1 / (its place + this): about as often as one at that place is wanted, whatever scores are
_CONTAINED = 4  # words; a shorter text within another's may be there by chance


class Material(msgspec.Struct, frozen=True):
    """What a context is made from. `hits` are best first; `now` is in µs, and `zone` where it is told unless a memory's
    own label names another."""

    hits: Sequence[Hit] = ()
    immediate: Sequence[Message] = ()
    pinned: Sequence[Memory] = ()
    procedural: Sequence[Memory] = ()
    session: Session | None = None
    appraisal: Appraisal | None = None
    now: int = 0
    zone: tzinfo = UTC


class _Piece(msgspec.Struct, frozen=True):
    section: str
    id: str
    line: str
    sent_at: int = 0
    day: str = ""  # the heading it stands under, beside that of the section
    memory_id: str = ""
    message_id: str = ""
    evidence: tuple[Evidence, ...] = ()
    worth: float = 0.0

    @property
    def tokens(self) -> int:
        return estimate_tokens(self.line)

    @property
    def headings(self) -> dict[tuple[str, str], str]:
        section = {(self.section, ""): lines.HEADINGS[self.section]}
        return section | {(self.section, self.day): self.day} if self.day else section


def estimate_tokens(text: str) -> int:
    """About how many tokens a model counts in a text; see `alejo._core.estimate_tokens`."""
    return _core.estimate_tokens(text)


def build(given: Material, budget: int, quotas: Mapping[str, float] = QUOTAS) -> Context:
    """The context of a turn, of at most `budget` estimated tokens.

    First the best hit has its place, so that no number of short pieces costs it; then pinned memories, the session, the
    mood, what the user wants done and the last messages, newest first, each section within its quota; then those hits
    that together are worth most in what is left; then, if there still is room, what a quota left out. A memory whose
    message is shown, that says what the same speaker is shown to say, or that is superseded, is left out. Memories are
    shown in the order of time, under their days.
    """
    return _Assembly(given, budget, quotas).context()


class _Assembly:
    def __init__(self, given: Material, budget: int, quotas: Mapping[str, float]) -> None:
        self._given = given
        self._budget = budget
        self._quotas = quotas
        self._left = budget
        self._taken: list[_Piece] = []
        self._open: set[tuple[str, str]] = set()  # headings that are paid for: sections, and their days
        self._ids: set[str] = set()  # memories and messages that are taken
        self._seen: set[str] = set()  # or may be
        self._told: dict[str, list[_Words]] = {}  # by speaker
        self._dropped: list[ContextDrop] = []
        self._waiting: list[tuple[_Piece, str]] = []  # what may still come in, and why it did not

    def context(self) -> Context:
        """Chooses and shows."""
        first = {section: list(self._pieces(section)) for section in _FIRST}
        best = self._best(first["immediate"])
        for section in _FIRST:
            self._within(section, [piece for piece in first[section] if piece.id != best])
        hits = [piece for place, hit in enumerate(self._given.hits) if (piece := self._hit(hit, place))]
        self._pack([piece for piece in hits if piece.id != best])
        for piece, reason in self._waiting:
            if self._ids & {piece.memory_id, piece.message_id}:
                self._drop(piece, "duplicate")
            elif not self._take(piece):
                self._drop(piece, reason)
        return self._written()

    def _best(self, messages: Sequence[_Piece]) -> str:
        """Takes the best hit, or the message it is of; what it took."""
        best = next((hit for hit in self._given.hits if not hit.memory.outdated), None)
        if best is None:
            return ""
        same = [piece for piece in messages if piece.message_id == best.memory.message_id]
        piece = same[0] if same else self._recalled(best)
        return piece.id if self._take(piece) else ""

    def _within(self, section: str, pieces: Iterable[_Piece]) -> None:
        """Takes pieces of a section in their order as far as its quota reaches."""
        room = self._room(section)
        for piece in pieces:
            if self._repeats(piece):
                self._drop(piece, "duplicate")
            elif (cost := self._cost(piece)) <= room and self._take(piece):
                room -= cost
            else:
                self._waiting.append((piece, "quota" if cost <= self._left else "budget"))

    def _pack(self, pieces: Sequence[_Piece]) -> None:
        """Takes those hits that are worth most together."""
        wanted: list[_Piece] = []
        days = set(self._open)
        rooms = {section: self._room(section) for section in ("facts", "recalled", "procedural")}
        for piece in pieces:
            if self._repeats(piece):
                self._drop(piece, "duplicate")
                continue
            self._note(piece)  # whoever says the same is worth less
            rooms[piece.section] -= piece.tokens + (estimate_tokens(piece.day) if piece.headings.keys() - days else 0)
            days |= piece.headings.keys()
            if rooms[piece.section] < 0:
                self._waiting.append((piece, "quota"))
            else:
                wanted.append(piece)
        sections = {piece.section for piece in wanted} - {section for section, _ in self._open}
        room = self._left - sum(estimate_tokens(lines.HEADINGS[section]) for section in sections)
        groups = list(dict.fromkeys((piece.section, piece.day) for piece in wanted))
        openings = [0 if group in self._open else estimate_tokens(group[1]) for group in groups]
        places = [groups.index((piece.section, piece.day)) for piece in wanted]
        chosen, _ = _core.pack(
            [piece.tokens for piece in wanted], [piece.worth for piece in wanted], max(room, 0), places, openings
        )
        for place in chosen:
            self._take(wanted[place])
        self._waiting += [(piece, "budget") for place, piece in enumerate(wanted) if place not in set(chosen)]

    def _room(self, section: str) -> float:
        """The tokens that a section may take while others want them."""
        quota = self._quotas[section]
        return self._budget * quota if quota < 1 else math.inf

    def _cost(self, piece: _Piece) -> int:
        above = (text for place, text in piece.headings.items() if place not in self._open)
        return piece.tokens + sum(map(estimate_tokens, above))

    def _take(self, piece: _Piece) -> bool:
        cost = self._cost(piece)
        if cost > self._left:
            return False
        self._left -= cost
        self._taken.append(piece)
        self._open |= piece.headings.keys()
        self._ids |= {piece.memory_id, piece.message_id} - {""}
        self._note(piece)
        return True

    def _note(self, piece: _Piece) -> None:
        self._seen |= {piece.memory_id, piece.message_id} - {""}
        speaker, _, words = piece.line.partition(": ")
        self._told.setdefault(speaker, []).append(_Words(words))

    def _repeats(self, piece: _Piece) -> bool:
        """Whether its message is shown, or the same speaker is shown to say as much."""
        if piece.memory_id in self._seen or piece.message_id in self._seen:
            return True
        if not piece.memory_id:
            return False  # what was said twice in a conversation was said twice
        speaker, _, words = piece.line.partition(": ")
        here = _Words(words)
        return any(told.says(here) for told in self._told.get(speaker, ()))

    def _drop(self, piece: _Piece, reason: str) -> None:
        self._dropped.append(ContextDrop(piece.id, reason, piece.tokens))

    def _pieces(self, section: str) -> Iterable[_Piece]:
        """The pieces of a section that need not be recalled, in the order in which they are wanted."""
        given = self._given
        if section == "immediate":
            evidence = (Evidence("immediate", 1.0, "one of the session's last messages"),)
            for message in reversed(given.immediate):
                if not message.redacted:
                    line = lines.spoken(message)
                    yield _Piece(section, message.id, line, message.sent_at, message_id=message.id, evidence=evidence)
        elif section in {"pinned", "procedural"}:
            for memory in given.pinned if section == "pinned" else given.procedural:
                piece = self._memory(memory, section, (Evidence(section, 1.0),))
                if memory.outdated:
                    self._drop(piece, "superseded")
                else:
                    yield piece
        elif section == "session" and given.session is not None:
            line = lines.meeting(given.session, given.now, given.zone)
            yield _Piece(section, given.session.id, line, evidence=(Evidence(section, 1.0),))
        elif section == "emotion" and (line := lines.mood(given.appraisal)):
            yield _Piece(section, section, line, evidence=(Evidence(section, 1.0),))

    def _hit(self, hit: Hit, place: int) -> _Piece | None:
        piece = self._recalled(hit, 1 / (place + _SLOPE))
        if hit.memory.outdated:
            self._drop(piece, "superseded")
            return None
        return piece

    def _recalled(self, hit: Hit, worth: float = 0.0) -> _Piece:
        section = _BY_LAYER.get(hit.memory.layer, "recalled")
        return self._memory(hit.memory, section, hit.evidence, worth)

    def _memory(self, memory: Memory, section: str, evidence: tuple[Evidence, ...], worth: float = 0.0) -> _Piece:
        label = memory.metadata.get(TIME_ZONE)
        zone = (label and time_zone(label)) or self._given.zone
        day = lines.date(memory.sent_at, zone) if section in _DATED else ""
        line = lines.said(memory, lines.dated(memory.text, memory.sent_at, zone))
        return _Piece(section, memory.id, line, memory.sent_at, day, memory.id, memory.message_id, evidence, worth)

    def _written(self) -> Context:
        """The pieces in their places; the first below a heading bears it."""
        items: list[ContextItem] = []
        open_: set[tuple[str, str]] = set()
        place = {id(piece): number for number, piece in enumerate(self._taken)}
        order = {section: number for number, section in enumerate(_SECTIONS)}
        for piece in sorted(self._taken, key=lambda each: (order[each.section], each.sent_at, place[id(each)])):
            above = [text for key, text in piece.headings.items() if key not in open_]
            open_ |= piece.headings.keys()
            text = "\n".join([*above, piece.line])
            tokens = estimate_tokens(text)
            items.append(ContextItem(piece.section, text, tokens, piece.memory_id, piece.message_id, piece.evidence))
        return Context(tuple(items), sum(item.tokens for item in items), tuple(self._dropped))


class _Words:
    """The words of a text, as they are and on one folded line."""

    __slots__ = ("line", "words")

    def __init__(self, text: str) -> None:
        self.words = _WORDS.findall(text)
        self.line = f" {' '.join(self.words).casefold()} "

    def says(self, other: _Words) -> bool:
        """Whether it says another's words: the same but for their forms, or among others."""
        count = len(other.words)
        if count == len(self.words):
            return all(map(_form, self.words, other.words))
        return _CONTAINED <= count < len(self.words) and other.line in self.line


def _form(one: str, other: str) -> bool:
    """Whether two words are the same, or forms of one: of names and numbers only the same are."""
    if one == other or one.casefold() == other.casefold():
        return True
    stem = max(len(one), len(other)) - _ENDING
    return stem > _ENDING and one[:stem] == other[:stem] and one[0].islower() and other[0].islower()
