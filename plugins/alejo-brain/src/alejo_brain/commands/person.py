"""Commands about the user: what they prefer, and what is known of them."""

from __future__ import annotations

import re
from datetime import UTC

import msgspec

from alejo.errors import InvalidArgument
from alejo.roles import Turn
from alejo.types import Memory, Preferences

from ..phrases import moment, numbered, quoted
from ..ways import MODES
from .date import zone_of
from .describing import described, given
from .memories import told
from .replies import Locale, heard

SEEN = 50
SAID = 10
_SURE = 0.7  # confidence from which a fact is told without "perhaps"
_LANGUAGES = {
    "english": "en",
    "german": "de",
    "deutsch": "de",
    "spanish": "es",
    "español": "es",
    "french": "fr",
    "italian": "it",
    "portuguese": "pt",
    "dutch": "nl",
    "hindi": "hi",
    "polish": "pl",
    "swedish": "sv",
    "danish": "da",
    "norwegian": "no",
    "finnish": "fi",
    "turkish": "tr",
    "russian": "ru",
    "ukrainian": "uk",
    "arabic": "ar",
    "chinese": "zh",
    "japanese": "ja",
    "korean": "ko",
    "greek": "el",
    "czech": "cs",
    "hungarian": "hu",
    "romanian": "ro",
}
# Other words for what has a field of its own.
_NAMES = {
    "lang": "language",
    "sprache": "language",
    "idioma": "language",
    "timezone": "time_zone",
    "zeitzone": "time_zone",
    "zona_horaria": "time_zone",
    "mode_of_dialogue": "mode",
    "dialogue_mode": "mode",
    "modell": "model",
    "modelo": "model",
}
# The group of a fact, by words of its relation.
_GROUPS = tuple(
    (name, re.compile(rf"\b(?:{words.replace(' ', '|').replace('_', ' ')})\b" if words else ""))
    for name, words in (
        ("home", "live lives home address from moved born_in"),
        ("work", "work works job profession employer studies studied company boss"),
        (
            "people",
            "sister brother mother father wife husband partner son daughter child friend pet dog cat aunt uncle "
            "cousin married colleague neighbour",
        ),
        ("likes", "like likes love loves hate hates dislikes prefers favourite favorite enjoys wants"),
        ("person", "name birthday born age height speaks allergic known_as is_a is"),
        ("other", ""),
    )
)
_MODES = frozenset(f"mode_{mode}" for mode in MODES)


class Prefer:
    """Keeps what the user prefers."""

    spec = described(
        "prefer",
        "keeps how you want things: language, time zone, model, mode, tone and others",
        "answer in <language>",
        ("answer in {value}", "set my {name} to {value}"),
        writes=True,
        name="What is preferred: language, time_zone, model, mode, name, tone, length, format, units or another word.",
        value="How it shall be; empty to take it back.",
    )

    async def run(self, arguments: str, turn: Turn) -> str:
        """Changes one preference."""
        wanted, locale = given(arguments), await heard(turn)
        name = re.sub(r"\W+", "_", wanted.get("name", "").lower()).strip("_")
        name, value = _NAMES.get(name, name), wanted.get("value", "")
        if not value and name in _MODES:  # typed as one text: "/prefer mode reflective"
            name, value = name.split("_")
        if not name:
            return locale.say("prefer_what")
        if name == "time_zone":  # a city's, too
            value = zone_of(value) or value
        kept = _LANGUAGES.get(value.lower(), value) if name == "language" else value
        try:
            await turn.desk.prefer({name: kept})
        except InvalidArgument as refused:
            return locale.say("prefer_refused", why=refused.message)
        if name == "language":
            preferred = msgspec.structs.replace(turn.preferences, language=kept)
            locale = Locale(msgspec.structs.replace(turn, preferences=preferred))
        called = locale.named("preference", name).replace("_", " ")
        if not value:
            return locale.say("preference_gone", name=called)
        known = locale.named("language", kept) if name == "language" else kept
        return locale.say("preferred", name=called, value=value if known == kept else known)


def preferences(preferred: Preferences) -> list[str]:
    """What a user prefers, each as "name: value"."""
    fields = {
        name: getattr(preferred, name) for name in preferred.__struct_fields__ if name not in {"others", "version"}
    }
    return [f"{name.replace('_', ' ')}: {value}" for name, value in {**fields, **preferred.others}.items() if value]


class AboutMe:
    """Says what is known about the user."""

    spec = described(
        "about_me",
        "says what I know about you, since when and from where",
        "what do you know about me?",
        ("what do you know about me", "tell me about myself", "who am i"),
    )

    async def run(self, arguments: str, turn: Turn) -> str:
        """The facts that hold, in groups, each with how it is known; without any, what the user said last."""
        locale = await heard(turn)
        facts = told(await turn.desk.facts(SEEN), turn)
        if facts:
            return locale.say("about", listed=". ".join(_grouped(facts, locale)))
        said = [memory for memory in told(await turn.desk.memories(SEEN), turn) if not memory.speaker]
        if not said:
            return locale.say("about_none")
        return locale.say("about_said", listed=numbered([locale.dated(memory) for memory in said[:SAID]]))


def _grouped(facts: list[Memory], locale: Locale) -> list[str]:
    groups: dict[str, list[str]] = {name: [] for name, _ in _GROUPS}
    for memory in facts:
        relation = memory.fact.relation.lower() if memory.fact else ""
        group = next(name for name, pattern in _GROUPS if pattern.search(relation))
        groups[group].append(
            locale.say("fact", quote=quoted(memory), how=_how(memory, locale), date=_dates(memory, locale))
        )
    return [f"{locale.say(name)}: {'; '.join(found)}" for name, found in groups.items() if found]


def _how(memory: Memory, locale: Locale) -> str:
    """How a fact is known: told, gathered from several things, or entered; and whether it is sure."""
    perhaps = locale.say("probably") if memory.fact and memory.fact.confidence < _SURE else ""
    if len(memory.sources) > 1:
        return perhaps + locale.say("fact_seen", count=len(memory.sources))
    return perhaps + locale.say("fact_told" if memory.session_id or memory.sources else "fact_entered")


def _dates(memory: Memory, locale: Locale) -> str:
    """When it was said, and since when it holds if that is another day."""
    since = memory.fact.valid_from if memory.fact else None
    day = locale.said_on(memory)
    began = None if since in (None, memory.sent_at) else moment(since, UTC)
    return day if began is None or locale.day(began) == day else day + locale.say("since", date=locale.day(began))
