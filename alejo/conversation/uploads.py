"""Pictures that come by themselves: looked at like those of a turn, judged, and remembered."""

from __future__ import annotations

import msgspec

from alejo.conversation.looking import ROLE, Looking
from alejo.conversation.review import Review
from alejo.errors import InvalidArgument, PluginFailed
from alejo.memory import Memories
from alejo.memory.pictures import NEAR, PictureDraft, hash_of
from alejo.plugins import PluginHost
from alejo.types import Kept, Memory, Percept, Scope

_SECONDS = 60.0  # for a picture that no turn waits for


class Uploads:
    """Looks at a picture, and keeps what was seen."""

    def __init__(self, plugins: PluginHost, looking: Looking, memories: Memories) -> None:
        self._plugins = plugins
        self._looking = looking
        self._memories = memories

    async def see(self, scope: Scope, draft: PictureDraft, request_id: str = "") -> tuple[Percept, Kept]:
        """Looks, and remembers: both are done when this returns.

        Raises InvalidArgument for what is no acceptable picture, PluginFailed where nothing can look, NotFound or
        FailedPrecondition for the session.
        """
        percept = await self.look(scope, draft)
        draft = msgspec.structs.replace(draft, percept=percept)
        return percept, await self._memories.remember(scope, draft, request_id=request_id)

    async def look(self, scope: Scope, draft: PictureDraft) -> Percept:
        """What is in a picture, and nothing more. Errors are those of `see`, but for the session's."""
        slot = self._plugins.one(ROLE)
        if slot is None:
            raise PluginFailed("", ROLE, "vacant")
        percept = await self._looking.one(scope, slot, draft.image, _SECONDS)
        if not percept.width:
            raise PluginFailed(slot.plugin, ROLE, "timeout")
        review = Review(self._plugins, self._plugins.one("conscience"))
        return (await review.seen([percept]))[0]

    async def similar(
        self, scope: Scope, memory_id: str = "", perceptual_hash: str = "", most: int = NEAR, limit: int = 10
    ) -> list[tuple[Memory, int]]:
        """The memories of pictures like that of a memory, or like a hash, with the bits they differ in, nearest first.

        Raises NotFound, and InvalidArgument for a memory that is of no picture.
        """
        if not memory_id:
            return await self._memories.alike(scope, int(perceptual_hash, 16), most, limit)
        memory = await self._memories.get(scope, memory_id)
        known = hash_of(memory.kind, memory.metadata)
        if known is None:
            raise InvalidArgument.field("memory_id", "is not the memory of a picture")
        found = await self._memories.alike(scope, known, most, limit + 1)
        return [each for each in found if each[0].id != memory_id][:limit]
