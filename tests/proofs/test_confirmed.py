"""What cannot be undone is done once, after a yes: also when the server was killed between question and yes."""

from __future__ import annotations

from alejo.types import Answer, Ask, Ruling

from .house import House

BURN = """
    from alejo.hooks import hookimpl
    from alejo.types import CommandSpec

    class Burn:
        spec = CommandSpec("burn", "Burns what it is given.", effects=("world",))

        async def run(self, arguments, turn):
            return f"Burnt {arguments}."

    @hookimpl
    def alejo_register_commands():
        return [Burn()]
"""


async def say(house: House, text: str, session_id: str = "") -> Answer:
    async with house.client("ada") as client:
        return await client.chat(Ask(text, session_id))


async def test_a_question_outlives_the_server(house: House) -> None:
    """A yes in the next message of the session runs the command; without a question before it, it runs nothing."""
    house.plugin("burn", BURN)
    await house.start()
    asked = await say(house, "/burn the letters")
    assert asked.commands == ()
    assert [(each.ruling, each.rule) for each in asked.verdicts] == [(Ruling.ASK, "irreversible.world")]
    await house.kill()
    await house.start()
    assert (await say(house, "yes")).commands == ()
    done = await say(house, "yes", asked.session_id)
    assert (done.commands, done.message.text, done.verdicts) == (("burn",), "Burnt the letters.", ())
    assert (await say(house, "yes", asked.session_id)).commands == ()
