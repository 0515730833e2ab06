"""AdminService."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from alejo import __version__, settings
from alejo.v1 import admin_pb2 as pb
from alejo.wire import write

if TYPE_CHECKING:
    from alejo.app import Assistant

    from .call import Call

HIDDEN = "(hidden)"


class AdminCalls:
    """What the server is and how it is set, over the wire."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant

    async def get_info(self, call: Call, request: pb.GetInfoRequest) -> pb.GetInfoResponse:
        """What the server is."""
        from alejo import _core  # noqa: PLC0415  the native part, which only this answer speaks of

        assistant = self._assistant
        return pb.GetInfoResponse(
            version=__version__,
            data_format=assistant.folder.format,
            started_at=write.moment(assistant.started_at),
            tenant=call.scope.tenant,
            user=call.scope.user,
            debug_build=_core.debug_build(),
            storage=assistant.storage_name,
        )

    async def get_settings(self, call: Call, request: pb.GetSettingsRequest) -> pb.GetSettingsResponse:
        """Every setting, those that plugins declare too. What is secret is hidden, unless it is empty."""
        return pb.GetSettingsResponse(
            settings=[
                pb.Setting(
                    name=one.option.name,
                    value=settings.toml(HIDDEN if one.option.secret and one.value else one.value),
                    source=one.source,
                    help=one.option.help,
                )
                for one in sorted(
                    [*self._assistant.settings.all(), *self._assistant.plugins.settings()],
                    key=lambda one: one.option.name,
                )
            ]
        )

    async def compact(self, call: Call, request: pb.CompactRequest) -> AsyncGenerator[pb.CompactResponse, None]:
        """Makes the files anew."""
        before, after = await self._assistant.compact()
        yield pb.CompactResponse(bytes_before=before, bytes_after=after)
