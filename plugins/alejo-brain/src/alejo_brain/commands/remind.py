"""Commands about reminders."""

from __future__ import annotations

import re
from collections.abc import Sequence

from alejo.errors import FailedPrecondition, InvalidArgument
from alejo.roles import Turn
from alejo.types import Reminder

from ..phrases import numbered
from ..words import bare
from .days import moment
from .describing import described, given
from .lexicon import Unread
from .repeats import CODES
from .replies import Locale, heard

_RULE = re.compile(r"FREQ=(\w+)(?:;INTERVAL=(\d+))?(?:;BYDAY=([\w,]+))?")
_UNITS = {"DAILY": "days", "WEEKLY": "weeks", "MONTHLY": "months", "YEARLY": "years"}


class Remind:
    """Makes a reminder."""

    spec = described(
        "remind",
        "reminds you of something at a time, once or again and again",
        "remind me <when> to <something>",
        ("remind me to {text} {when}", "remind me {when} to {text}", "set a reminder for {when}: {text}"),
        writes=True,
        text="What the user wants to be reminded of.",
        when="When, in the user's words, such as tomorrow at 9, in 20 minutes, every Monday at 8.",
    )

    async def run(self, arguments: str, turn: Turn) -> str:
        """Makes it, or asks for what is missing."""
        wanted, locale = given(arguments), await heard(turn)
        text, when = wanted.get("text", ""), wanted.get("when", "")
        if not text:
            return locale.say("remind_what")
        if not when:
            return locale.say("remind_when", quote=f'"{text}"')
        try:
            due = moment(when, locale.now)
        except Unread:
            return locale.say("remind_unread", words=f'"{when}"')
        if due.at <= locale.now:
            return locale.say("remind_over", when=locale.when(due.at))
        try:
            made = await turn.desk.remind(text, locale.moment(due.at), recurrence=due.rule)
        except (InvalidArgument, FailedPrecondition) as refused:
            return locale.say("remind_full", why=refused.message)
        at = locale.local(made.due)
        return locale.say("reminded", when=locale.when(at), again=_again(made, locale), quote=f'"{made.text}"')


class Dismiss:
    """Takes a reminder back."""

    spec = described(
        "dismiss",
        "takes a reminder back",
        "dismiss reminder <number or words>",
        ("dismiss the reminder {which}", "cancel the reminder {which}", "stop reminding me of {which}"),
        writes=True,
        which="Which one: its number in the list of reminders, or its words. Empty if there is one alone.",
    )

    async def run(self, arguments: str, turn: Turn) -> str:
        """Takes back the one that is meant; otherwise lists them and takes none."""
        which, locale = given(arguments).get("which", ""), await heard(turn)
        pending = await turn.desk.reminders()
        if not pending:
            return locale.say("reminders_none")
        meant = _meant(which, pending)
        if len(meant) != 1:
            return locale.say("dismiss_which", listed=numbered(agenda(meant or pending, locale)))
        await turn.desk.dismiss(meant[0].id)
        return locale.say("dismissed", quote=f'"{meant[0].text}"')


def _meant(which: str, pending: Sequence[Reminder]) -> Sequence[Reminder]:
    """The reminders that words may mean: by their number, in these words, or with all of them."""
    if not which:
        return pending
    if which.isdecimal():
        return pending[int(which) - 1 : int(which)] if 0 < int(which) <= len(pending) else ()
    exact = [each for each in pending if bare(each.text) == bare(which)]
    words = set(bare(which).split())
    return exact or [each for each in pending if words <= set(bare(each.text).split())]


def agenda(reminders: Sequence[Reminder], locale: Locale) -> list[str]:
    """Reminders as they stand in a list."""
    return [
        locale.say(
            "reminder", quote=f'"{each.text}"', when=locale.when(locale.local(each.due)), again=_again(each, locale)
        )
        for each in reminders
    ]


def _again(reminder: Reminder, locale: Locale) -> str:
    """How it recurs, in words; nothing if it does not."""
    match = _RULE.fullmatch(reminder.recurrence)
    if match is None:
        return ""
    frequency, interval, days = match.groups()
    if days:
        names = locale.say("weekday_names").split()
        rule = locale.say("on_days", days=", ".join(names[CODES.index(day)] for day in days.split(",")))
    elif interval:
        rule = locale.say("every", count=interval, unit=locale.say(_UNITS[frequency]))
    else:
        rule = locale.say(frequency)
    return locale.say("again", rule=rule)
