"""Lists of what there is."""

from __future__ import annotations

from alejo.roles import Turn

from ..phrases import numbered
from .describing import described, given
from .memories import SEEN, told
from .person import preferences
from .remind import agenda
from .replies import Manner

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
        manner = Manner(turn)
        match given(arguments).get("kind", "memories"):
            case "facts":
                return await _facts(turn, manner)
            case "sessions":
                return await _sessions(turn, manner)
            case "preferences":
                listed = preferences(turn.preferences)
                return manner.say("preferences", listed="; ".join(listed)) if listed else manner.say("preferences_none")
            case "reminders":
                found = await turn.desk.reminders()
                if not found:
                    return manner.say("reminders_none")
                return manner.say("reminders", listed=numbered(agenda(found, manner)))
        newest = told(await turn.desk.memories(SEEN), turn)
        if not newest:
            return manner.say("list_none")
        return manner.say("listed", **manner.more([manner.dated(memory) for memory in newest], LISTED))


async def _facts(turn: Turn, manner: Manner) -> str:
    found = told(await turn.desk.facts(SEEN), turn)
    if not found:
        return manner.say("facts_none")
    return manner.say("facts", **manner.more([manner.dated(memory) for memory in found], LISTED))


async def _sessions(turn: Turn, manner: Manner) -> str:
    found = [
        manner.say("session", date=manner.day(manner.local(each.created_at)), count=each.message_count)
        for each in await turn.desk.sessions(SEEN)
    ]
    return manner.say("sessions", **manner.more(found, LISTED))
