"""The plugins over the wire."""

from __future__ import annotations

from pathlib import Path

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from prometheus_client import generate_latest

from alejo.v1 import plugins_pb2 as pb
from alejo.v1.admin_pb2 import GetSettingsRequest, GetSettingsResponse

from .house import house, refused, within

SERVICE = "alejo.v1.PluginsService"


async def test_plugins_are_told_truly(tmp_path: Path) -> None:
    """The list walks page by page through every plugin by name; one can be asked for; vacant roles have a hint."""
    async with house(tmp_path, parrot=False, plugins=None, plugins__disabled=["alejo-vision", "vision"]) as home:
        listing = home.unary(f"{SERVICE}/ListPlugins", pb.ListPluginsResponse)
        whole = await within(listing(pb.ListPluginsRequest()))
        names = [one.name for one in whole.plugins]
        assert names == sorted(one.name for one in home.assistant.plugins.statuses())
        assert len(names) >= 3
        walked, token = [], ""
        while True:
            page = await within(listing(pb.ListPluginsRequest(page_size=1, page_token=token)))
            walked += [one.name for one in page.plugins]
            token = page.next_page_token
            if not token:
                break
        assert walked == names
        get = home.unary(f"{SERVICE}/GetPlugin", pb.GetPluginResponse)
        for one in whole.plugins:
            assert (await within(get(pb.GetPluginRequest(name=one.name)))).plugin == one
        assert {one.state for one in whole.plugins if "brain" in one.roles} == {pb.PLUGIN_STATE_ACTIVE}
        assert all(one.hint for one in whole.vacancies)
        assert (await refused(get(pb.GetPluginRequest(name="none")))).code is grpc.StatusCode.NOT_FOUND


async def test_a_plugin_is_switched_over_the_wire(tmp_path: Path) -> None:
    """Disabled, a plugin does not serve and its role is vacant; enabled or reloaded it does; mistakes are told."""
    async with house(tmp_path, parrot=False, plugins=None, plugins__disabled=["vision"]) as home:
        asked = {"service": "plugin/emotion"}

        async def change(verb: str, name: str = "emotion") -> pb.Plugin:
            request = getattr(pb, f"{verb}PluginRequest")(name=name)
            answer = home.unary(f"{SERVICE}/{verb}Plugin", getattr(pb, f"{verb}PluginResponse"))
            return (await within(answer(request))).plugin  # type: ignore[no-any-return]

        async def health() -> int:
            check = home.unary("grpc.health.v1.Health/Check", HealthCheckResponse)
            return (await within(check(HealthCheckRequest(**asked)))).status  # type: ignore[no-any-return]

        assert await health() == HealthCheckResponse.SERVING
        assert (await change("Disable")).state == pb.PLUGIN_STATE_DISCOVERED
        assert await health() == HealthCheckResponse.NOT_SERVING
        assert home.assistant.plugins.one("emotion") is None
        assert (tmp_path / "data" / "plugins.json").read_text() == '{"disabled":["emotion"]}'
        assert (await change("Enable")).state == pb.PLUGIN_STATE_ACTIVE
        assert (await change("Reload")).roles == ["emotion", "conscience"]
        assert await health() == HealthCheckResponse.SERVING
        assert (await refused(change("Reload", "none"))).code is grpc.StatusCode.NOT_FOUND
        wrong = await refused(change("Enable", "vision"))
        assert (wrong.code, wrong.info.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "PLUGIN_DISABLED")


async def test_what_plugins_declare_is_among_the_settings(tmp_path: Path) -> None:
    """An operator sees the settings of plugins with those of the server."""
    async with house(tmp_path, parrot=False, plugins=None) as home:
        answer = await within(
            home.unary("alejo.v1.AdminService/GetSettings", GetSettingsResponse)(GetSettingsRequest())
        )
        (found,) = [one for one in answer.settings if one.name == "plugin.vision.at_once"]
        assert (found.value, found.source) == ("2", "default")
        assert found.help


async def test_what_plugins_cost_is_among_the_metrics(tmp_path: Path) -> None:
    """A scrape tells calls, failures, time and stalls of every plugin."""
    async with house(tmp_path, parrot=False, plugins=None) as home:
        await home.assistant.chat("Hello there.")
        text = generate_latest(home.server.metrics.registry).decode()
        for name in ("calls", "failures", "call_seconds", "loop_stall_seconds"):
            assert f'alejo_plugin_{name}_total{{plugin="emotion"}}' in text
        # What is said is felt, lived through and judged, and so are the two pieces of the answer.
        assert 'alejo_plugin_calls_total{plugin="emotion"} 5.0' in text
