"""The plugins over the wire."""

from __future__ import annotations

from pathlib import Path

import grpc

from alejo.v1 import plugins_pb2 as pb

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
