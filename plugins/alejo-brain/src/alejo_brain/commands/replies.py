"""What commands answer, in the user's language: the texts are in replies.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from alejo.roles import Turn
from alejo.types import Memory, Role

from ..phrases import here, numbered, quoted

_TEXTS: dict[str, dict[str, str]] = tomllib.loads(Path(__file__).with_name("replies.toml").read_text("utf-8"))
_WORD = re.compile(r"[^\W\d_]+")
_FEW, _BEFORE = 2, 4  # words, messages
_READ = 500  # characters of a message by which its language is told
# Common words by which a message's language is known where the user named none.
_COMMON = {
    name: frozenset(words.split())
    for name, words in {
        "en": "yes no the my is what that of to me you it do remember forget how when are and in about",
        "de": "ja nein vergiss der die das ich mir mich dass bitte was ist und nicht mein meine meinen du wie wann an "
        "zu welcher welche viele tag tage bis auf fällt erinnere",
        "es": "sí olvida que el la los mi mis por favor como qué cuándo cuánto de en es no lo recuerda olvida hay días "
        "cuántos faltan para día hora recuérdame",
    }.items()
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Locale:
    """How one turn is answered: its language, its time zone, and the time there."""

    def __init__(self, turn: Turn, before: Sequence[str] = ()) -> None:
        """`before` is what was said before a message that is too short to tell its language."""
        preferred = turn.preferences.language.partition("-")[0].lower()
        self.language = preferred if preferred in _TEXTS else _told(" ".join([*before, turn.message.text]))
        self.zone = here(turn)
        self.now = self.local(turn.now)

    def say(self, key: str, /, **slots: object) -> str:
        """A text with its slots filled in; where `count` is 1, the one for that, if there is one."""
        texts = _TEXTS[self.language] if key in _TEXTS[self.language] else _TEXTS["en"]
        text = texts.get(f"{key}_one", texts[key]) if slots.get("count") == 1 else texts[key]
        return re.sub(r"\{(\w+)\}", lambda slot: str(slots[slot[1]]), text)

    def named(self, sort: str, name: str) -> str:
        """What a name of a sort is called; the name itself where it is none of ours."""
        key = f"{sort}_{name}"
        return self.say(key) if key in _TEXTS["en"] else name

    def local(self, moment: int) -> datetime:
        """A moment in µs as a time of the wall; what is beyond the calendar is its nearest end."""
        try:
            return (_EPOCH + timedelta(microseconds=moment)).astimezone(self.zone).replace(tzinfo=None)
        except OverflowError:
            return datetime.max if moment > 0 else datetime.min

    def moment(self, wall: datetime) -> int:
        """A time of the wall as a moment in µs."""
        return (wall.replace(tzinfo=self.zone) - _EPOCH) // timedelta(microseconds=1)

    def day(self, day: date) -> str:
        """A date as people write it."""
        return self.say("date", day=day.day, month=self.say("month_names").split()[day.month - 1], year=day.year)

    def weekday(self, day: date) -> str:
        """The name of a day of the week."""
        return self.say("weekday_names").split()[day.weekday()]

    def when(self, wall: datetime) -> str:
        """A day and its time."""
        return self.say("on", weekday=self.weekday(wall), date=self.day(wall), clock=f"{wall:%H:%M}")

    def said_on(self, memory: Memory) -> str:
        """The date of a memory where the user is."""
        return self.day(self.local(memory.sent_at))

    def dated(self, memory: Memory) -> str:
        """A memory in a list: its words, who said them, and the date in brackets."""
        who = f"{memory.speaker}, " if memory.speaker else ""
        return f"{quoted(memory)} ({who}{self.said_on(memory)})"

    def more(self, items: Sequence[str], most: int) -> dict[str, str]:
        """The first of a list, numbered, and how many more there are, as two slots."""
        rest = len(items) - most
        return {"listed": numbered(items[:most]), "more": self.say("more", count=rest) if rest > 0 else ""}


async def heard(turn: Turn) -> Locale:
    """How a turn is answered; a message of few words in the language of those before it."""
    if turn.preferences.language or len(turn.message.text.split()) > _FEW:
        return Locale(turn)
    said = await turn.desk.said(_BEFORE)
    return Locale(turn, [message.text for message in said if message.role is Role.USER])


def _told(text: str) -> str:
    words = _WORD.findall(text[:_READ].lower())
    counts = {name: sum(word in common for word in words) for name, common in _COMMON.items()}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] > counts["en"] else "en"
