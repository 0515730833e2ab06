"""The plugin in a real host, and in a whole assistant."""

from __future__ import annotations

import alejo_brain
import pytest

from alejo import testing
from alejo.errors import PluginFailed
from alejo.types import PluginState

NAMES = ["remember", "recall", "forget", "correct", "list", "summarize", "prefer", "about_me", "mood", "why", "remind"]
NAMES += ["dismiss", "calculate", "date", "help"]


async def test_the_host_takes_a_brain_and_its_commands() -> None:
    """It is loaded, fills its roles, and answers in pieces from another loop too."""
    async with testing.host(alejo_brain) as host:
        assert host.status().state is PluginState.ACTIVE, host.status().reason
        assert host.status().roles == ("brain", "command", "language_model", "drive")
        specs = [slot.spec for slot in host.plugins.every("command") if slot.spec]
        assert [spec.name for spec in specs] == NAMES
        assert all(spec.schema and spec.phrases for spec in specs)
        assert "".join([piece async for piece in host.stream("brain", "respond", testing.turn("help"))])


async def test_it_runs_the_commands_of_others_in_an_assistant() -> None:
    """A turn that begins with the name of another plugin's command is answered by that command."""
    async with testing.assistant(alejo_brain, testing.Chaos()) as assistant:
        assert (await assistant.chat("chaos nothing")).message.text == "Done."


async def test_chaos_beside_it_changes_nothing() -> None:
    """A plugin that is stuck in its command does not hold up the brain's own."""
    chaos = testing.Chaos()
    async with testing.host(alejo_brain, chaos, plugins__call_seconds=0.2) as host:
        with pytest.raises(PluginFailed):
            await host.run("chaos", "block", timeout=0.1)
        assert await host.run("date")
        chaos.release()
