"""Reminders, typed, and in a chat."""

from __future__ import annotations

import asyncio
import time

from alejo.client import connect
from alejo.errors import InvalidArgument
from alejo.types import Reminder

from .home import Home, said


async def remind(home: Home, text: str, seconds: float, **given: str) -> Reminder:
    """Makes a reminder that falls due in so many seconds, or as soon as it can be made before it is."""
    async with connect(home.url) as client:
        while True:
            try:
                return await client.reminders.create(text, time.time_ns() // 1000 + round(seconds * 1e6), **given)
            except InvalidArgument:  # it was over before it arrived
                seconds *= 2


def test_reminders_are_listed_and_dismissed(home: Home) -> None:
    """What is to come is listed by when it is due, and what was dismissed is listed as that."""
    home.serve()
    later = asyncio.run(remind(home, "water the plants", 7200, recurrence="FREQ=DAILY", time_zone="UTC"))
    sooner = asyncio.run(remind(home, "the bread", 3600))
    listed = home.json("reminders", "list")
    assert [(one["id"], one["state"]) for one in listed] == [(sooner.id, "pending"), (later.id, "pending")]
    assert listed[1]["recurrence"] == "FREQ=DAILY"
    assert "Dismissed: the bread" in home.run("reminders", "dismiss", sooner.id).stderr
    assert [one["text"] for one in home.json("reminders", "list", "--state", "dismissed")] == ["the bread"]
    assert "no such reminder" in home.run("reminders", "dismiss", "0" * 32, code=1).stderr


def test_a_chat_shows_what_is_due(home: Home) -> None:
    """A chat shows what fell due before it and while it waits, once, on stderr; then it counts as delivered."""
    home.serve()
    asyncio.run(remind(home, "the bread", 0.5))
    chat = home.start("chat")
    assert chat.stderr
    assert "Reminder: the bread" in next(line for line in chat.stderr if "Reminder" in line)
    asyncio.run(remind(home, "the milk", 0.5))
    assert "Reminder: the milk" in next(line for line in chat.stderr if "Reminder" in line)
    assert "Reminder" not in said(chat, "Hello.")
    output, complaints = chat.communicate(timeout=20)
    assert "Reminder" not in output + complaints
    assert {one["state"] for one in home.json("reminders", "list")} == {"delivered"}
