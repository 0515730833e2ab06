"""Lists of what there is."""

from __future__ import annotations

from alejo.roles import Turn

from ..phrases import numbered
from .describing import described, given
from .memories import SEEN, told
from .person import preferences
from .remind import agenda
from .replies import Locale, heard

LISTED = 10
_KINDS = ("memories", "facts", "sessions", "preferences", "reminders")


class List:
    """Names what there is of a kind."""

    spec = described(
        "list",
        "lists memories, facts, sessions, preferences or reminders",
        "list memories",
        ("list {kind}", "show me my {kind}", "show all {kind}"),
        kind={"type": "string", "enum": list(_KINDS), "description": "What to list; memories if it is left out."},
    )

    async def run(self, arguments: str, turn: Turn) -> str:
        """Up to ten of them, and how many more there are."""
        locale = await heard(turn)
        match given(arguments).get("kind", "memories"):
            case "facts":
                return await _facts(turn, locale)
            case "sessions":
                return await _sessions(turn, locale)
            case "preferences":
                listed = preferences(turn.preferences)
                return locale.say("preferences", listed="; ".join(listed)) if listed else locale.say("preferences_none")
            case "reminders":
                found = await turn.desk.reminders()
                if not found:
                    return locale.say("reminders_none")
                return locale.say("reminders", listed=numbered(agenda(found, locale)))
        newest = told(await turn.desk.memories(SEEN), turn)
        if not newest:
            return locale.say("list_none")
        return locale.say("listed", **locale.more([locale.dated(memory) for memory in newest], LISTED))


async def _facts(turn: Turn, locale: Locale) -> str:
    found = told(await turn.desk.facts(SEEN), turn)
    if not found:
        return locale.say("facts_none")
    return locale.say("facts", **locale.more([locale.dated(memory) for memory in found], LISTED))


async def _sessions(turn: Turn, locale: Locale) -> str:
    found = [
        locale.say("session", date=locale.day(locale.local(each.created_at)), count=each.message_count)
        for each in await turn.desk.sessions(SEEN)
    ]
    return locale.say("sessions", **locale.more(found, LISTED))
