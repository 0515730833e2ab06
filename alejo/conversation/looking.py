"""What is seen in pictures: each by the vision plugin, and described by a language model where one is set for that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from alejo.errors import InvalidArgument, PluginFailed
from alejo.memory import Memories
from alejo.memory.pictures import HASH, PERCEPT, hash_of
from alejo.models import LanguageModels, at_hand
from alejo.plugins import PluginHost, Slot
from alejo.types import Degraded, Image, Percept, Scope, Unseen

ROLE = "vision"
_GRACE = 5.0  # seconds beside those of studying


class Looking:
    """Looks at pictures for whoever they belong to."""

    def __init__(self, plugins: PluginHost, models: LanguageModels, memories: Memories) -> None:
        self._plugins = plugins
        self._models = models
        self._memories = memories

    async def all(self, scope: Scope, images: Sequence[Image]) -> tuple[tuple[Percept, ...], list[Degraded]]:
        """The percepts of those pictures that could be looked at, and why others could not."""
        looked = await asyncio.gather(*(self._attempt(scope, place, image) for place, image in enumerate(images)))
        return tuple(each for each in looked if isinstance(each, Percept)), [
            each for each in looked if isinstance(each, Degraded)
        ]

    async def _attempt(self, scope: Scope, place: int, image: Image) -> Percept | Degraded:
        slot = self._plugins.one(ROLE)
        if slot is None:
            return Degraded(ROLE)
        try:
            percept = msgspec.structs.replace(await self.one(scope, slot, image), part=place)
        except PluginFailed as failure:
            return Degraded(ROLE, failure.plugin, failure.why)
        except InvalidArgument:
            return Degraded(ROLE, slot.plugin, "rejected")
        return percept if percept.width else Degraded(ROLE, slot.plugin, "timeout")

    async def one(self, scope: Scope, slot: Slot, image: Image, seconds: float = 0.0) -> Percept:
        """The percept of one picture, within `seconds` where a plugin may take more time than in a turn.

        Raises PluginFailed, and InvalidArgument for what is no acceptable picture.
        """
        captioning = asyncio.ensure_future(self._caption(scope, slot, image))
        try:
            percept: Percept = await self._perceive(slot, image, seconds)
            caption = await captioning
        finally:
            captioning.cancel()
        if isinstance(caption, Unseen):
            percept = msgspec.structs.replace(percept, missing=(*percept.missing, caption))
        elif caption:
            percept = msgspec.structs.replace(percept, caption=caption)
        return msgspec.structs.replace(percept, similar=await self._similar(scope, percept))

    async def _perceive(self, slot: Slot, image: Image, seconds: float) -> Percept:
        if seconds and hasattr(slot.object, "study"):
            percept: Percept = await self._plugins.call(slot, "study", image, seconds, timeout=seconds + _GRACE)
        else:
            percept = await self._plugins.call(slot, "perceive", image)
        return percept

    async def _similar(self, scope: Scope, percept: Percept) -> tuple[str, ...]:
        known = hash_of(PERCEPT, {HASH: percept.perceptual_hash})
        if known is None:
            return ()
        return tuple(memory.id for memory, _ in await self._memories.alike(scope, known))

    async def _caption(self, scope: Scope, slot: Slot, image: Image) -> str | Unseen:
        if not hasattr(slot.object, "caption"):
            return ""
        models = at_hand(self._models, scope, seconds=self._plugins.call_seconds)
        if models is None:
            return ""
        try:
            caption: str = await self._plugins.call(slot, "caption", image, models)
        except PluginFailed as failure:
            last = models.failures[-1].why if models.failures else failure.why
            return Unseen("caption", last)
        return caption
