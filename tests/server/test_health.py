"""How everything is, as grpc.health.v1 says it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import (
    HealthCheckRequest,
    HealthCheckResponse,
    HealthListRequest,
    HealthListResponse,
)

from alejo.server.methods import OWN_SERVICES
from alejo.types import PluginState, PluginStatus

from .house import House, house, refused, within

SERVICE = "grpc.health.v1.Health"
SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING
UNKNOWN = HealthCheckResponse.SERVICE_UNKNOWN


class Garden:
    """Plugins whose states a test sets."""

    def __init__(self) -> None:
        self.states = {"alejo-brain": PluginState.ACTIVE, "moody": PluginState.REJECTED}
        self._listeners: list[Callable[[], None]] = []

    def one(self, role: str) -> str | None:
        alive = {PluginState.ACTIVE, PluginState.DEGRADED}
        return "brain" if role == "brain" and self.states["alejo-brain"] in alive else None

    def statuses(self) -> list[PluginStatus]:
        return [PluginStatus(name, name, "1", state) for name, state in self.states.items()]

    def on_change(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def turn(self, name: str, state: PluginState) -> None:
        self.states[name] = state
        for listener in self._listeners:
            listener()


async def planted(home: House) -> Garden:
    """Lets the running server look at plugins that a test turns."""
    garden = Garden()
    assert home.server._health is not None
    home.server._health._plugins = garden  # type: ignore[assignment]
    garden.on_change(home.server._health.refresh)
    home.server._health.refresh()
    return garden


async def listed(home: House) -> dict[str, int]:
    found = await within(home.unary(f"{SERVICE}/List", HealthListResponse)(HealthListRequest()))
    return {name: one.status for name, one in found.statuses.items()}


async def test_health_follows_the_plugins(home: House) -> None:
    """Check, List and Watch tell at once that a plugin fell out, that talking needs it, and that it came back."""
    garden = await planted(home)
    own = dict.fromkeys(OWN_SERVICES, SERVING)
    plugins = {"plugin/alejo-brain": SERVING, "plugin/moody": NOT_SERVING}
    assert await listed(home) == {"": SERVING, "reflection": SERVING, **own, **plugins}
    watch = home.stream(f"{SERVICE}/Watch", HealthCheckResponse)
    calls = [watch(HealthCheckRequest(service=name)) for name in ("plugin/alejo-brain", "alejo.v1.ChatService", "")]
    assert [(await within(call.read())).status for call in calls] == [SERVING] * 3
    garden.turn("alejo-brain", PluginState.DEGRADED)
    garden.turn("alejo-brain", PluginState.QUARANTINED)
    assert [(await within(call.read())).status for call in calls[:2]] == [NOT_SERVING] * 2
    check = home.unary(f"{SERVICE}/Check", HealthCheckResponse)
    for name, status in (("alejo.v1.ChatService", NOT_SERVING), ("alejo.v1.MemoryService", SERVING), ("", SERVING)):
        assert (await within(check(HealthCheckRequest(service=name)))).status == status
    garden.turn("alejo-brain", PluginState.ACTIVE)
    assert [(await within(call.read())).status for call in calls[:2]] == [SERVING] * 2
    for call in calls:
        call.cancel()


async def test_what_is_not_there(home: House) -> None:
    """Check of an unknown name is NOT_FOUND; Watch says SERVICE_UNKNOWN and then what becomes of it."""
    garden = await planted(home)
    refusal = await refused(
        home.unary(f"{SERVICE}/Check", HealthCheckResponse)(HealthCheckRequest(service="plugin/new"))
    )
    assert refusal.code is grpc.StatusCode.NOT_FOUND
    call = home.stream(f"{SERVICE}/Watch", HealthCheckResponse)(HealthCheckRequest(service="plugin/new"))
    assert (await within(call.read())).status == UNKNOWN
    garden.turn("new", PluginState.ACTIVE)
    assert (await within(call.read())).status == SERVING
    call.cancel()


async def test_a_draining_server_says_so(tmp_path: Path) -> None:
    """While the server drains, Check is still answered: nothing serves; Watch says it too and ends as UNAVAILABLE."""
    async with house(tmp_path) as home:
        await planted(home)
        watch = home.stream(f"{SERVICE}/Watch", HealthCheckResponse)(HealthCheckRequest())
        assert (await within(watch.read())).status == SERVING
        chat = home.unary("alejo.v1.ChatService/Chat")
        held = chat(b"\x1a\x04wait")
        await within(home.parrot.waiting.wait())

        draining = asyncio.ensure_future(home.server.drain(5.0))
        assert (await within(watch.read())).status == NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await within(watch.read())
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        assert set((await listed(home)).values()) == {NOT_SERVING}
        refusal = await refused(chat(b"\x1a\x02hi"))
        assert (refusal.code, refusal.info.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
        home.parrot.released.set()
        assert await within(held)
        await within(draining)


async def test_a_bare_host_cannot_talk(home: House) -> None:
    """With no plugin at all every service serves but talking."""
    found = await listed(home)
    own = dict.fromkeys(OWN_SERVICES, SERVING) | {"alejo.v1.ChatService": NOT_SERVING}
    assert found == {"": SERVING, "reflection": SERVING, **own}
