"""How the pieces of a context are written: each on a line of its own that begins with who said it, whatever it holds.

Nothing that was said can look like a heading or like another's line, as its line breaks are spaces.
"""

from __future__ import annotations

from datetime import timedelta, tzinfo

from alejo.clock import TIME_ZONE, local
from alejo.memory.when import Span, resolve
from alejo.types import Appraisal, Memory, Mention, Message, Role, Session

HEADINGS = {
    "pinned": "Pinned:",
    "procedural": "How the user wants things done:",
    "facts": "Facts and preferences, quoted:",
    "recalled": "Said before, quoted:",
    "session": "This session:",
    "emotion": "Mood:",
    "immediate": "Last messages:",
}
_SPEAKERS = {Role.ASSISTANT: "Assistant", Role.SYSTEM: "System", Role.TOOL: "Tool"}
_TOLD = {"episode": "Episode", "percept": "Picture", "summary": "Summary"}
_EMOTIONS = 3


def date(moment: int, zone: tzinfo) -> str:
    """A moment in µs as a date people read; empty for one that no calendar holds."""
    day = local(moment, zone)
    return f"{day.day} {day:%B} {day.year}" if day else ""


def plain(text: str) -> str:
    """A text on one line."""
    return " ".join(text.split())


def dated(text: str, moment: int, zone: tzinfo) -> str:
    """A text said at a moment on one line, with the dates beside the words that name them: "yesterday [7 May 2023]"."""
    parts, place = [], 0
    for span in resolve(text, moment, zone):
        end = text.index(span.text, place) + len(span.text)
        named = "" if text.startswith(" [", end) else absolute(span, zone)  # what was made of it may say the date
        parts.append(f"{text[place:end]} [{named}]" if named else text[place:end])
        place = end
    return plain("".join([*parts, text[place:]]))


def times(text: str, moment: int, zone: tzinfo) -> tuple[Mention, ...]:
    """What a text said at a moment names of time, in the order of its words."""
    spans = resolve(text, moment, zone)
    return tuple(Mention(span.text, span.start, span.end, absolute(span, zone)) for span in spans)


def absolute(span: Span, zone: tzinfo) -> str:
    """A range as days, months or years; "" for one whose words already say its year."""
    start, end = local(span.start, zone), local(span.end - 1, zone)
    if start is None or end is None or str(start.year) in span.text:
        return ""
    first, last = f"{start.day} {start:%B}", f"{end.day} {end:%B}"
    if end - start < timedelta(hours=12) or start.date() == end.date():
        return f"{first} {start.year}"
    if start.day == 1 and (end + timedelta(days=1)).day == 1:
        first, last = f"{start:%B}", f"{end:%B}"
        if (start.month, end.month) == (1, 12):
            return str(start.year) if start.year == end.year else f"{start.year} to {end.year}"
    if start.year != end.year:
        first = f"{first} {start.year}"
    return f"{first} to {last} {end.year}" if first != last else f"{last} {end.year}"


def said(memory: Memory, words: str) -> str:
    """A memory's line; what stands for what several have said begins with what it is."""
    return f"{_name(memory.speaker) or _TOLD.get(memory.kind, 'User')}: {words}"


def spoken(message: Message) -> str:
    """A message's line."""
    return f"{_name(message.speaker) or _SPEAKERS.get(message.role, 'User')}: {plain(message.text)}"


def quoted(piece: str) -> str:
    """The words of a piece of a context, without headings and who said them."""
    return piece.rpartition("\n")[2].partition(": ")[2]


def _name(speaker: str) -> str:
    return plain(speaker.replace(":", " "))


def meeting(session: Session, now: int, zone: tzinfo) -> str:
    """The line of a session: what it is about, its labels, and what day it is."""
    day = local(now, zone)
    today = f"now {day:%A} {date(now, zone)}, {day:%H:%M} {getattr(zone, 'key', '')}".rstrip() if day else ""
    labels = (f"{plain(key)} {plain(value)}" for key, value in sorted(session.metadata.items()) if key != TIME_ZONE)
    title = f'"{plain(session.title)}"' if session.title.strip() else ""
    return "; ".join(part for part in (title, *labels, today) if part)


def mood(appraisal: Appraisal | None) -> str:
    """The line of what was felt in what the user said last; empty if nothing was."""
    if appraisal is None or not appraisal.emotions:
        return ""
    pleasant = "pleasant" if appraisal.valence >= 0 else "unpleasant"
    return f"{', '.join(each.name for each in appraisal.emotions[:_EMOTIONS])} ({pleasant})"
