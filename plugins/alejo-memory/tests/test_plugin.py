"""The plugin in a real host."""

from __future__ import annotations

import alejo_memory

from alejo import testing
from alejo.types import MemoryDraft, PluginState


async def test_the_host_takes_a_memory_strategy() -> None:
    """It is loaded, fills the role, and all it answers passes the host's checks from another loop too."""
    async with testing.host(alejo_memory) as host:
        assert host.status().state is PluginState.ACTIVE, host.status().reason
        (kept,) = await host.call("memory", "keep", testing.message("My dog is called Luna."))
        assert kept.layer is not None
        completed: MemoryDraft = await host.call("memory", "complete", MemoryDraft("The key is under the mat."))
        assert completed.layer is not None
        assert await host.call("memory", "plan", "Who is Luna?")
