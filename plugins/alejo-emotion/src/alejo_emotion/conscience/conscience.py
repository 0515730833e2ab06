"""Judges what is asked, what is to be run and what is about to be said, and says by which rule."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import msgspec

from alejo.types import Matter, Ruling, Verdict

from .rules import SHIPPED, Rule, Rules
from .secrets import redacted

_QUOTED = re.compile(r'"[^"]*"|\u201c[^\u201d]*\u201d|\u00ab[^\u00bb]*\u00bb')
_FOUND = Verdict(Ruling.TRANSFORM, "secrets.found", "secrets", "it holds a secret", 0.6)


class Conscience:
    """Goes by a file of rules and takes out secrets; what it says is in the language it was spoken to in."""

    def __init__(self, rules: Path = SHIPPED, off: Collection[str] = (), support: str = "") -> None:
        """`off` are categories that are not judged; `support` is said to somebody in danger. Raises StartupError."""
        self._rules = Rules(rules)
        self._off = frozenset(off)
        self._support = support

    async def review(self, matter: Matter) -> Verdict:
        """What is to become of a request, a command or a part of an answer. Never raises."""
        if matter.pending and self._rules.confirms(matter.text):
            return Verdict(text=matter.pending)
        # What an answer quotes is what was said, not what it says.
        said = _QUOTED.sub('""', matter.text) if matter.about == "answer" else matter.text
        held = [rule for rule in self._rules.holding(said, matter.about) if rule.category not in self._off]
        if matter.confirmed:
            held = [rule for rule in held if rule.verdict is not Ruling.ASK]
        stopped = next((rule for rule in held if rule.verdict is not Ruling.TRANSFORM), None)
        if stopped is not None:
            return self._verdict(stopped, matter)
        shown = matter.text if "secrets" in self._off else redacted(matter.text)
        if shown != matter.text:
            return msgspec.structs.replace(_FOUND, text=shown)
        return self._verdict(held[0], matter) if held else Verdict()

    def _verdict(self, rule: Rule, matter: Matter) -> Verdict:
        tongue = self._rules.tongue(matter.text)
        match rule.verdict:
            case Ruling.TRANSFORM:
                text = tongue.withheld if matter.about == "answer" else matter.text
            case Ruling.SUPPORT:
                text = self._support or tongue.support
            case Ruling.ASK:
                text = tongue.ask.format(reason=rule.reason)
            case _:
                text = (tongue.injected if rule.category == "injection" else tongue.refuse).format(reason=rule.reason)
        return Verdict(rule.verdict, rule.name, rule.category, rule.reason, rule.severity, text)
