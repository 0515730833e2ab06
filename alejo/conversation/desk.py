"""The desk of a turn: what the host does for a brain or a command, for this turn's user alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from typing import NamedTuple, Protocol

import msgspec

from alejo.completions import Prompt
from alejo.conversation.review import STOPS, Review
from alejo.errors import FailedPrecondition, InvalidArgument, NotFound
from alejo.memory import Asked, Correcting, Facts, Material, Memories, quoted
from alejo.memory.entities import SELF
from alejo.models import Hand
from alejo.plugins import WORLD, PluginHost, check_arguments, reworded
from alejo.profiles import Profiles
from alejo.reminders import Reminders
from alejo.roles import Told, Turn
from alejo.sessions import Sessions
from alejo.storage.redaction import lost
from alejo.storage.requests import digest
from alejo.types import (
    Appraisal,
    CommandSpec,
    Context,
    ContextItem,
    Filter,
    Hit,
    Memory,
    MemoryDraft,
    Mention,
    Message,
    Page,
    Preferences,
    Reminder,
    ReminderState,
    Role,
    Scope,
    Session,
)

_MOST = 200
_ASSENT = 4  # words of a message that says yes
_ASKED = ("?", "\uff1f", "\u061f")
_END = re.compile(r"[.!?\u2026\u3002\uff01\uff1f\u061f\u0964\n](?:(?<=\n)|(?=\s))")  # of a sentence, or a line
_SENTENCE = 12  # characters of a sentence that is known again as a quote of its message


class Earlier(Protocol):
    """What was said before; see Turns."""

    async def said(self, scope: Scope, message: Message, limit: int) -> list[Message]:
        """The messages of a session before one."""
        ...

    async def told(self, scope: Scope, earlier: Sequence[Message]) -> Told | None:
        """The last turn that is over."""
        ...


class Rooms(NamedTuple):
    """What a desk reaches into."""

    memories: Memories
    facts: Facts
    correcting: Correcting
    profiles: Profiles
    sessions: Sessions
    reminders: Reminders
    earlier: Earlier


class TurnDesk:
    """One turn's desk. It notes what was handed out, forgotten and run, so that the turn can account for it.

    `handed` is the words by the id of the memory or message they are from: what an answer may quote. Of these,
    `versions` is the memories and `reminded` the reminders, as they were read, and `shown` the messages said before
    this one. `appraisal` is what was felt in this one, `models` what was handed to the brain beside the desk. `hollow`
    says that the answer quotes what somebody else has forgotten meanwhile: what it says beside the quote may be of it
    too, so nothing of it is kept.
    """

    def __init__(
        self,
        scope: Scope,
        message: Message,
        earlier: Sequence[Message],
        recalled: Sequence[Hit],
        rooms: Rooms,
        plugins: PluginHost,
        budget: int,
        session: Session | None = None,
        appraisal: Appraisal | None = None,
        review: Review | None = None,
    ) -> None:
        self._scope = scope
        self._message = message
        self._given = Material(immediate=earlier, session=session, appraisal=appraisal)
        self._earlier = earlier
        self._rooms = rooms
        self._memories = rooms.memories
        self._plugins = plugins
        self._budget = budget
        self.review = review or Review(plugins, None)
        self.turn: Turn | None = None
        self.models: Hand | None = None
        self.preferences = Preferences()
        self.zone = "UTC"
        self.versions: dict[str, int] = {}
        self.reminded: dict[str, int] = {}
        self.handed: dict[str, str] = {message.id: message.text}
        self.shown: list[Message] = []
        self._written: dict[str, str] = {}  # words as a context shows them, where that differs
        self._sentences: dict[str, list[str]] = {}  # of messages that may be quoted in part
        self._left: dict[str, set[str]] = {}  # words as models elsewhere were told them, where that differs
        self._asked: Counter[tuple[str, str]] = Counter()  # of the reminders that were made
        self._hand(hit.memory for hit in recalled)
        self.forgotten: list[str] = []
        self.hollow = False
        self.commands: list[str] = []

    async def context(self, token_budget: int = 0) -> Context:
        """What a model should know to answer: pinned and recalled memories and the session's last messages."""
        context, memories, _ = await self._memories.assemble(
            self._scope, self._message.text, self._given, token_budget or self._budget, self._message.id
        )
        self._hand(memories)
        if self.models is not None:
            items = tuple([await self._told(item) for item in context.items])
            context = msgspec.structs.replace(context, items=items)
        told = {item.message_id for item in context.items}
        self._show(message for message in self._earlier if message.id in told)
        self._written.update({item.memory_id or item.message_id: quoted(item.text) for item in context.items})
        return context

    async def _told(self, item: ContextItem) -> ContextItem:
        """A piece of the context as a model may see it: what is remembered is judged before."""
        words = quoted(item.text)
        shown = await self.review.remembered(words) if item.memory_id else words
        return item if shown == words else msgspec.structs.replace(item, text=item.text.replace(words, shown))

    async def leaving(self, prompt: Prompt, destination: str) -> str:
        """What a model is told, as it may see it where it is. Raises PluginFailed where the conscience cannot say."""
        text = await self._returned(prompt.text) if prompt.role is Role.TOOL else prompt.text
        told = await self.review.leaving(text, destination)
        if told != text:
            for subject, words in [*self.handed.items(), *self._written.items()]:
                if words and words in text:
                    self._left.setdefault(subject, set()).add(await self.review.leaving(words, destination))
        return told

    async def _returned(self, text: str) -> str:
        """What a command said: judged like what is remembered, each memory in it by itself."""
        if await self.review.remembered(text) == text:
            return text
        for subject, words in list(self.handed.items()):
            if words and words in text:
                shown = self._written[subject] = await self.review.remembered(words)
                text = text.replace(words, shown)
        return await self.review.remembered(text)

    def quotes(self, subject: str, text: str) -> bool:
        """Whether a text has the words of a memory or message that was handed out, as it is or as it was shown."""
        words = self.handed[subject], self._written.get(subject, ""), *self._in_part(subject)
        return any(each and each in text for each in words)

    def withdraw(self, subject: str) -> None:
        """Forgets the words of a memory or message that was handed out."""
        words = self.handed.pop(subject), self._written.pop(subject, ""), *self._in_part(subject)
        self.forgotten += filter(None, words)
        self._sentences.pop(subject, None)
        self._left.pop(subject, None)
        self.versions.pop(subject, None)
        self.reminded.pop(subject, None)

    def _in_part(self, subject: str) -> Iterable[str]:
        return chain(self._sentences.get(subject, ()), self._left.get(subject, ()))

    async def recall(self, query: str, limit: int = 10) -> Sequence[Hit]:
        """Memories that match, best first."""
        hits, _, _ = await self._memories.recall(self._scope, query, Page(_few(limit)), but=self._message.id)
        self._hand(hit.memory for hit in hits)
        return hits

    async def times(self, memories: Sequence[Memory]) -> Sequence[tuple[Mention, ...]]:
        """What each memory names of time, seen from when and where it was said."""
        return await self._memories.times(self._scope, memories, self._given.session)

    async def memories(self, limit: int = 20) -> Sequence[Memory]:
        """The newest memories, newest first."""
        found, _ = await self._memories.list(self._scope, Page(_few(limit)), Filter())
        self._hand(found)
        return found

    def _hand(self, memories: Iterable[Memory]) -> None:
        for memory in memories:
            self.handed[memory.id] = memory.text
            self.versions[memory.id] = memory.version

    def _show(self, messages: Iterable[Message], *, in_part: bool = False) -> None:
        """Hands messages out; `in_part`: an answer may quote a sentence of them."""
        for message in messages:
            if in_part:
                self._sentences[message.id] = _sentences(message.text)
            if message.id not in self.handed:
                self.shown.append(message)
                self.handed[message.id] = message.text

    def lose(self, subject: str, answer: str) -> None:
        """Withdraws what somebody else has forgotten meanwhile."""
        self.hollow |= self.quotes(subject, answer)
        self.withdraw(subject)

    def reread(self, message: Message, answer: str) -> None:
        """Takes a message as it is now: what it has lost since it was handed out is forgotten here too."""
        words = self.handed.get(message.id, message.text)
        if words != message.text:
            self.hollow |= message.redacted and self.quotes(message.id, answer)
            self.forgotten += lost(words, message.text)
            self.forgotten += [each for each in self._sentences.pop(message.id, ()) if each not in message.text]
            self.handed[message.id] = message.text

    async def remember(self, draft: MemoryDraft) -> Memory:
        """Remembers something that was just said; it is on disk when this returns."""
        kept = await self._memories.remember(
            self._scope, draft, request_id=self._once("remember", draft), source=self._message
        )
        if not kept.memories:
            raise FailedPrecondition("This was remembered once and has been forgotten since.")
        self._hand(kept.memories)
        return kept.memories[0]

    async def forget(self, memory_ids: Sequence[str]) -> int:
        """Forgets memories and redacts the messages they came from; returns how many were there."""
        confirmed = self.review.confirmed or self._assents()
        count, _ = await self._memories.forget(
            self._scope, memory_ids, asked=Asked(self._message, self._earlier, confirmed)
        )
        for each in memory_ids:
            if each in self.handed:
                self.withdraw(each)
        return count

    def _assents(self) -> bool:
        """Whether the message may be no more than a yes to what was just asked back."""
        asked = self._earlier[-1:]
        return (
            bool(asked)
            and asked[0].role is Role.ASSISTANT
            and asked[0].text.rstrip().endswith(_ASKED)
            and len(self._message.text.split()) <= _ASSENT
        )

    def _once(self, *what: object) -> str:
        """The request id of something done in this turn: one that goes on after a kill does nothing twice."""
        return f"{self._message.id}/{digest(what).hex()}"

    async def correct(self, memory_id: str, text: str) -> Memory:
        """Gives a memory other words, as it was wrong: facts that it states are corrected with it."""
        once = self._once("correct", memory_id, text)
        memory = await self._rooms.correcting.correct(self._scope, memory_id, text, once)
        self._hand([memory])
        return memory

    async def prefer(self, changes: dict[str, str]) -> Preferences:
        """Changes what the user prefers."""
        once = self._once("prefer", changes)
        self.preferences = await self._rooms.profiles.note(self._scope, changes, request_id=once)
        return self.preferences

    async def said(self, limit: int = 50) -> Sequence[Message]:
        """The last messages of this session before this one, newest last."""
        found = await self._rooms.earlier.said(self._scope, self._message, _few(limit))
        self._show(found, in_part=True)
        return found

    async def facts(self, limit: int = 50) -> Sequence[Memory]:
        """Facts that hold about the user now, those that began last first."""
        now = self.turn.now if self.turn is not None else None
        found, _ = await self._rooms.facts.list(self._scope, Page(_few(limit)), entity=SELF, as_of=now)
        self._hand(found)
        return found

    async def stated(self, about: str = "", limit: int = _MOST, as_of: int | None = None) -> Sequence[Memory]:
        """All facts about the user or another, those that held once or never too; with `as_of` what was true then."""
        page = Page(_few(limit))
        found, _ = await self._rooms.facts.list(self._scope, page, entity=about or SELF, as_of=as_of, superseded=True)
        self._hand(found)
        return found

    async def ways(self, limit: int = 20) -> Sequence[Memory]:
        """How the user wants to be answered, as they said so themselves, newest first."""
        found = [each for each in await self._memories.procedural(self._scope) if _instructs(each)]
        said = [each for each in found if await self._talked(each)][: _few(limit)]
        self._hand(said)
        return said

    async def _talked(self, memory: Memory) -> bool:
        """Whether something was said here, not brought in from elsewhere, and may be shown as it is."""
        try:
            session = await self._rooms.sessions.get(self._scope, memory.session_id)
        except (NotFound, InvalidArgument):
            return False
        return not session.origin and await self.review.remembered(memory.text) == memory.text

    async def last(self) -> Told | None:
        """The last turn of this session that is over."""
        told = await self._rooms.earlier.told(self._scope, self._earlier)
        if told is not None:
            self._show((told.question, told.answer), in_part=True)
            self._hand(hit.memory for hit in told.recalled)
        return told

    async def sessions(self, limit: int = 20) -> Sequence[Session]:
        """The user's sessions, the newest first, without their titles: those would stay behind in an answer."""
        found, _ = await self._rooms.sessions.list(self._scope, Page(_few(limit)))
        return [msgspec.structs.replace(session, title="", metadata={}) for session in found]

    async def remind(self, text: str, due: int, *, recurrence: str = "") -> Reminder:
        """Makes a reminder; it is on disk when this returns."""
        self._asked[text, recurrence] += 1
        reminder = await self._rooms.reminders.create(
            self._scope,
            text,
            due,
            recurrence=recurrence,
            zone=self.zone,
            request_id=self._once("remind", text, recurrence, self._asked[text, recurrence]),
            source=self._message,
        )
        self._note([reminder])
        return reminder

    async def reminders(self) -> Sequence[Reminder]:
        """The user's reminders that are to come or were not acknowledged."""
        found, _ = await self._rooms.reminders.list(self._scope, Page(_MOST), (ReminderState.PENDING,))
        self._note(found)
        return found

    def _note(self, reminders: Iterable[Reminder]) -> None:
        for reminder in reminders:
            self.handed[reminder.id] = reminder.text
            self.reminded[reminder.id] = reminder.version

    async def dismiss(self, reminder_id: str) -> bool:
        """Takes a reminder back; whether it was pending until then."""
        reminder, pending = await self._rooms.reminders.dismiss(self._scope, reminder_id)
        self._note([reminder])
        return pending

    async def run(self, command: str, arguments: str) -> str:
        """Runs a command that a plugin offers, by name, and returns what it says.

        Where the conscience stops it, that is what it says. Raises NotFound, and InvalidArgument where the arguments
        are not as its schema says.
        """
        for slot in self._plugins.every("command"):
            if slot.spec is not None and slot.spec.name == command:
                arguments = check_arguments(slot.spec, arguments)
                verdict = await self.review.command(slot.spec, arguments)
                if verdict.ruling in STOPS:
                    return verdict.text
                if WORLD in slot.spec.effects:
                    arguments = await self._outward(slot.spec, arguments)
                self.commands.append(command)
                # A command that hangs ends before the brain that waits for it would.
                seconds = self._plugins.command_seconds
                said: str = await self._plugins.call(slot, "run", arguments, self.turn, timeout=seconds)
                return said
        raise NotFound("command", command)

    async def _outward(self, spec: CommandSpec, arguments: str) -> str:
        """The arguments as a command may be given them that acts outside."""

        async def clear(text: str) -> str:
            return await self.review.leaving(text, WORLD)

        return check_arguments(spec, await reworded(arguments, clear)) if spec.schema else await clear(arguments)


def _instructs(memory: Memory) -> bool:
    """Whether a memory is an instruction of the user's own, for always."""
    own = memory.fact is not None and memory.fact.subject == SELF and not memory.speaker
    return own and memory.kind == "instruction" and "context" not in memory.metadata


def _few(limit: int) -> int:
    return max(1, min(limit, _MOST))


def _sentences(text: str) -> list[str]:
    """The sentences of a text that are known again as quotes of it."""
    edges = [0, *(end.end() for end in _END.finditer(text)), len(text)]
    parts = (text[start:end].strip() for start, end in pairwise(edges))
    return [part for part in parts if len(part) >= _SENTENCE]
