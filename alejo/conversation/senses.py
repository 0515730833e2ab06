"""What is felt, seen and recalled while a message is being committed: at once, each on its own, none of them vital."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec

from alejo.errors import AlejoError, InvalidArgument, PluginFailed
from alejo.memory import Memories
from alejo.plugins import PluginHost
from alejo.types import Appraisal, Degraded, Hit, Message, Percept, Scope

RECALLED = 10
SENSES = ("emotion", "memory", "vision")


class Senses(msgspec.Struct):
    """The findings of one turn, and what was missing among them."""

    appraisal: Appraisal | None = None
    percepts: tuple[Percept, ...] = ()
    recalled: tuple[Hit, ...] = ()
    degraded: list[Degraded] = msgspec.field(default_factory=list)


async def sense(plugins: PluginHost, memories: Memories, scope: Scope, message: Message) -> Senses:
    """Asks emotion, vision and memory. A failing or vacant role is named in `degraded`; it fails nothing."""
    senses = Senses()
    work: list[Coroutine[Any, Any, None]] = []
    if message.text and _filled(plugins, senses, "emotion"):
        work.append(_appraise(plugins, senses, message.text))
    if message.text and _filled(plugins, senses, "memory"):
        work.append(_recall(memories, senses, scope, message))
    if message.images and _filled(plugins, senses, "vision"):
        work.append(_perceive(plugins, senses, message))
    if len(work) == 1:
        await work[0]
    elif work:
        await asyncio.gather(*work)
    return senses


def _filled(plugins: PluginHost, senses: Senses, role: str) -> bool:
    if plugins.one(role) is None:
        senses.degraded.append(Degraded(role))
        return False
    return True


async def _appraise(plugins: PluginHost, senses: Senses, text: str) -> None:
    senses.appraisal = await _ask(plugins, senses, "emotion", "appraise", text)


async def _recall(memories: Memories, senses: Senses, scope: Scope, message: Message) -> None:
    try:
        senses.recalled = tuple(await memories.recall_for(scope, message.text, RECALLED, message.id))
    except PluginFailed as failure:
        senses.degraded.append(Degraded("memory", failure.plugin, failure.why))
    except AlejoError:
        senses.degraded.append(Degraded("memory", "", "failed"))


async def _perceive(plugins: PluginHost, senses: Senses, message: Message) -> None:
    percepts = []
    for place, image in enumerate(message.images):
        percept: Percept | None = await _ask(plugins, senses, "vision", "perceive", image)
        if percept is not None:
            percepts.append(msgspec.structs.replace(percept, part=place))
    senses.percepts = tuple(percepts)


async def _ask(plugins: PluginHost, senses: Senses, role: str, method: str, argument: object) -> Any:
    slot = plugins.one(role)
    try:
        if slot is None:
            raise PluginFailed("", role, "vacant")
        return await plugins.call(slot, method, argument)
    except PluginFailed as failure:
        senses.degraded.append(Degraded(role, failure.plugin, failure.why))
    except InvalidArgument:
        senses.degraded.append(Degraded(role, slot.plugin if slot else "", "rejected"))
    return None
