"""What is felt, seen and recalled while a message is being committed: at once, each on its own, none of them vital."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import msgspec

from alejo.conversation.looking import Looking
from alejo.errors import AlejoError, InvalidArgument, PluginFailed
from alejo.memory import Memories
from alejo.plugins import PluginHost, Slot
from alejo.types import Appraisal, Degraded, Hit, Lived, Message, Percept, Scope, Workspace

RECALLED = 5
SENSES = ("emotion", "memory", "vision")


class Senses(msgspec.Struct):
    """The findings of one turn, and what was missing among them.

    `lived` is what it leaves of feeling, `disclosed` how many facts the user told of themselves in it.
    """

    appraisal: Appraisal | None = None
    percepts: tuple[Percept, ...] = ()
    recalled: tuple[Hit, ...] = ()
    lived: Lived | None = None
    disclosed: int = 0
    degraded: list[Degraded] = msgspec.field(default_factory=list)
    workspace: Workspace | None = None
    surprise: float = 0.0


async def sense(
    plugins: PluginHost,
    slots: Mapping[str, Slot | None],
    memories: Memories,
    scope: Scope,
    message: Message,
    looking: Looking,
    beside: Coroutine[Any, Any, None] | None = None,
) -> Senses:
    """Asks emotion, vision and memory, and does what is to be done `beside` that.

    A failing or vacant role is named in `degraded`; it fails nothing.
    """
    senses = Senses()
    work: list[Coroutine[Any, Any, None]] = [beside] if beside is not None else []
    for role, asked in (("emotion", message.text), ("memory", message.text), ("vision", message.images)):
        slot = slots[role]
        if not asked:
            continue
        if slot is None:
            senses.degraded.append(Degraded(role))
        elif role == "emotion":
            work.append(_appraise(plugins, slot, senses, message.text))
        elif role == "memory":
            work.append(_recall(memories, senses, scope, message))
        else:
            work.append(_perceive(looking, senses, scope, message))
    if len(work) == 1:
        await work[0]
    elif work:
        await asyncio.gather(*work)
    return senses


async def _appraise(plugins: PluginHost, slot: Slot, senses: Senses, text: str) -> None:
    senses.appraisal = await _ask(plugins, slot, senses, "appraise", text)


async def _recall(memories: Memories, senses: Senses, scope: Scope, message: Message) -> None:
    try:
        hits, blind = await memories.recall_for(scope, message.text, RECALLED, message.id)
        senses.recalled = tuple(hits)
        senses.degraded += blind
    except PluginFailed as failure:
        senses.degraded.append(Degraded("memory", failure.plugin, failure.why))
    except AlejoError:
        senses.degraded.append(Degraded("memory", "", "failed"))


async def _perceive(looking: Looking, senses: Senses, scope: Scope, message: Message) -> None:
    senses.percepts, blind = await looking.all(scope, message.images)
    senses.degraded += blind


async def _ask(plugins: PluginHost, slot: Slot, senses: Senses, method: str, argument: object) -> Any:
    try:
        return await plugins.call(slot, method, argument)
    except PluginFailed as failure:
        senses.degraded.append(Degraded(slot.role, failure.plugin, failure.why))
    except InvalidArgument:
        senses.degraded.append(Degraded(slot.role, slot.plugin, "rejected"))
    return None
