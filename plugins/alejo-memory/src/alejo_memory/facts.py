"""What somebody states about themselves and theirs, read by the patterns in `languages`.

It reads little rather than wrongly: only clauses that begin with the statement, no questions, nothing supposed, quoted
or reported, and of what people like no more than a short name for it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from alejo.types import Cardinality, FactDraft, Message, Role

from .reading import asks, plain, sentences
from .relations import SELF, complete

MOST = 16  # facts of one message
_SENTENCES = 60
_LONGEST = 400  # characters of a sentence that is read
_CONFIDENCE = 0.9
_CAPITAL = r"[^\W\d_a-zß-öø-ÿ][\w'-]*"
_PARTS = "de|del|la|van|von|der|den|di|da|al"
_ENDS = r"(?<![ ]de|[ ]la|[ ]al|[ ]di|[ ]da)(?<![ ]del|[ ]van|[ ]von|[ ]der|[ ]den)(?![\w'-])"  # none of them ends it
_NAME = rf"{_CAPITAL}(?: (?:{_CAPITAL}|{_PARTS}))*{_ENDS}"
_ANY = r"[^.,;:!?()\[\]…\u2013\u2014\"*]+"
_OBJECTS = {
    "name": rf"(?P<object>{_NAME}|[^\W\d_A-Z]+(?=$))",
    "named": rf"(?P<object>{_CAPITAL})",
    "place": rf"(?P<object>(?:[Tt]he )?{_NAME}(?:, {_NAME})?)",
    "number": r"(?P<object>\d{1,3})",
    "when": rf"(?P<when>(?:(?:,? | ?\(){_ANY})?)",
}
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|„[^“”]*[“”]|«[^»]*»|(?m:^>.*$)")
_SPOKEN = re.compile(r"[\w']+")
_IRONY = re.compile(r"(?<!\S)/s\b")
_LINE = re.compile(rf"(?P<speaker>{_CAPITAL}(?: {_CAPITAL})?): +(?P<text>.+)")
_LABELS = set(
    "note ps p.s. update edit fyi reminder info remember todo fact hinweis notiz merke achtung nota ojo".split()  # noqa: SIM905
)
_THINGS = 6  # words of what somebody likes
_WORDS = 256  # characters of words that tell a time
_WORK = re.compile(rf"(?:(?:a|an|the|my) )?(?:{_CAPITAL}|[a-zà-ÿ-]+)(?: (?:{_CAPITAL}|[a-zà-ÿ-]+))*")


class _Pattern:
    """A pattern and the rule it is of. It is compiled for the first clause that begins like it: few ever are."""

    def __init__(self, pattern: str, objects: dict[str, str], rule: dict[str, Any]) -> None:
        self._pattern = pattern
        self._objects = objects
        self.rule = rule

    @cached_property
    def match(self) -> re.Pattern[str]:
        """What it matches."""
        return re.compile(_compiled(self._pattern, self._objects))


class _Language:
    """The patterns of one language, and what its clauses are told by."""

    def __init__(self, path: Path) -> None:
        data = tomllib.loads(path.read_text("utf-8"))
        self._roles = [(role, re.compile(words, re.IGNORECASE)) for role, words in data["roles"].items()]
        self.speaks = frozenset(data["speaks"])
        self._ends, self._vague = frozenset(data["ends"]), frozenset(data["vague"])
        self._definite, self._general = frozenset(data["definite"]), frozenset(data["general"])
        self._hypothetical = frozenset(data["hypothetical"])
        self._links, self._narrows = frozenset(data["links"]), frozenset(data["narrows"])
        self._changes = frozenset(data.get("changes", ()))
        self._lead = re.compile(data["lead"], re.IGNORECASE)
        self._corrects = re.compile(data["corrects"], re.IGNORECASE)
        self._aside = re.compile(data.get("aside", r"(?!)"), re.IGNORECASE)
        self._tails = re.compile(data.get("tails", r"(?!)"), re.IGNORECASE)
        months = self.months = "|".join(data["months"].split())
        times = {name: str(words).replace("{months}", months) for name, words in data["times"].items()}
        self._ahead = re.compile(rf"(?P<when>{times['ahead']}),?(?: (?P<rest>(?:{times['who']})\b.*)|$)", re.IGNORECASE)
        self._turned = re.compile(times.get("turned", r"(?!)()()"), re.IGNORECASE)
        self._range, self._until, self._since, self._lasting = (
            re.compile(times[name], re.IGNORECASE) for name in ("range", "until", "since", "lasting")
        )
        self._ago = times["ago"]
        speaks = "|".join(sorted(self.speaks, key=len, reverse=True))
        joins = "|".join(data["joins"])
        apart = rf"[;:\u2013\u2014]+ |(?:,? (?:{joins}),?|,) (?=(?:{speaks})\b)"
        self._apart = re.compile(apart, re.IGNORECASE)
        roles = "|".join(data["roles"].values())
        objects = _OBJECTS | {word: f"(?P<object>(?i:{words}))(?![\\w-])" for word, words in data["words"].items()}
        objects["role"] = f"(?P<role>(?i:{roles}))"
        objects["time"] = rf"(?P<when>(?i:(?:,? (?:{times['words']})\b(?:{_ANY})?)?))(?!{_ANY})"
        mid, lately = (times.get(name, "(?!)") for name in ("mid", "lately"))
        objects["mid"] = f"(?P<mid>(?i:(?:(?:{mid}) ){{0,3}}))"
        objects["lately"] = f"(?P<mid>(?i:(?:(?:{mid}|{lately}) ){{0,3}}))"
        objects["date"] = f"(?P<object>(?i:{data['date'].replace('{months}', months)}))"
        self._patterns: dict[str, list[_Pattern]] = {}  # by the word a clause begins with
        for rule in sorted(data["facts"], key=lambda rule: not (rule.get("negated") or rule.get("over"))):
            for pattern in rule["patterns"]:
                made = _Pattern(pattern, objects, rule)
                for word in _openers(pattern):
                    self._patterns.setdefault(word, []).append(made)

    def read(self, sentence: str, subject: str, said: int) -> Iterator[FactDraft]:
        """What a sentence, said at a time in µs, states of its speaker."""
        words = re.findall(r"[\w']+", sentence.casefold())
        if self.speaks.isdisjoint(words) or not self._hypothetical.isdisjoint(words):
            return
        corrects = self._corrects.match(sentence) is not None and self._changes.isdisjoint(words)
        for clause in self._clauses(sentence):
            for pattern in self._patterns.get(clause.split(" ", 1)[0].casefold(), ()):
                found = pattern.match.match(clause)
                drafts = self._drafts(found, pattern.rule, subject, said) if found else []
                for draft in map(complete, drafts):
                    # "Actually, I like tea" need not take back coffee; "Actually, my dog is called Lupo" is another.
                    one = draft.cardinality is not Cardinality.MANY or "role" in pattern.rule
                    yield msgspec.structs.replace(draft, corrects=corrects and one)
                if drafts:
                    break

    def _clauses(self, sentence: str) -> Iterator[str]:
        """The clauses of a sentence as they may state something; a time that one begins with stands at its end."""
        when = ""
        for part in self._apart.split(sentence):
            lead = self._lead.match(part)
            clause = part[lead.end() if lead else 0 :].rstrip(" .!…")
            ahead = self._ahead.match(clause)
            if ahead is not None:
                when = ahead["when"][0].lower() + ahead["when"][1:]
                clause = self._turned.sub(r"\2 \1", ahead["rest"] or "", 1)
            if clause:
                yield f"{clause} {when}".rstrip()
                when = ""

    def _times(self, groups: dict[str, str | None], *, over: bool) -> tuple[str, str]:
        """The words of a statement that tell when it began to be so and when it ended, each "" for none."""
        said = " ".join(f"{groups.get('mid') or ''}{groups.get('when') or ''}".strip(" ,()").split())[:_WORDS]
        between = self._range.search(said)
        if between is not None:
            return between.groupdict().get("since") or between[0], between.groupdict().get("until") or between[0]
        lasting = self._lasting.search(said)
        if lasting is not None and not over:
            return self._ago.format(words=lasting["words"]), ""
        since, until = self._since.search(said), self._until.search(said)
        if since is not None:
            return since["words"], ""
        return ("", until["words"]) if until is not None else (said, said if over else "")

    def _drafts(self, found: re.Match[str], rule: dict[str, Any], subject: str, said: int) -> list[FactDraft]:
        groups = found.groupdict()
        role = self._role(groups.get("role") or "")
        whose = f"{subject}'s {role}" if role and not rule.get("role") else subject
        relation = role if rule.get("role") else rule["relation"]
        since, until = self._times(groups, over=rule.get("over", False))
        return [
            FactDraft(
                whose,
                relation,
                thing,
                valid_to=said if rule.get("over") else None,
                confidence=_CONFIDENCE,
                negated=rule.get("negated", False),
                since=since,
                until=until,
            )
            for thing in self._objects(groups, rule)
            if thing.casefold() != whose.casefold()
        ]

    def _role(self, word: str) -> str:
        return next((role for role, words in self._roles if words.fullmatch(word)), "")

    def _objects(self, groups: dict[str, str | None], rule: dict[str, Any]) -> list[str]:
        if groups.get("object"):
            return [str(groups["object"]).strip()]
        if groups.get("work"):
            work = self._cut(self._aside.split(str(groups["work"]))[0])
            capital = work[:1].isupper() or work.split(" ")[0] in {"a", "an", "the"}
            return [work] if work and capital and len(work.split()) <= _THINGS and self._clear(work) else []
        whole = self._tails.sub("", str(groups.get("thing") or ""))
        parts = re.split(r" (?:and|und|y|e|or|oder|o) ", whole) if rule.get("list") else [whole]
        return [thing for thing in map(self._cut, parts) if self._clear(thing)]

    def _cut(self, words: str) -> str:
        """The words up to one with which something else begins, or up to "with my", "of those" and the like.

        None are left where what is cut says which ones are meant ("people who …"), or what is done ("look up to you").
        """
        kept: list[str] = []
        for word in words.split():
            folded = word.casefold()
            if folded in self._narrows:
                return ""
            if folded in self._ends:
                break
            if folded in self._vague and len(kept) > 2 and kept[-1].casefold() in self._links:
                return "" if kept[-2].casefold() in self._links else " ".join(kept[:-1])
            kept.append(word)
        return re.sub(r"\W+$", "", " ".join(kept))

    def _clear(self, thing: str) -> bool:
        """Whether words name something that others would know by them."""
        words = thing.casefold().split()
        if not 1 <= len(words) <= _THINGS or not self._vague.isdisjoint(words) or len(thing) < 3:
            return False
        if not thing[0].isalnum() or words[0] in self._links - {"to"} or any(word.endswith("'s") for word in words):
            return False
        if words[-1] in self._definite:
            return False
        return words[0] not in self._definite or (len(words) == 2 and words[1] in self._general)


def _openers(pattern: str) -> set[str]:
    """The words that what matches a pattern may begin with."""
    found = re.match(r"(?P<word>[\w']*)(?:\(\?:(?P<others>[^)]*)\)\??)?", pattern)
    word, others = (found["word"], found["others"]) if found else ("", None)
    rest = {f"{word}{other}".split(" ")[0] for other in (others or "").split("|")}
    return {each.casefold() for each in {word, *rest} if each}


def _compiled(pattern: str, objects: dict[str, str]) -> str:
    """A pattern as a regular expression: its words in any case, what stands for names as it is."""
    parts = []
    for literal, name in re.findall(r"((?:[^{]|\{(?![a-z]+\}))*)(?:\{([a-z]+)\})?", pattern):
        parts.append(f"(?i:{literal})" if literal else "")
        if name == "thing":
            last = pattern.endswith("{thing}")
            parts.append(rf"(?P<thing>{_ANY}{'' if last else '?'})")
        elif name == "work":
            parts.append(rf"(?P<work>{_ANY}{'' if pattern.endswith('{work}') else '?'})")
        elif name:
            parts.append(objects[name])
    return "".join(parts)


_LANGUAGES = [_Language(path) for path in sorted(Path(__file__).with_name("languages").glob("*.toml"))]
_DAYS = re.compile(rf"(\d)\. (?=(?:{'|'.join(language.months for language in _LANGUAGES)})\b)", re.IGNORECASE)
_SPEAKS = frozenset().union(*(language.speaks for language in _LANGUAGES))


def stated(message: Message) -> Sequence[FactDraft]:
    """What a message states of its speaker: the user, or who is named as the speaker."""
    if message.redacted or (message.role is not Role.USER and not message.speaker):
        return ()
    text = plain(message.text)
    if _SPEAKS.isdisjoint(_SPOKEN.findall(text.casefold())):
        return ()  # most messages: looked at before all that costs more
    text = _QUOTED.sub(" … ", text)
    if _IRONY.search(text):
        return ()
    found: dict[tuple[str, str, str], FactDraft] = {}
    for sentence in sentences(_DAYS.sub(r"\1 ", text))[:_SENTENCES]:
        subject, said = _speaker(sentence, message.speaker or SELF)
        if len(said) > _LONGEST or asks(said):
            continue
        for language in _LANGUAGES:
            for draft in language.read(said, subject, message.sent_at):
                found.setdefault((draft.subject, draft.relation, draft.object.casefold()), draft)
    return tuple(found.values())[:MOST]


def _speaker(sentence: str, subject: str) -> tuple[str, str]:
    """Who says a sentence, and what: a name before a colon is its speaker's."""
    line = _LINE.fullmatch(sentence)
    if line is None:
        return subject, sentence
    if line["speaker"].casefold() in _LABELS:
        return subject, line["text"]
    return line["speaker"], line["text"]
