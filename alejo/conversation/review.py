"""The conscience within a turn: what is asked, run and answered is judged before anything comes of it.

An answer is judged a segment at a time, a sentence or 200 characters, and at once where the brain says that a piece is
whole. Only what was judged is given out. Without a conscience nothing is judged; one that fails is named in `degraded`,
and the turn goes on, but nothing leaves unjudged.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import msgspec

from alejo.errors import InvalidArgument, PluginFailed
from alejo.plugins import USER, PluginHost, Slot, cleared, spoken
from alejo.roles import Whole
from alejo.types import CommandSpec, Degraded, Matter, Percept, Replacement, Ruling, Unseen, Verdict

SEGMENT = 200  # characters
WHOLE = 2_000  # of a piece that is judged at once
# The end of a sentence, with what closes it, before a space; or of a line.
_END = re.compile(r"[.!?\u2026\u3002\uff01\uff1f\u0964][\"'\u201d\u2019)\]]*\s|\n")
_GAP = re.compile(r"(?<=\S)\s(?!\d)")  # a number in groups is not cut
STOPS = frozenset({Ruling.ASK, Ruling.SUPPORT, Ruling.REFUSE})
_ALLOWED = Verdict()


class Review:
    """Judges one turn. `asked` is the verdict on what the user says, `verdicts` are all that were not to allow.

    `said` is the answer as far as it was given out, `degraded` what was missing.
    """

    def __init__(
        self, plugins: PluginHost, slot: Slot | None, pending: str = "", language: str = "", zone: str = ""
    ) -> None:
        """`pending` is what the user was asked to confirm in the turn before, `language` and `zone` as in Matter."""
        self.asked = _ALLOWED
        self.verdicts: list[Verdict] = []
        self.degraded: list[Degraded] = []
        self.confirmed = False
        self.said = ""
        self._plugins = plugins
        self._slot = slot
        self._pending = pending
        self._language = language
        self._zone = zone

    async def request(self, text: str) -> None:
        """Judges what the user says."""
        verdict = self.asked = await self._judge(self._matter("request", text))
        self.confirmed = bool(self._pending) and verdict.ruling is Ruling.ALLOW and verdict.text == self._pending

    async def seen(self, percepts: Sequence[Percept]) -> tuple[Percept, ...]:
        """Judges what pictures say, which nobody asked for: what is refused is withheld, and the turn goes on."""
        return tuple([await self._seen(percept) for percept in percepts])

    async def _seen(self, percept: Percept) -> Percept:
        words = "\n".join(filter(None, (percept.caption, percept.text, *(each.text for each in percept.barcodes))))
        verdict = await self._judge(Matter("request", words, "image", destination=USER)) if words else _ALLOWED
        if verdict.ruling is Ruling.ALLOW:
            return percept
        text = verdict.text if verdict.ruling is Ruling.TRANSFORM else ""
        missing = percept.missing if text else (*percept.missing, Unseen("text", "withheld"))
        return msgspec.structs.replace(percept, text=text, caption="", barcodes=(), missing=missing)

    async def command(self, spec: CommandSpec, arguments: str) -> Verdict:
        """What is to become of a command before it runs."""
        said = f"/{spec.name} {spoken(spec, arguments)}".rstrip()
        return await self._judge(self._matter("command", said, spec=spec))

    async def remembered(self, text: str) -> str:
        """What a language model may be told of a memory: it may go on in other words."""
        verdict = await self._judge(Matter("request", text, "memory", destination=USER)) if text else _ALLOWED
        return text if verdict.ruling is Ruling.ALLOW else verdict.text

    async def leaving(self, text: str, destination: str) -> str:
        """A text as it may go to a destination. Raises PluginFailed where the conscience cannot say."""
        try:
            return await cleared(self._plugins, text, destination, self._note)
        except PluginFailed as failure:
            self._missed(Degraded("conscience", failure.plugin, failure.why))
            raise

    def _note(self, verdict: Verdict) -> None:
        """Notes a verdict on what leaves, once: it is judged for each model, and after each tool."""
        if (bare := msgspec.structs.replace(verdict, text="")) not in self.verdicts:
            self.verdicts.append(bare)

    async def answer(self, pieces: AsyncIterator[str]) -> AsyncGenerator[str | Replacement, None]:
        """The answer as it may be given out; a Replacement ends it, and stands for all of it."""
        waiting = ""
        async for piece in pieces:
            waiting += piece
            if isinstance(piece, Whole) and len(waiting) <= WHOLE:
                judged, waiting = await self._segment(waiting), ""
                yield judged
                if isinstance(judged, Replacement):
                    return
            while end := _cut(waiting) if self._slot is not None else len(waiting):
                judged, waiting = await self._segment(waiting[:end]), waiting[end:]
                yield judged
                if isinstance(judged, Replacement):
                    return
        if waiting:
            yield await self._segment(waiting)

    async def _segment(self, text: str) -> str | Replacement:
        verdict = await self._judge(self._matter("answer", text, "model"))
        if verdict.ruling in STOPS:
            self.said = verdict.text
            return Replacement(verdict.text)
        shown = verdict.text if verdict.ruling is Ruling.TRANSFORM else text
        self.said += shown
        return shown

    def _matter(self, about: str, text: str, origin: str = "user", *, spec: CommandSpec | None = None) -> Matter:
        name, effects = (spec.name, spec.effects) if spec else ("", ())
        pending = self._pending if about == "request" else ""
        return Matter(about, text, origin, name, effects, pending, self.confirmed, self._language, self._zone, USER)

    async def _judge(self, matter: Matter) -> Verdict:
        if self._slot is None:
            return _ALLOWED
        try:
            verdict: Verdict = await self._plugins.call(self._slot, "review", matter)
        except PluginFailed as failure:
            self._missed(Degraded("conscience", failure.plugin, failure.why))
            return _ALLOWED
        except InvalidArgument:
            self._missed(Degraded("conscience", self._slot.plugin, "rejected"))
            return _ALLOWED
        if verdict.ruling is not Ruling.ALLOW:
            self.verdicts.append(msgspec.structs.replace(verdict, text=""))
        return verdict

    def _missed(self, missing: Degraded) -> None:
        if missing not in self.degraded:
            self.degraded.append(missing)


def _cut(text: str) -> int:
    """Where the first segment of a text ends, or 0 while it may go on: as many sentences as are there, within 200."""
    ends = [end.end() for end in _END.finditer(text, 0, SEGMENT)]
    if ends:
        return ends[-1]
    if len(text) < SEGMENT:
        return 0
    gaps = [gap.end() for gap in _GAP.finditer(text, 0, SEGMENT)]
    return gaps[-1] if gaps else SEGMENT
