"""grpc.health.v1, true to the plugins.

The names: "" is the server; "alejo.v1.ChatService" and its like are services (talking needs a brain, the others need no
plugin); "plugin/NAME" is each plugin that was found; "reflection" is whether what was said is worked through in time.
While the server drains all are NOT_SERVING.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from grpc_health.v1.health_pb2 import (
    HealthCheckRequest,
    HealthCheckResponse,
    HealthListRequest,
    HealthListResponse,
)

from alejo.errors import NotFound
from alejo.types import PluginState

from .gate import draining
from .methods import OWN_SERVICES

if TYPE_CHECKING:
    from alejo.plugins import PluginHost
    from alejo.reflection import Reflection

    from .call import Call

_SERVING = HealthCheckResponse.SERVING
_NOT_SERVING = HealthCheckResponse.NOT_SERVING
_AT_WORK = frozenset({PluginState.ACTIVE, PluginState.DEGRADED})


class Health:
    """How everything is. grpcio's own servicer lacks List, and lets one slow watcher hold up every other."""

    def __init__(self, plugins: PluginHost, reflection: Reflection) -> None:
        self._plugins = plugins
        self._reflection = reflection
        self._statuses: dict[str, HealthCheckResponse.ServingStatus.ValueType] = {}
        self._changed = asyncio.Event()
        self._draining = False
        plugins.on_change(self.refresh)
        reflection.on_change(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Looks at the plugins again and wakes those who watch."""
        now = {"": _SERVING} | dict.fromkeys(OWN_SERVICES, _SERVING)
        if self._plugins.one("brain") is None:
            now["alejo.v1.ChatService"] = _NOT_SERVING
        now["reflection"] = _NOT_SERVING if self._reflection.trouble else _SERVING
        for plugin in self._plugins.statuses():
            # Of several that claim a name at most one is loaded; that one counts.
            if plugin.state in _AT_WORK:
                now[f"plugin/{plugin.name}"] = _SERVING
            else:
                now.setdefault(f"plugin/{plugin.name}", _NOT_SERVING)
        if self._draining:
            now = dict.fromkeys(now, _NOT_SERVING)
        if now != self._statuses:
            self._statuses = now
            self._changed.set()
            self._changed = asyncio.Event()

    def drain(self) -> None:
        """Nothing serves from now on."""
        self._draining = True
        self.refresh()

    async def check(self, call: Call, request: HealthCheckRequest) -> HealthCheckResponse:
        """How one is. Raises NotFound."""
        status = self._statuses.get(request.service)
        if status is None:
            raise NotFound("service", request.service[:128])
        return HealthCheckResponse(status=status)

    async def list(self, call: Call, request: HealthListRequest) -> HealthListResponse:
        """How all are."""
        return HealthListResponse(
            statuses={name: HealthCheckResponse(status=status) for name, status in self._statuses.items()}
        )

    async def watch(self, call: Call, request: HealthCheckRequest) -> AsyncGenerator[HealthCheckResponse, None]:
        """How one is, now and after each change, until the server drains."""
        last = None
        while True:
            changed = self._changed
            status = self._statuses.get(request.service, HealthCheckResponse.SERVICE_UNKNOWN)
            if status != last:
                yield HealthCheckResponse(status=status)
                last = status
            elif self._draining:
                raise draining()
            else:
                await changed.wait()
