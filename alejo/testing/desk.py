"""A turn without a server: messages, a desk that keeps a list, and turns made for it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC
from typing import Any

import msgspec

from alejo.errors import NotFound
from alejo.memory.entities import SELF, FactIndex
from alejo.memory.lines import times
from alejo.memory.timeline import Stated
from alejo.plugins import check_arguments
from alejo.roles import Command, Desk, Lesson, Told, Turn
from alejo.types import (
    Context,
    ContextItem,
    Hit,
    Judged,
    Layer,
    Memory,
    MemoryDraft,
    Mention,
    Message,
    Pair,
    Preferences,
    Reminder,
    ReminderState,
    Role,
    Session,
    SessionState,
)

DAY = 86_400_000_000
NOW = 1_683_640_980_000_000  # 9 May 2023, 14:03 UTC
_STOPWORDS = frozenset(
    "a an the i you my your is are was were do does did what when who where how to of and that it in on".split()  # noqa: SIM905
)


def message(text: str, *, id: str = "now", role: Role = Role.USER, **fields: Any) -> Message:  # noqa: A002  the field's name
    """A message of the session "s1", said now; `fields` are those of alejo.types.Message."""
    given: dict[str, Any] = {"session_id": "s1", "seq": 1, "sent_at": NOW, "recorded_at": NOW} | fields
    return Message(id=id, role=role, text=text, **given)


def turn(text: str, desk: Desk | None = None, *, images: Sequence[Any] = (), **fields: Any) -> Turn:
    """A turn in which a user says this, at a ListDesk of its own unless one is given; `fields` are those of Turn."""
    desk = desk or ListDesk()
    commands = tuple(each.spec for each in desk.offered) if isinstance(desk, ListDesk) else ()
    given: dict[str, Any] = {
        "session": Session("s1", SessionState.ACTIVE, NOW, NOW),
        "message": message(text, images=tuple(images)),
        "recalled": (),
        "appraisal": None,
        "percepts": (),
        "degraded": (),
        "commands": commands,
        "now": NOW,
    }
    made = Turn(**(given | fields), desk=desk)
    if isinstance(desk, ListDesk):
        desk.turn = made
    return made


def lesson(**fields: Any) -> Lesson:
    """A lesson of a session with one question that was answered and judged; `fields` are those of Lesson."""
    session = Session("s1", SessionState.COMPLETED, NOW, NOW)
    given: dict[str, Any] = {
        "session": session,
        "state": b"",
        "now": NOW,
        "pairs": (Pair("Who likes the garden?", "Luna does.", session.id, "m1", NOW),),
        "judged": (Judged(((0.2, 0.9), (0.8, 0.1)), (1.0, -1.0)),),
        "evidence": ("lexical", "dense"),
        "weights": {"lexical": 1.0, "dense": 0.5},
    }
    return Lesson(**(given | fields))


class ListDesk:
    """The host's side of a turn, over a list: finds by words and their rarity, like the real one.

    `kept` are the memories, `offered` the commands that may be run, `ran` those that were, with their arguments.
    `earlier` are the messages of the session, `told` its last turn, `agenda` the reminders that are pending.
    """

    def __init__(self, *commands: Command) -> None:
        self.kept: list[Memory] = []
        self.offered: list[Command] = list(commands)
        self.ran: list[tuple[str, str]] = []
        self.turn: Turn | None = None
        self.earlier: list[Message] = []
        self.told: Told | None = None
        self.agenda: list[Reminder] = []
        self.preferences = Preferences()

    def add(
        self, text: str, *, speaker: str = "", days_ago: float = 1, kind: str = "statement", message_id: str = ""
    ) -> Memory:
        """Puts a memory in, as if it had been there."""
        at = NOW - round(days_ago * DAY)
        memory = Memory(f"m{len(self.kept)}", Layer.EPISODIC, kind, text, at, at, speaker, "s1", message_id)
        self.kept.append(memory)
        return memory

    async def context(self, token_budget: int = 0) -> Context:
        """All that is kept, newest first, as far as it fits at four characters a token."""
        items, left = [], token_budget or 2048
        for memory in await self.memories(len(self.kept)):
            tokens = max(1, len(memory.text) // 4)
            if tokens <= left:
                left -= tokens
                items.append(ContextItem("memories", memory.text, tokens, memory.id))
        return Context(tuple(items), sum(item.tokens for item in items))

    async def recall(self, query: str, limit: int = 10) -> Sequence[Hit]:
        """The best matches."""
        held = [_terms(f"{memory.text} {memory.speaker}") for memory in self.kept]
        count = len(held)

        def rarity(term: str) -> float:
            seen = sum(term in each for each in held)
            return math.log(1 + (count - seen + 0.5) / (seen + 0.5))

        asked = {term: rarity(term) for term in _terms(query)}
        total = sum(asked.values()) or 1.0
        hits = []
        for memory, words in zip(self.kept, held, strict=True):
            score = sum(weight for term, weight in asked.items() if term in words)
            if score:
                hits.append(Hit(memory, score, score / total))
        return sorted(hits, key=lambda hit: -hit.score)[:limit]

    async def memories(self, limit: int = 20) -> Sequence[Memory]:
        """The newest first."""
        return sorted(self.kept, key=lambda memory: -memory.sent_at)[:limit]

    async def times(self, memories: Sequence[Memory]) -> Sequence[tuple[Mention, ...]]:
        """What each names of time, in UTC."""
        return [times(memory.text, memory.sent_at, UTC) for memory in memories]

    async def remember(self, draft: MemoryDraft) -> Memory:
        """Keeps a draft."""
        return self.add(draft.text, kind=draft.kind, days_ago=0, message_id=draft.message_id)

    async def forget(self, memory_ids: Sequence[str]) -> int:
        """Takes memories out."""
        before = len(self.kept)
        self.kept = [memory for memory in self.kept if memory.id not in memory_ids]
        return before - len(self.kept)

    async def correct(self, memory_id: str, text: str) -> Memory:
        """Gives a memory other words. Raises NotFound."""
        for place, memory in enumerate(self.kept):
            if memory.id == memory_id:
                self.kept[place] = msgspec.structs.replace(memory, text=text)
                return self.kept[place]
        raise NotFound("memory", memory_id)

    async def prefer(self, changes: dict[str, str]) -> Preferences:
        """Keeps the fields that are texts by their names, and all else among the others."""
        fields = {name: text for name, text in changes.items() if name in {"language", "model", "time_zone"}}
        others = self.preferences.others | {name: text for name, text in changes.items() if name not in fields}
        others = {name: text for name, text in others.items() if text}
        self.preferences = msgspec.structs.replace(self.preferences, **fields, others=others)
        return self.preferences

    async def said(self, limit: int = 50) -> Sequence[Message]:
        """The last of them."""
        return self.earlier[-limit:]

    async def facts(self, limit: int = 50) -> Sequence[Memory]:
        """Those that are kept as facts, the newest first."""
        return [memory for memory in await self.memories(len(self.kept)) if memory.fact is not None][:limit]

    async def stated(self, about: str = "", limit: int = 200, as_of: int | None = None) -> Sequence[Memory]:
        """Those of them about the user or another, found as the server finds them."""
        kept = {each.id: each for each in self.kept}
        index = FactIndex()
        for each in self.kept:
            if each.fact is not None:
                index.put(Stated(each.id, each.fact, each.superseded_by), each.recorded_at)
        found = index.find(entity=about or SELF, as_of=as_of, superseded=True)
        return [kept[each.id] for each in found][:limit]

    async def ways(self, limit: int = 20) -> Sequence[Memory]:
        """The instructions that are kept, the newest first."""
        return [memory for memory in await self.memories(len(self.kept)) if memory.kind == "instruction"][:limit]

    async def last(self) -> Told | None:
        """The last turn."""
        return self.told

    async def sessions(self, limit: int = 20) -> Sequence[Session]:
        """The one there is."""
        return [Session("s1", SessionState.ACTIVE, NOW, NOW, message_count=len(self.earlier))][:limit]

    async def remind(self, text: str, due: int, *, recurrence: str = "") -> Reminder:
        """Keeps a reminder."""
        reminder = Reminder(f"r{len(self.agenda)}", text, due, NOW, "s1", "now", recurrence=recurrence, first_due=due)
        self.agenda.append(reminder)
        return reminder

    async def reminders(self) -> Sequence[Reminder]:
        """Those that are pending, by when they are due."""
        pending = (reminder for reminder in self.agenda if reminder.state is ReminderState.PENDING)
        return sorted(pending, key=lambda reminder: reminder.due)

    async def dismiss(self, reminder_id: str) -> bool:
        """Takes one back. Raises NotFound."""
        for place, reminder in enumerate(self.agenda):
            if reminder.id == reminder_id:
                self.agenda[place] = msgspec.structs.replace(reminder, state=ReminderState.DISMISSED)
                return reminder.state is ReminderState.PENDING
        raise NotFound("reminder", reminder_id)

    async def run(self, command: str, arguments: str) -> str:
        """Runs an offered command. Raises NotFound, InvalidArgument."""
        for each in self.offered:
            if each.spec.name == command:
                arguments = check_arguments(each.spec, arguments)
                self.ran.append((command, arguments))
                return await each.run(arguments, self.turn or turn("", self))
        raise NotFound("command", command)


def _terms(text: str) -> set[str]:
    """A text's words without the commonest, cut to a crude stem."""
    found = re.findall(r"[^\W_]+", text.lower())
    return {re.sub(r"(?:ed|ing|s)$", "", word) for word in found if word not in _STOPWORDS}
