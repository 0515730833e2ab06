"""The desk of a turn: what the host does for a brain or a command, for this turn's user alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alejo.errors import NotFound
from alejo.memory import Memories
from alejo.plugins import PluginHost
from alejo.roles import Turn
from alejo.storage.requests import digest
from alejo.types import Filter, Hit, Memory, MemoryDraft, Message, Page, Scope

_MOST = 200


class TurnDesk:
    """One turn's desk. It notes what was handed out, forgotten and run, so that the turn can account for it."""

    def __init__(self, scope: Scope, message: Message, memories: Memories, plugins: PluginHost) -> None:
        self._scope = scope
        self._message = message
        self._memories = memories
        self._plugins = plugins
        self.turn: Turn | None = None
        self.handed: dict[str, str] = {}
        self.forgotten: list[str] = []
        self.commands: list[str] = []

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
        self.handed.update({memory.id: memory.text for memory in memories})

    async def remember(self, draft: MemoryDraft) -> Memory:
        """Remembers something that was just said; it is on disk when this returns."""
        once = f"{self._message.id}/{digest(draft).hex()}"  # a turn that goes on after a kill remembers nothing twice
        kept = await self._memories.remember(self._scope, draft, request_id=once, source=self._message)
        self._hand(kept.memories)
        return kept.memories[0]

    async def forget(self, memory_ids: Sequence[str]) -> int:
        """Forgets memories and redacts the messages they came from; returns how many were there."""
        count, _ = await self._memories.forget(self._scope, memory_ids)
        self.forgotten += [self.handed[each] for each in memory_ids if each in self.handed]
        return count

    async def run(self, command: str, arguments: str) -> str:
        """Runs a command that a plugin offers, by name, and returns what it says. Raises NotFound."""
        for slot in self._plugins.every("command"):
            if slot.spec is not None and slot.spec.name == command:
                self.commands.append(command)
                said: str = await self._plugins.call(slot, "run", arguments, self.turn)
                return said
        raise NotFound("command", command)
