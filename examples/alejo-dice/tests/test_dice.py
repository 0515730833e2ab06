"""The dice are fair to what they promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import alejo_dice
import pytest
from alejo_dice import Dice

from alejo.errors import InvalidArgument

NINE = '{"count": 9, "sides": 99}'


async def test_the_sum_is_told() -> None:
    """Several dice are told one by one with their sum."""
    throws, total = (await Dice(7).run('{"count": 20}', None)).split(" = ")
    values = [int(value) for value in throws.split(" + ")]
    assert len(values) == 20
    assert set(values) <= set(range(1, 7))
    assert sum(values) == int(total)


async def test_a_seed_repeats_the_throws() -> None:
    """Two dice of one seed throw the same."""
    assert await Dice(7).run(NINE, None) == await Dice(7).run(NINE, None)


@pytest.mark.parametrize("arguments", ['{"count": 0}', '{"count": 100}', '{"sides": "six"}', '{"colour": 1}', "2d6"])
async def test_what_is_no_throw_is_refused(arguments: str, alejo_assistant: Callable[..., Any]) -> None:
    """What does not fit the schema is refused by the host; the dice never see it."""
    async with alejo_assistant(alejo_dice) as assistant:
        with pytest.raises(InvalidArgument, match="arguments"):
            await assistant.chat(f"dice {arguments}")


async def test_a_seed_is_a_setting(alejo_assistant: Callable[..., Any]) -> None:
    """In a whole assistant the command throws as its seed says."""
    async with alejo_assistant(alejo_dice, settings={"dice": {"seed": 7}}) as assistant:
        answer = await assistant.chat(f"dice {NINE}")
        assert answer.message.text == await Dice(7).run(NINE, None)


async def test_a_wrong_seed_is_refused(alejo_host: Callable[..., Any]) -> None:
    """A seed that is no number is told with file and key."""
    async with alejo_host(alejo_dice, settings={"dice": {"seed": "seven"}}) as host:
        assert host.status().reason == "alejo.toml: plugin.dice.seed: expected int | null, got str."
