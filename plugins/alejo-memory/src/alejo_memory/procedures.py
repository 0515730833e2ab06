"""Procedures: how a user wants things done, what they meant instead, and what they do again and again.

Languages are data, in `ways`. What is said of one topic later supersedes what was said before, in the same context; a
routine is known by what is done, so that its new day takes the place of the old one.
"""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from alejo.roles import Work
from alejo.types import Findings, ProcedureDraft, Role, Said

from .reading import asks, plain, sentences
from .relations import SELF
from .telling import content

_LONGEST = 240  # characters of a sentence that says how things are done
_CONTEXT, _TOPIC = 40, 24  # characters, as the host takes them
_MOST = 32
_WORDS = re.compile(r"[^\W_]+")


class _Ways:
    """One language's."""

    def __init__(self, path: Path) -> None:
        data = tomllib.loads(path.read_text("utf-8"))
        self.lead, self.context, self.instruction, self.verbs, self.correction, self.routine, self.self_, self.over = (
            re.compile(data[name], re.IGNORECASE)
            for name in ("lead", "context", "instruction", "verbs", "correction", "routine", "self", "over")
        )
        self.standing = re.compile(data["standing"], re.IGNORECASE)
        self.topics = {name: re.compile(words, re.IGNORECASE) for name, words in data["topics"].items()}
        self.skip = frozenset(data["skip"].split())

    def read(self, sentence: str, said: Said, before: Sequence[Said]) -> Iterator[ProcedureDraft]:
        """What a sentence says of how things are done."""
        message = said.message
        if message.role is Role.USER and not message.speaker and not asks(sentence):
            meant = self.correction.match(sentence)
            if meant is not None:
                yield self._corrected(sentence, said, before)
                return
            yield from self._wanted(sentence, said)
        if self.routine.search(sentence) and self.self_.search(sentence) and not asks(sentence):
            yield from self._usual(sentence, said)

    def _wanted(self, sentence: str, said: Said) -> Iterator[ProcedureDraft]:
        lead = self.lead.match(sentence)
        way, context = sentence[lead.end() if lead else 0 :], ""
        wish = " ".join(self.standing.sub(" ", sentence).split())  # said of what is kept it would be an order
        apart = self.context.match(way)
        if apart is not None:
            groups = apart.groupdict()
            context = (groups.get("context") or groups.get("place") or "").strip()
            way = groups.get("rest") or groups.get("other") or ""
            inner = self.lead.match(way)
            way = way[inner.end() if inner else 0 :]
        if self.instruction.match(way) and self.verbs.search(way) and len(context) <= _CONTEXT:
            topic = next((name for name, words in self.topics.items() if words.search(way)), "")
            yield ProcedureDraft(
                wish[:1].upper() + wish[1:], (said.message.id,), topic=topic, context=context.casefold()
            )

    def _usual(self, sentence: str, said: Said) -> Iterator[ProcedureDraft]:
        when = self.routine.search(sentence)
        if when is None or self.over.search(sentence):
            return
        done = f"{sentence[: when.start()]} {sentence[when.end() :]}"
        words = content(done)
        key = next((word for word in _WORDS.findall(done.casefold()) if word in words and word not in self.skip), "")
        if key:
            text = f"{said.message.speaker}: {sentence}" if said.message.speaker else sentence
            subject = said.message.speaker or SELF
            yield ProcedureDraft(text, (said.message.id,), "routine", f"routine {key}"[:_TOPIC], subject=subject)

    @staticmethod
    def _corrected(sentence: str, said: Said, before: Sequence[Said]) -> ProcedureDraft:
        """What was meant, in place of what its writer said last."""
        earlier = next((each for each in reversed(before) if each.message.role is Role.USER and each.memories), None)
        if earlier is None:
            return ProcedureDraft(sentence, (said.message.id,), "correction")
        text = f"{earlier.message.text.strip()[:_LONGEST]} → {sentence}"
        return ProcedureDraft(text, (earlier.message.id, said.message.id), "correction")


@cache
def _ways() -> list[_Ways]:
    return [_Ways(path) for path in sorted((Path(__file__).parent / "ways").glob("*.toml"))]


class Procedural:
    """The reflector of how a user wants things done."""

    name = "procedural"
    wants = ()

    async def reflect(self, work: Work) -> Findings:
        """See Reflector."""
        drafts: dict[tuple[str, str, str], ProcedureDraft] = {}
        before = list(work.earlier)
        for said in work.messages:
            await asyncio.sleep(0)  # many of them must not stop the others
            if said.memories and (said.message.role is Role.USER or said.message.speaker):
                for sentence in sentences(plain(said.message.text)):
                    for ways in _ways() if len(sentence) <= _LONGEST else ():
                        for draft in ways.read(sentence, said, before):
                            drafts[draft.text, draft.topic, draft.context] = draft
            before.append(said)
        return Findings(procedures=tuple(drafts.values())[:_MOST])
