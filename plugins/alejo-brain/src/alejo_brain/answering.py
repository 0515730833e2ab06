"""What a question is answered with: a few plain words where they are sure, and the memories they are from."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from alejo.roles import Turn
from alejo.types import Hit

from .asked import Asked, read
from .choosing import answers, best, entire, near, told
from .claims import claim
from .dating import dated
from .extracting import Found, found, sentences, split
from .knowing import known
from .phrases import here, moment
from .tongues import Tongue

# By how much what another said may fit better before it is theirs that was told, and not of who is asked about:
# docs/benchmarks.md has what other margins refuse of what was told, and of what was not.
MARGIN = 1.0
_MEANING = frozenset({"dense", "pieces"})
SURE = 0.025  # of the shares of all candidates; below it the whole sentence is as good an answer, and reads better
LISTED = 4
_SHORT = 3  # letters of a name by which somebody is called in short
NEARLY = 0.5  # of the best answer's share, in a list
WIDE = 12  # memories that a list is made of


class Reply(msgspec.Struct, frozen=True):
    """An answer: `said`, "" where only quotes answer, and the memories to be quoted, best first.

    `about` is who is asked about where nothing of the kind was told of them; `hits` then are of somebody else.
    `near` says that they may not be about it. `listed` is how many of the `hits` hold a thing each that `said` lists,
    or, with `times`, tell of one time each that something happened.
    """

    said: str = ""
    hits: tuple[Hit, ...] = ()
    about: str = ""
    near: bool = False
    listed: int = 0
    times: bool = False

    @property
    def knows(self) -> bool:
        """Whether it answers the question."""
        return bool(self.hits) and not self.about


async def reply(turn: Turn) -> Reply:
    """The answer to a turn's message."""
    asked = read(turn.message.text)
    stated = await known(turn, asked.tongue)
    if stated is not None:
        return Reply(stated.said, stated.hits, near=not stated.said)
    hits, speaker = await about(asked, turn)
    if speaker is not None:
        if lead(hits, speaker) < -MARGIN:
            return Reply("", tuple(hit for hit in hits if hit.memory.speaker not in ("", speaker))[:1], speaker)
    else:
        sure = list(answers(hits, turn.message.text, turn.message.id))
        if not sure:
            close = tuple(near(hits, turn.message.text, turn.message.id))[:1]
            return Reply(hits=close, near=bool(close))
        hits = sure
    if not hits:
        return Reply()
    happened = _happened(asked, hits, turn)
    if len(happened) > 1:
        return Reply(hits=tuple(happened), listed=len(happened), times=True)
    if asked.kind == "when":
        chosen = dated(asked, hits, await turn.desk.times([hit.memory for hit in hits[:3]]), here(turn))
        spans = [chosen] if chosen else []
    elif asked.kind == "whether":
        verdict, hit = _whether(asked, hits, turn.message.text)
        return Reply(verdict, tuple(best(hits)) if hit is None else (hit,))
    else:
        spans = [each for each in found(asked, hits, speaker) if _may_be(asked, each)]
    return _composed(asked, hits, spans)


async def about(asked: Asked, turn: Turn) -> tuple[list[Hit], str | None]:
    """What is remembered that may answer, best first, and the one speaker who is asked about, None for none."""
    hits = list(told(turn.recalled, turn.message.id))
    speaker = _speaker(asked, hits)
    if hits and (asked.several or asked.often or (asked.capitals and speaker is None)):
        hits = list(told(await turn.desk.recall(turn.message.text, WIDE), turn.message.id)) or hits
        speaker = _speaker(asked, hits)
    return hits, speaker


def lead(hits: Sequence[Hit], speaker: str) -> float:
    """By how much what somebody said fits better than what any other said, but for who said it.

    Meaning counts twice: two who talk with each other share the words of what one of them told.
    """
    theirs = [hit for hit in hits if hit.memory.speaker == speaker]
    others = [hit for hit in hits if hit.memory.speaker not in ("", speaker)]
    if not others:
        return math.inf
    if not theirs:
        return -math.inf
    return sum(max(map(worth, theirs)) - max(map(worth, others)) for worth in (_bare, _meant))


def _may_be(asked: Asked, words: Found) -> bool:
    """Whether words are of the kind that is asked for, as far as that can be told: a number has one in it."""
    if asked.kind not in ("count", "long"):
        return True
    known = asked.tongue.numbers | asked.tongue.units
    return any(word.text[0].isdigit() or word.low in known for word in split(words.text, asked.tongue))


def _whether(asked: Asked, hits: Sequence[Hit], question: str) -> tuple[str, Hit | None]:
    """Yes or no with what says so, the last of what says all of what is asked or denies it; "" and None for neither."""
    said = [(hit, each) for hit in best(hits, len(hits)) if (each := _verdict(asked, hit, question))]
    hit, verdict = max(said, key=lambda pair: pair[0].memory.sent_at, default=(None, ""))
    return verdict, hit


def _verdict(asked: Asked, hit: Hit, question: str) -> str:
    """Yes or no, by the last sentence of a memory that claims or denies what is asked, as it is now or was."""
    stems = asked.stems - {asked.tongue.stem(word.lower()) for word in hit.memory.speaker.split()}
    for sentence in reversed(list(sentences(hit.memory.text))):
        if not sentence.endswith("?") and stems and stems <= {word.stem for word in split(sentence, asked.tongue)}:
            said = claim(sentence, asked.tongue)
            if not said.doubted and (not said.past or claim(question, asked.tongue).past):
                return asked.tongue.answers["no" if said.denied != asked.denied else "yes"]
    return ""


def _happened(asked: Asked, hits: Sequence[Hit], turn: Turn) -> list[Hit]:
    """The memories that each tell of one time that something happened, in order, one of each day.

    None where that is not asked, or one of them says how often.
    """
    whole = [hit for hit in entire(hits, turn.message.text) if not _denies(hit, asked.tongue)] if asked.often else []
    if any(asked.tongue.numbered.search(hit.memory.text) for hit in whole):
        return []
    days = {moment(hit.memory.sent_at, here(turn)).date(): hit for hit in reversed(whole)}
    return [days[day] for day in sorted(days)]


def _denies(hit: Hit, tongue: Tongue) -> bool:
    words = (word.low for sentence in sentences(hit.memory.text) for word in split(sentence, tongue))
    return not tongue.negations.isdisjoint(words)


def _composed(asked: Asked, hits: Sequence[Hit], spans: Sequence[Found]) -> Reply:
    """The answer of the best words, or of several where several are asked for, and what they are from."""
    chosen = _listed(spans) if asked.several else list(spans[:1])
    if len(chosen) == 1 and spans[0].share < SURE:
        whole = len(sentences(spans[0].hit.memory.text)) > 1
        chosen = [spans[0]._replace(text=spans[0].sentence if whole else "")]
    said = ", ".join(dict.fromkeys(_turned(each, asked.tongue) for each in chosen))
    quoted = dict.fromkeys(each.hit.memory.id for each in chosen)
    by_id = {hit.memory.id: hit for hit in hits}
    first = [by_id[each] for each in quoted]
    rest = [hit for hit in best(hits) if hit.memory.id not in quoted]
    listed = len(first) if asked.several and len(first) > 1 else 0
    return Reply(said[:1].upper() + said[1:], tuple([*first, *rest][: max(3, len(first))]), listed=listed)


def _listed(spans: Sequence[Found]) -> list[Found]:
    """The best words of each memory, as far as they are nearly as good as the best."""
    chosen: dict[str, Found] = {}
    for each in spans:
        if each.share >= NEARLY * spans[0].share:
            chosen.setdefault(each.hit.memory.id, each)
    return list(chosen.values())[:LISTED]


def _turned(words: Found, tongue: Tongue) -> str:
    """Words as they are said to the user: what they said of themselves in the second person."""
    return tongue.turned(words.text, "other" if words.hit.memory.speaker else "user")


def _speaker(asked: Asked, hits: Sequence[Hit]) -> str | None:
    """The one speaker whom a question names, None for none or several."""
    first = {hit.memory.speaker: hit.memory.speaker.split(" ")[0] for hit in hits if hit.memory.speaker}
    named = {speaker for speaker, name in first.items() if name in asked.capitals}
    names = (name for name in asked.capitals if name.casefold() not in asked.tongue.timely)  # "May" is no Maya
    short = tuple(name for name in names if len(name) >= _SHORT)
    named = named or {speaker for speaker, name in first.items() if short and name.startswith(short)}  # "Mel"
    return named.pop() if len(named) == 1 else None


def _meant(hit: Hit) -> float:
    """What of a score is owed to a like meaning."""
    return sum(each.share for each in hit.evidence if each.name in _MEANING)


def _bare(hit: Hit) -> float:
    """A score without what it owes to who spoke."""
    return hit.score - sum(each.share for each in hit.evidence if each.name == "speaker")
