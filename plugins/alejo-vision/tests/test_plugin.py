"""The plugin in a real host."""

from __future__ import annotations

import io

import alejo_vision
import PIL.Image
import pytest

from alejo import testing
from alejo.errors import InvalidArgument
from alejo.types import Image, Percept, PluginState


async def test_the_host_takes_an_eye() -> None:
    """It is loaded, fills the role, sees from another loop too, and says when a picture is none."""
    drawn = io.BytesIO()
    PIL.Image.new("RGB", (30, 20), "red").save(drawn, "PNG")
    patient = {"vision": {"at_once": 1, "reader": "none", "seconds": 600.0}}
    async with testing.host(alejo_vision, settings=patient, plugins__call_seconds=600.0) as host:
        assert host.status().state is PluginState.ACTIVE, host.status().reason
        percept: Percept = await host.call("vision", "perceive", Image(drawn.getvalue()))
        assert (percept.width, percept.height) == (30, 20)
        with pytest.raises(InvalidArgument):
            await host.call("vision", "perceive", Image(b"no picture"))


async def test_a_wrong_setting_is_told() -> None:
    """More pictures at once than a machine can hold are refused."""
    async with testing.host(alejo_vision, settings={"vision": {"at_once": 0}}) as host:
        assert host.status().reason == "alejo.toml: plugin.vision.at_once: expected int >= 1."
