"""PluginsService."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alejo import paging
from alejo.errors import NotFound
from alejo.v1 import plugins_pb2 as pb
from alejo.wire import read, write

if TYPE_CHECKING:
    from alejo.plugins import PluginHost

    from .call import Call

_QUESTION = "plugins"


class PluginsCalls:
    """The plugins, over the wire."""

    def __init__(self, plugins: PluginHost) -> None:
        self._plugins = plugins

    async def list_plugins(self, call: Call, request: pb.ListPluginsRequest) -> pb.ListPluginsResponse:
        """Every plugin, by name, and the roles that none fills."""
        page = read.page(request)
        after = paging.cursor(_QUESTION, page.token).decode("utf-8", "replace")
        rest = sorted((one for one in self._plugins.statuses() if one.name > after), key=lambda one: one.name)
        shown = rest[: page.size]
        return pb.ListPluginsResponse(
            plugins=[write.plugin(one) for one in shown],
            next_page_token=paging.token(_QUESTION, shown[-1].name.encode()) if len(rest) > len(shown) else "",
            vacancies=[write.vacancy(one) for one in self._plugins.vacancies()],
        )

    async def get_plugin(self, call: Call, request: pb.GetPluginRequest) -> pb.GetPluginResponse:
        """One plugin. Raises NotFound."""
        for status in self._plugins.statuses():
            if status.name == request.name:
                return pb.GetPluginResponse(plugin=write.plugin(status))
        raise NotFound("plugin", request.name)

    async def enable_plugin(self, call: Call, request: pb.EnablePluginRequest) -> pb.EnablePluginResponse:
        """Switches one on. Raises NotFound, FailedPrecondition."""
        return pb.EnablePluginResponse(plugin=write.plugin(await self._plugins.enable(request.name)))

    async def disable_plugin(self, call: Call, request: pb.DisablePluginRequest) -> pb.DisablePluginResponse:
        """Switches one off. Raises NotFound, FailedPrecondition."""
        return pb.DisablePluginResponse(plugin=write.plugin(await self._plugins.disable(request.name)))

    async def reload_plugin(self, call: Call, request: pb.ReloadPluginRequest) -> pb.ReloadPluginResponse:
        """Reads one anew. Raises NotFound, FailedPrecondition."""
        return pb.ReloadPluginResponse(plugin=write.plugin(await self._plugins.reload(request.name)))
