"""RemindersService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from alejo.v1 import reminders_pb2 as pb
from alejo.wire import read, write

if TYPE_CHECKING:
    from alejo.reminders import Reminders

    from .call import Call


class RemindersCalls:
    """What users want to be reminded of, over the wire."""

    def __init__(self, reminders: Reminders) -> None:
        self._reminders = reminders

    async def create_reminder(self, call: Call, request: pb.CreateReminderRequest) -> pb.CreateReminderResponse:
        """Makes one."""
        made = await self._reminders.create(
            call.scope,
            request.text,
            read.moment(request.due_at),
            recurrence=request.recurrence,
            zone=request.time_zone,
            request_id=request.request_id,
        )
        return pb.CreateReminderResponse(reminder=write.reminder(made))

    async def list_reminders(self, call: Call, request: pb.ListRemindersRequest) -> pb.ListRemindersResponse:
        """The user's."""
        states = read.reminder_states(request.states)
        found, token = await self._reminders.list(call.scope, read.page(request), states)
        return pb.ListRemindersResponse(reminders=[write.reminder(each) for each in found], next_page_token=token)

    async def watch_reminders(
        self, call: Call, request: pb.WatchRemindersRequest
    ) -> AsyncGenerator[pb.WatchRemindersResponse, None]:
        """Those that are due, then each as it falls due."""
        call.farewell = lambda: pb.WatchRemindersResponse(draining=write.draining(()))
        rung, is_current = asyncio.Event(), False
        with self._reminders.listening(call.scope, rung.set) as listener:
            while True:
                rung.clear()
                while found := await listener.news():
                    for reminder in found:
                        yield pb.WatchRemindersResponse(reminder=write.reminder(reminder))
                if not is_current:
                    yield pb.WatchRemindersResponse(current=True)
                    is_current = True
                if call.closing is not None:
                    raise call.closing
                call.idle = True
                await rung.wait()
                call.idle = False
                await call.confirm()

    async def acknowledge_reminder(
        self, call: Call, request: pb.AcknowledgeReminderRequest
    ) -> pb.AcknowledgeReminderResponse:
        """Says that one was heard."""
        due = read.perhaps(request, "due_at")
        heard = await self._reminders.acknowledge(call.scope, request.reminder_id, due)
        return pb.AcknowledgeReminderResponse(reminder=write.reminder(heard))

    async def dismiss_reminder(self, call: Call, request: pb.DismissReminderRequest) -> pb.DismissReminderResponse:
        """Takes one back."""
        gone, _ = await self._reminders.dismiss(call.scope, request.reminder_id)
        return pb.DismissReminderResponse(reminder=write.reminder(gone))
