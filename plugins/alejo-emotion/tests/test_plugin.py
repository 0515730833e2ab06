"""The plugin in a real host."""

from __future__ import annotations

import alejo_emotion

from alejo import testing
from alejo.types import Appraisal, PluginState


async def test_the_host_takes_an_emotion_model() -> None:
    """It is loaded, fills the role, and what it answers passes the host's check from another loop too."""
    async with testing.host(alejo_emotion) as host:
        assert host.status().state is PluginState.ACTIVE, host.status().reason
        appraisal: Appraisal = await host.call("emotion", "appraise", "I am so happy!")
        assert appraisal.valence > 0
