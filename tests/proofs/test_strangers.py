"""Bad plugins beside the four: the server starts, converses, and tells the truth about each."""

from __future__ import annotations

import time

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from alejo.types import Ask, PluginState, PluginStatus

from .house import SECONDS, House

BUDGET = 3.0  # seconds for an import
BUILT_IN = {"brain", "emotion", "memory", "vision"}
BROKEN = "raise ValueError('nobody wrote this for you')"
HANGING = "import threading\n\nthreading.Event().wait()"
LEAVING = "import os\n\nos._exit(3)"
FINE = """
    from alejo.hooks import hookimpl
    from alejo.roles import Observer

    @hookimpl
    def alejo_register_observers():
        return [Observer()]
"""
STUCK = """
    import threading

    from alejo.hooks import hookimpl
    from alejo.roles import Observer

    class Stuck(Observer):
        async def message_received(self, message):
            while not threading.Event().wait(3600):
                pass

    @hookimpl
    def alejo_register_observers():
        return [Stuck()]
"""


@pytest.fixture
def house(house: House) -> House:
    house.environment |= {"ALEJO_PLUGINS_IMPORT_SECONDS": str(BUDGET), "ALEJO_PLUGINS_CALL_SECONDS": "1"}
    return house


async def _health(house: House) -> dict[str, bool]:
    """Whether each serves, as health List says."""
    async with house.channel() as channel:
        reply = await health_pb2_grpc.HealthStub(channel).List(health_pb2.HealthListRequest(), timeout=SECONDS)
    return {name: one.status == health_pb2.HealthCheckResponse.SERVING for name, one in reply.statuses.items()}


async def _plugins(house: House) -> dict[str, PluginStatus]:
    """The plugins by distribution, less the `alejo-` of the four."""
    async with house.client("ada") as client:
        plugins, vacancies = await client.plugins()
    assert not vacancies
    return {plugin.distribution.removeprefix("alejo-"): plugin for plugin in plugins}


async def _converses(house: House) -> float:
    """Has a conversation and returns the seconds its slower turn took."""
    async with house.client("ada") as client:
        began = time.monotonic()
        answer = await client.chat(Ask("My dog is called Luna."))
        middle = time.monotonic()
        assert "Luna" in (await client.chat(Ask("What is my dog called?", answer.session_id))).message.text
        return max(middle - began, time.monotonic() - middle)


async def test_bad_plugins(house: House) -> None:
    """With a broken, a hanging, a leaving and two duplicate plugins it converses, and says of each what is wrong."""
    house.plugin("broken", BROKEN)
    house.plugin("hanging", HANGING)
    house.plugin("leaving", LEAVING)
    house.plugin("twin", FINE, distribution="first-twin")
    house.plugin("twin", FINE, distribution="second-twin")
    house.plugin("fine", FINE)
    first = await house.start()
    assert first >= BUDGET
    assert await _converses(house) < 10.0

    plugins = await _plugins(house)
    assert {name for name, plugin in plugins.items() if plugin.state is PluginState.ACTIVE} == {*BUILT_IN, "fine"}
    said = {name: plugin.reason for name, plugin in plugins.items() if plugin.state is PluginState.REJECTED}
    twins = "The name 'twin' is claimed by first-twin and second-twin, so none of them is loaded."
    assert said == {
        "broken": "Its import failed: ValueError: nobody wrote this for you.",
        "hanging": f"Its import did not end within {BUDGET:g} s (it hangs at hanging.py:3).",
        "leaving": "Its import ended the process (exit code 3).",
        "first-twin": twins,
        "second-twin": twins,
    }
    assert all(plugins[name].hint for name in said)
    banner = "\n".join(house.log)
    assert [reason for reason in said.values() if reason not in banner] == []
    health = await _health(house)
    serving = {name.removeprefix("plugin/") for name, serves in health.items() if serves and name.startswith("plugin/")}
    assert serving == {*BUILT_IN, "fine"}
    assert all(health[f"plugin/{name}"] is False for name in ("broken", "hanging", "leaving", "twin"))
    assert health[""]
    assert health["alejo.v1.ChatService"]
    await house.stop()

    second = await house.start()
    assert second < first, f"what is known of the plugins costs {second:.2f} s again"
    again = await _plugins(house)
    assert {name: plugin.reason for name, plugin in again.items() if plugin.reason} == said
    await house.stop()
    print(f"first start {first:.2f} s, second {second:.2f} s, with bad plugins")


async def test_a_stuck_plugin(house: House) -> None:
    """A plugin that never returns is quarantined, its thread counted, health changed; the conversation goes on."""
    house.plugin("stuck", STUCK)
    await house.start()
    async with house.channel() as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(service="plugin/stuck"), timeout=SECONDS
        )
        seen = aiter(watch)
        assert (await anext(seen)).status == health_pb2.HealthCheckResponse.SERVING
        assert await _converses(house) < 10.0
        assert (await anext(seen)).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()
    assert await _converses(house) < 10.0
    stuck = (await _plugins(house))["stuck"]
    assert (stuck.state, stuck.stuck_threads) == (PluginState.QUARANTINED, 1)
    assert "stuck.py:" in stuck.reason, stuck.reason
    health = await _health(house)
    assert health["plugin/stuck"] is False
    assert health["alejo.v1.ChatService"]
    await house.stop()


async def test_a_stranger_by_the_name_of_the_brain(house: House) -> None:
    """A stranger's plugin that takes the name of a built-in one is rejected, and the built-in one goes on."""
    house.plugin("brain", FINE, distribution="other-brain")
    await house.start()
    await _converses(house)
    plugins = await _plugins(house)
    assert plugins["brain"].state is PluginState.ACTIVE
    assert plugins["other-brain"].state is PluginState.REJECTED
    assert (await _health(house))["plugin/brain"]
    await house.stop()
