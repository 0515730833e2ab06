"""Judges what is asked, what is to be run and what is about to be said, and says by which rule."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from alejo.types import Matter, Ruling, Verdict

from .rules import SHIPPED, Rule, Rules
from .secrets import redacted
from .shades import Shade, shades

_QUOTED = re.compile(r'"[^"]*"|\u201c[^\u201d]*\u201d|\u00ab[^\u00bb]*\u00bb')
_FOUND = Verdict(Ruling.TRANSFORM, "secrets.found", "secrets", "it holds a secret", 0.6)
# What comes of what is only likely. Where no ruling stands, it is to ask, and to refuse once that is sure.
_LIKELY = {"self_harm": Ruling.SUPPORT, "secrets": Ruling.TRANSFORM, "irreversible": Ruling.ASK}
# How what was stored or seen is judged: as an order, if it is one, with where it comes from.
_BROUGHT = {"memory": "Stored note: '{}'", "image": "Text in the image: '{}'"}
_SEVERITY = {False: 0.4, True: 0.7}


class Conscience:
    """Goes by a file of rules, takes out secrets, and where no rule holds by what a text is likely about.

    What it says is in the language it was spoken to in.
    """

    def __init__(
        self,
        rules: Path = SHIPPED,
        off: Collection[str] = (),
        support: Mapping[str, str] | None = None,
        *,
        discreet: bool = False,
    ) -> None:
        """`off` are categories that are not judged. Raises StartupError.

        `support` is what somebody in danger is told, by the language they speak; "" is for all others. `discreet` takes
        the secrets out of what language models are told of memories and images.
        """
        self._rules = Rules(rules)
        self._off = frozenset(off)
        self._support = support or {}
        self._discreet = discreet

    async def review(self, matter: Matter) -> Verdict:
        """What is to become of a request, a command or a part of an answer. Never raises."""
        if matter.origin in _BROUGHT:
            return self._brought(matter)
        if matter.pending and self._rules.confirms(matter.text):
            return Verdict(text=matter.pending)
        # What an answer quotes is what was said, not what it says.
        said = _QUOTED.sub('""', matter.text) if matter.about == "answer" else matter.text
        held = [
            rule for rule in self._rules.holding(said, matter.about, matter.effects) if rule.category not in self._off
        ]
        if matter.confirmed:
            held = [rule for rule in held if rule.verdict is not Ruling.ASK]
        stopped = next((rule for rule in held if rule.verdict is not Ruling.TRANSFORM), None)
        if stopped is not None:
            return self._verdict(stopped, matter)
        likely = self._likely(said, matter)
        if likely.ruling not in {Ruling.ALLOW, Ruling.TRANSFORM}:
            return likely
        shown = matter.text if "secrets" in self._off else redacted(matter.text)
        if shown != matter.text:
            return msgspec.structs.replace(_FOUND, text=shown)
        return self._verdict(held[0], matter) if held else likely

    def _brought(self, matter: Matter) -> Verdict:
        """What becomes of what was stored or seen: an order is withheld, if that is sure; all else is data."""
        framed = _BROUGHT[matter.origin].format(matter.text)
        withheld = self._rules.tongue(matter.text).withheld
        for rule in self._rules.holding(framed, "request"):
            if rule.category == "injection" and rule.category not in self._off:
                return msgspec.structs.replace(self._verdict(rule, matter), text=withheld)
        for shade in shades().found(framed) if self._judges("injection") else ():
            if shade.category == "injection" and shade.sure:
                verdict = self._shaded(shade, Ruling.REFUSE, matter)
                return msgspec.structs.replace(verdict, text=withheld)
        shown = redacted(matter.text) if self._discreet and "secrets" not in self._off else matter.text
        return Verdict() if shown == matter.text else msgspec.structs.replace(_FOUND, text=shown)

    def _likely(self, said: str, matter: Matter) -> Verdict:
        """What the learned part says of a text that no rule stops. Of answers it must be sure; they order nobody."""
        for shade in shades().found(said) if self._rules.learned else ():
            ruling = _LIKELY.get(shade.category, Ruling.REFUSE if shade.sure else Ruling.ASK)
            if (
                not self._judges(shade.category)
                or (matter.about == "answer" and (not shade.sure or shade.category == "injection"))
                or (matter.confirmed and ruling is Ruling.ASK)
                or (shade.category == "irreversible" and matter.effects == ("reads",))
            ):
                continue
            return self._shaded(shade, ruling, matter)
        return Verdict()

    def _judges(self, category: str) -> bool:
        """Whether what is learned has a say in a category."""
        return category in self._rules.learned and category not in self._off

    def _shaded(self, shade: Shade, ruling: Ruling, matter: Matter) -> Verdict:
        rule = f"learned.{shade.category}"
        words = tuple(word for word in shades().because(shade) if word in matter.text)
        reason = self._rules.learned[shade.category]
        text = self._words(ruling, shade.category, reason, matter, doubted=True)
        return Verdict(ruling, rule, shade.category, reason, _SEVERITY[shade.sure], text, words)

    def _verdict(self, rule: Rule, matter: Matter) -> Verdict:
        text = self._words(rule.verdict, rule.category, rule.reason, matter)
        return Verdict(rule.verdict, rule.name, rule.category, rule.reason, rule.severity, text)

    def _words(self, ruling: Ruling, category: str, reason: str, matter: Matter, *, doubted: bool = False) -> str:
        """What stands in the place of what was judged."""
        tongue = self._rules.tongue(matter.text)
        match ruling:
            case Ruling.TRANSFORM:
                return tongue.withheld if matter.about == "answer" else matter.text
            case Ruling.SUPPORT:
                own = self._support.get(self._rules.language(matter.text), self._support.get("", ""))
                return own or tongue.support
            case Ruling.ASK:
                known = not doubted or category == "irreversible"
                return (tongue.ask if known else tongue.doubt or tongue.ask).format(reason=reason)
            case _:
                return (tongue.injected if category == "injection" else tongue.refuse).format(reason=reason)
