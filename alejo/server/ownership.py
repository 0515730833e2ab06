"""OwnershipService."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from alejo.v1 import ownership_pb2 as pb
from alejo.wire import rules, write

from .parts import parts

if TYPE_CHECKING:
    from alejo.app import Assistant

    from .call import Call
    from .inbox import Inbox


class OwnershipCalls:
    """Exports and imports, over the wire."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self._ownership = assistant.ownership

    async def export_user(
        self, call: Call, request: pb.ExportUserRequest
    ) -> AsyncGenerator[pb.ExportUserResponse, None]:
        """Everything about the caller."""
        async with aclosing(self._ownership.export(call.scope)) as lines, aclosing(parts(lines)) as several:
            async for part in several:
                yield pb.ExportUserResponse(data=part)

    async def import_user(
        self, call: Call, inbox: Inbox[pb.ImportUserRequest]
    ) -> AsyncGenerator[pb.ImportUserResponse, None]:
        """Brings an export in."""
        intake = self._ownership.intake(call.scope)
        call.farewell = lambda: pb.ImportUserResponse(draining=write.draining(()))
        while frames := await inbox.take():
            rules.check(frames[0])
            yield pb.ImportUserResponse(imported=write.imported(await intake.take(frames[0].data)))
        yield pb.ImportUserResponse(imported=write.imported(await intake.end()))

    async def preview_erase(self, call: Call, request: pb.PreviewEraseRequest) -> pb.PreviewEraseResponse:
        """What erasing the caller would take."""
        return write.erase_preview(await self._assistant.erasures.preview(call.scope))

    async def erase_user(self, call: Call, request: pb.EraseUserRequest) -> pb.EraseUserResponse:
        """Erases the caller."""
        receipt, cleared = await self._assistant.erase(call.scope, request.preview)
        return pb.EraseUserResponse(receipt=write.receipt(receipt), cleared=cleared)
