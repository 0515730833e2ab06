"""The mood, typed, and in a chat."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess

from alejo.client import connect
from alejo.errors import AlejoError
from alejo.types import Ask

from .home import Home

ANGRY = "My boss yelled at me again, I hate this job.\nMy boss was unfair, I am angry.\n"


def test_the_mood_is_shown_corrected_and_reset(home: Home) -> None:
    """`alejo mood` draws what is kept, takes corrections, and leaves nothing after a reset that was confirmed."""
    assert "Nothing is kept" in home.run("mood").stdout
    shown = home.run("chat", lines=f"{ANGRY}/mood\n").stderr
    assert "boss (2 messages" in shown
    drawn = home.run("mood").stdout
    assert "Mood          very unpleasant" in drawn
    assert "Sessions      ▁" in drawn or "Sessions      ▂" in drawn
    assert "trust 0.5" in drawn
    assert "calm, be direct" in drawn or "gentle" in drawn
    told = home.json("mood", "--valence", "0.5", "--trust", "0.9", "--forget", "boss")[0]
    assert abs(told["mood"]["valence"] - 0.5) < 0.01
    assert told["triggers"] == []
    home.run("mood", "--reset", lines="n\n", code=130)
    assert "2 turns" in home.run("mood", "--reset", "--yes").stderr


def test_what_cannot_be_meant_is_refused(home: Home) -> None:
    """A mood beyond its range is a mistake of usage."""
    assert "--valence" in home.run("mood", "--valence", "3", code=2).stderr


async def speak(home: Home, asks: list[str], server: subprocess.Popen[str] | None) -> None:
    """Asks all at once; the server is killed at the first answer, with the others under way."""
    async with connect(home.url) as client:

        async def ask(request_id: str) -> None:
            with contextlib.suppress(AlejoError):
                await client.chat(Ask("My boss again.", request_id=request_id))
                if server is not None:
                    server.kill()

        await asyncio.gather(*map(ask, asks))


def test_a_killed_server_counts_no_turn_twice(home: Home) -> None:
    """Turns that are sent again to servers that were killed under them count once, each of them."""
    asks = [f"r{number}" for number in range(8)]
    for _ in range(2):
        server, _banner = home.serve()
        asyncio.run(speak(home, asks, server))
        server.kill()
        server.communicate()
    home.serve()
    asyncio.run(speak(home, asks, None))
    asyncio.run(speak(home, asks, None))
    (told,) = home.json("mood")
    assert told["relationship"]["turns"] == told["mood"]["appraisals"] == len(asks)
    assert told["relationship"]["topics"] == {"boss": len(asks)}
