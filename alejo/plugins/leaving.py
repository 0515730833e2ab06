"""What of a text may leave the user: the conscience says so, of each destination, before anything goes there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alejo.errors import InvalidArgument, PluginFailed
from alejo.plugins.host import PluginHost
from alejo.types import Matter, Ruling, Verdict

USER, LOCAL, REMOTE, WORLD = "user", "local", "remote", "world"


def stands(plugin: Any) -> str:
    """Where that goes which a plugin's object is told: it stays on this machine only if the object says so."""
    return LOCAL if getattr(plugin, "here", False) else REMOTE


async def cleared(
    plugins: PluginHost, text: str, destination: str, note: Callable[[Verdict], None] | None = None
) -> str:
    """A text as it may go to a destination; `note` hears of a verdict that changes it.

    Raises PluginFailed where there is a conscience that cannot say.
    """
    slot = plugins.one("conscience")
    if slot is None or not text:
        return text
    try:
        verdict: Verdict = await plugins.call(slot, "review", Matter("request", text, destination=destination))
    except InvalidArgument:
        raise PluginFailed(slot.plugin, slot.role, "rejected") from None
    if verdict.ruling is not Ruling.TRANSFORM or verdict.text == text:
        return text
    if note is not None:
        note(verdict)
    return verdict.text
