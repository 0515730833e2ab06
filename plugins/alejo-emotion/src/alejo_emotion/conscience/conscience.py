"""Judges what is asked, what is to be run and what is about to be said, and says by which rule."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal, get_args

import msgspec

from alejo.types import Matter, Ruling, Verdict

from .lines import country, lines
from .rules import SHIPPED, Rule, Rules, Tongue, normal
from .secrets import redacted
from .shades import Shade, shades

Destination = Literal["local", "remote", "world"]
_QUOTED = re.compile(r'"[^"]*"|\u201c[^\u201d]*\u201d|\u00ab[^\u00bb]*\u00bb')
_FOUND = Verdict(Ruling.TRANSFORM, "secrets.found", "secrets", "it holds a secret", 0.6)
# What comes of what is only likely. Where no ruling stands, it is to ask, and to refuse once that is sure.
_LIKELY = {"self_harm": Ruling.SUPPORT, "secrets": Ruling.TRANSFORM, "irreversible": Ruling.ASK}
# How what was stored or seen is judged: as an order, if it is one, with where it comes from.
_BROUGHT = {"memory": "Stored note: '{}'", "image": "Text in the image: '{}'"}
# What was learned is mostly English, and so is the talk that it was tried on: of other languages more is wanted.
_LESS_KNOWN, _MORE = frozenset({"self_harm", "violence", "illegal"}), 0.1
_SEVERITY = {False: 0.4, True: 0.7}
_AWAY = frozenset(get_args(Destination))  # where a text is of no use but as data
DISCREET: tuple[Destination, ...] = ("remote", "world")


class Conscience:
    """Goes by a file of rules, takes out secrets, and where no rule holds by what a text is likely about.

    A secret stays with the user whose it is, and is taken out of what goes elsewhere. What it says is in the language
    it was spoken to in.
    """

    def __init__(
        self,
        rules: Path = SHIPPED,
        off: Collection[str] = (),
        support: Mapping[str, str] | None = None,
        *,
        country: str = "",
        discreet: Collection[str] = DISCREET,
    ) -> None:
        """`off` are categories that are not judged. Raises StartupError.

        `support` is what somebody in danger is told, by the country they are in (AT) or the language they speak (de);
        "" is for all others. `country` is where all are, "" for where each seems to be. `discreet` are the destinations
        that get no secrets: "local" and "remote" for language models on this machine and on others, "world".
        """
        self._rules = Rules(rules)
        self._off = frozenset(off)
        self._support = support or {}
        self._country = country
        self._discreet = frozenset(discreet)

    async def review(self, matter: Matter) -> Verdict:
        """What is to become of a request, a command or a part of an answer, or of what leaves. Never raises."""
        if matter.destination in _AWAY:
            return self._discreetly(matter)
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
        found = self._found(matter)
        if found.ruling is Ruling.TRANSFORM:
            return found
        return self._verdict(held[0], matter) if held else likely

    def _found(self, matter: Matter) -> Verdict:
        """What becomes of a text with a secret: it goes without it, unless it goes to the user alone."""
        shown = matter.text if "secrets" in self._off else redacted(matter.text)
        if shown == matter.text:
            return Verdict()
        if matter.destination != "user":
            return msgspec.structs.replace(_FOUND, text=shown)
        # It is told that there is one; what the user is answered is nobody else's business.
        return msgspec.structs.replace(_FOUND, text=matter.text) if matter.about == "request" else Verdict()

    def _discreetly(self, matter: Matter) -> Verdict:
        """What becomes of what leaves, which is judged for all else where it comes in."""
        return self._found(matter) if matter.destination in self._discreet else Verdict()

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
        return Verdict()

    def _likely(self, said: str, matter: Matter) -> Verdict:
        """What the learned part says of a text that no rule stops. Of answers it must be sure; they order nobody."""
        for shade in shades().found(said) if self._rules.learned else ():
            ruling = _LIKELY.get(shade.category, Ruling.REFUSE if shade.sure else Ruling.ASK)
            if (
                not self._judges(shade.category)
                or (shade.category in _LESS_KNOWN and shade.excess < _MORE and not self._rules.is_first(shade.piece))
                or (matter.about == "answer" and (not shade.sure or shade.category == "injection"))
                or (matter.about != "request" and matter.destination == "user" and ruling is Ruling.TRANSFORM)
                or (matter.confirmed and ruling is Ruling.ASK)
                or (shade.category == "irreversible" and matter.effects == ("reads",))
                or (matter.about != "answer" and self._excused(said, shade.category))
            ):
                continue
            return self._shaded(shade, ruling, matter)
        return Verdict()

    def _excused(self, said: str, category: str) -> bool:
        """Whether a text is likely of a category only by words that are excused."""
        left = self._rules.unexcused(said, category)
        return left != normal(said) and all(shade.category != category for shade in shades().found(left))

    def _judges(self, category: str) -> bool:
        """Whether what is learned has a say in a category."""
        return category in self._rules.learned and category not in self._off

    def _shaded(self, shade: Shade, ruling: Ruling, matter: Matter) -> Verdict:
        rule = f"learned.{shade.category}"
        words = tuple(word for word in shades().because(shade) if word in matter.text)
        reason = self._rules.learned[shade.category]
        text = self._words(ruling, shade.category, reason, matter, doubted=not shade.sure)
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
                return self._help((doubted and tongue.worry) or tongue.support, tongue, matter)
            case Ruling.ASK:
                known = not doubted or category == "irreversible"
                return (tongue.ask if known else tongue.doubt or tongue.ask).format(reason=reason)
            case _:
                return (tongue.injected if category == "injection" else tongue.refuse).format(reason=reason)

    def _help(self, text: str, tongue: Tongue, matter: Matter) -> str:
        """What somebody in danger is told: as it is set for their country or language, else by the lines."""
        place, language = self._country or country(matter.language, matter.zone), self._rules.language(matter.text)
        for own in filter(self._support.get, (place or language, language, "")):
            return self._support[own]
        known = lines().get(place)
        line, emergency = (known.line, known.emergency) if known else (tongue.line, tongue.emergency)
        return text.format(line=line, emergency=emergency)
