"""The calls about reminders."""

from __future__ import annotations

import builtins
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any

import grpc

from alejo.types import Page, Reminder, ReminderState
from alejo.v1 import reminders_pb2 as pb
from alejo.wire import read, write

from .errors import error_of
from .requests import new_request_id

_FIRST = Page()


class Reminders:
    """What the user wants to be reminded of; `Client.reminders` is one."""

    def __init__(
        self,
        call: Callable[[Any, Any], Awaitable[Any]],
        stub: Any,
        target: str,
        metadata: Sequence[tuple[str, str]],
    ) -> None:
        self._call = call
        self._stub = stub
        self._target = target
        self._metadata = metadata

    async def create(
        self, text: str, due: int, *, recurrence: str = "", time_zone: str = "", request_id: str = ""
    ) -> Reminder:
        """Makes a reminder that falls due at a time in µs. Raises InvalidArgument, FailedPrecondition."""
        request = pb.CreateReminderRequest(
            request_id=request_id or new_request_id(),
            text=text,
            due_at=write.moment(due),
            recurrence=recurrence,
            time_zone=time_zone,
        )
        return read.reminder((await self._call(self._stub.CreateReminder, request)).reminder)

    async def list(
        self, page: Page = _FIRST, states: Sequence[ReminderState] = ()
    ) -> tuple[builtins.list[Reminder], str]:
        """A page of reminders, those to come first, by when they fall due; the token of the next page."""
        request = pb.ListRemindersRequest(
            page_size=page.size,
            page_token=page.token,
            states=[int(state) for state in states],  # type: ignore[misc]  # their numbers
        )
        response = await self._call(self._stub.ListReminders, request)
        return [read.reminder(each) for each in response.reminders], response.next_page_token

    async def watch(self) -> AsyncGenerator[Reminder, None]:
        """Those that have fallen due and were not acknowledged, then each as it falls due. Without end.

        Raises Unavailable when the server stops.
        """
        call = self._stub.WatchReminders(pb.WatchRemindersRequest(), metadata=self._metadata)
        try:
            async for response in call:
                if response.WhichOneof("frame") == "reminder":
                    yield read.reminder(response.reminder)
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self._target) from None
        finally:
            call.cancel()

    async def acknowledge(self, reminder: Reminder) -> Reminder:
        """Says that one was heard, as it was told: it is not told again. Raises NotFound."""
        request = pb.AcknowledgeReminderRequest(reminder_id=reminder.id, due_at=write.moment(reminder.due))
        return read.reminder((await self._call(self._stub.AcknowledgeReminder, request)).reminder)

    async def dismiss(self, reminder_id: str) -> Reminder:
        """Takes one back, with all that would recur of it. Raises NotFound."""
        request = pb.DismissReminderRequest(reminder_id=reminder_id)
        return read.reminder((await self._call(self._stub.DismissReminder, request)).reminder)
