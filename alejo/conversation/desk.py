"""The desk of a turn: what the host does for a brain or a command, for this turn's user alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alejo.conversation.review import STOPS, Review
from alejo.errors import FailedPrecondition, NotFound
from alejo.memory import Material, Memories, quoted
from alejo.models import Hand
from alejo.plugins import PluginHost, check_arguments
from alejo.roles import Turn
from alejo.storage.redaction import lost
from alejo.storage.requests import digest
from alejo.types import (
    Appraisal,
    Context,
    Filter,
    Hit,
    Memory,
    MemoryDraft,
    Message,
    Page,
    Preferences,
    Scope,
    Session,
)

_MOST = 200


class TurnDesk:
    """One turn's desk. It notes what was handed out, forgotten and run, so that the turn can account for it.

    `handed` is the words by the id of the memory or message they are from: what an answer may quote. Of these,
    `versions` is the memories, as they were read, and `shown` the messages said before this one. `appraisal` is what
    was felt in this one, `models` what was handed to the brain beside the desk.
    """

    def __init__(
        self,
        scope: Scope,
        message: Message,
        earlier: Sequence[Message],
        recalled: Sequence[Hit],
        memories: Memories,
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
        self._memories = memories
        self._plugins = plugins
        self._budget = budget
        self.review = review or Review(plugins, None)
        self.turn: Turn | None = None
        self.models: Hand | None = None
        self.preferences = Preferences()
        self.versions: dict[str, int] = {}
        self.handed: dict[str, str] = {message.id: message.text}
        self.shown: list[Message] = []
        self._written: dict[str, str] = {}  # words as a context shows them, where that differs
        self._hand(hit.memory for hit in recalled)
        self.forgotten: list[str] = []
        self.commands: list[str] = []

    async def context(self, token_budget: int = 0) -> Context:
        """What a model should know to answer: pinned and recalled memories and the session's last messages."""
        context, memories, _ = await self._memories.assemble(
            self._scope, self._message.text, self._given, token_budget or self._budget, self._message.id
        )
        self._hand(memories)
        told = {item.message_id for item in context.items} - self.handed.keys()
        self.shown += [message for message in self._earlier if message.id in told]
        self.handed.update({message.id: message.text for message in self.shown})
        self._written.update({item.memory_id or item.message_id: quoted(item.text) for item in context.items})
        return context

    def quotes(self, subject: str, text: str) -> bool:
        """Whether a text has the words of a memory or message that was handed out, as it is or as it was shown."""
        return any(words and words in text for words in (self.handed[subject], self._written.get(subject, "")))

    def withdraw(self, subject: str) -> None:
        """Forgets the words of a memory or message that was handed out."""
        words = self.handed.pop(subject), self._written.pop(subject, "")
        self.forgotten += filter(None, words)
        self.versions.pop(subject, None)

    async def recall(self, query: str, limit: int = 10) -> Sequence[Hit]:
        """Memories that match, best first."""
        hits, _, _ = await self._memories.recall(self._scope, query, Page(max(1, min(limit, _MOST))))
        hits = [hit for hit in hits if hit.memory.message_id != self._message.id]
        self._hand(hit.memory for hit in hits)
        return hits

    async def memories(self, limit: int = 20) -> Sequence[Memory]:
        """The newest memories, newest first."""
        found, _ = await self._memories.list(self._scope, Page(max(1, min(limit, _MOST))), Filter())
        self._hand(found)
        return found

    def _hand(self, memories: Iterable[Memory]) -> None:
        for memory in memories:
            self.handed[memory.id] = memory.text
            self.versions[memory.id] = memory.version

    def reread(self, message: Message) -> None:
        """Takes a message as it is now: what it has lost since it was handed out is forgotten here too."""
        words = self.handed.get(message.id, message.text)
        if words != message.text:
            self.forgotten += lost(words, message.text)
            self.handed[message.id] = message.text

    async def remember(self, draft: MemoryDraft) -> Memory:
        """Remembers something that was just said; it is on disk when this returns."""
        once = f"{self._message.id}/{digest(draft).hex()}"  # a turn that goes on after a kill remembers nothing twice
        kept = await self._memories.remember(self._scope, draft, request_id=once, source=self._message)
        if not kept.memories:
            raise FailedPrecondition("This was remembered once and has been forgotten since.")
        self._hand(kept.memories)
        return kept.memories[0]

    async def forget(self, memory_ids: Sequence[str]) -> int:
        """Forgets memories and redacts the messages they came from; returns how many were there."""
        count, _ = await self._memories.forget(self._scope, memory_ids, asked=self._message)
        for each in memory_ids:
            if each in self.handed:
                self.withdraw(each)
        return count

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
                self.commands.append(command)
                # A command that hangs ends before the brain that waits for it would.
                seconds = self._plugins.command_seconds
                said: str = await self._plugins.call(slot, "run", arguments, self.turn, timeout=seconds)
                return said
        raise NotFound("command", command)
