"""What a user wants to be reminded of. Plugins find these values in `alejo.types`."""

from __future__ import annotations

import enum

from alejo.verdicts import Value


class ReminderState(enum.IntEnum):
    """Where a reminder stands: to come or unacknowledged, told and acknowledged, or no longer wanted."""

    PENDING = 1
    DELIVERED = 2
    DISMISSED = 3


class Reminder(Value, frozen=True):
    """Words that a user wants to hear at a time. `due` is when next; it has fallen due while that is past and pending.

    `session_id` and `message_id` say which message it was made from. `delivered_at` is when it was acknowledged last,
    `ended_at` when it was told for good or dismissed. One that recurs has a `recurrence`, a rule as of RFC 5545 such
    as "FREQ=WEEKLY;BYDAY=MO", whose times are those of the wall in `time_zone`, counted from `first_due`. `version`
    changes with every update; it is not stored in the record itself.
    """

    id: str
    text: str
    due: int
    created_at: int
    session_id: str = ""
    message_id: str = ""
    state: ReminderState = ReminderState.PENDING
    delivered_at: int | None = None
    ended_at: int | None = None
    recurrence: str = ""
    time_zone: str = ""
    first_due: int = 0
    version: int = 0
