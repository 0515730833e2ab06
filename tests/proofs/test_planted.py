"""Planted texts: what is remembered, imported, named or seen is quoted to a model as data, and runs nothing.

The texts are benchmarks/corpora/conscience/attacks.jsonl. No conscience is there to help: what is proved holds without.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from alejo_brain.prompting import INSTRUCTIONS

from alejo.client import Client
from alejo.errors import InvalidArgument
from alejo.testing.model_server import ModelServer, Said
from alejo.types import Ask, FactDraft, Image, MemoryDraft, MessageDraft, Page

from .house import House
from .size import size

CORPUS = Path(__file__).resolve().parents[2] / "benchmarks" / "corpora" / "conscience" / "attacks.jsonl"
ATTACKS = [json.loads(line)["text"] for line in CORPUS.read_text("utf-8").splitlines()]
CHOSEN = ATTACKS[:: size(12, 1)]
WRITING = ("remember", "forget", "correct", "prefer", "remind")
PROTOCOLS = {"openai": "ALEJO_MODEL_BASE_URL", "anthropic": "ALEJO_MODEL_ANTHROPIC_URL"}
_WORD = re.compile(r"[^\W\d_]{4,}")
_EYE = '''
    from alejo.hooks import hookimpl
    from alejo.types import Percept

    class Eye:
        """Sees in a picture the text that its bytes are."""

        async def perceive(self, image):
            said = image.data.decode()
            return Percept(10, 10, "png", summary=said, text=said)

    @hookimpl
    def alejo_register_vision():
        return Eye()
'''


class Part(NamedTuple):
    """Something that a model was told: in whose place it stands, and its words. Pictures have none."""

    place: str
    text: str


def parts(body: Any) -> list[Part]:
    """All that a request tells a model, whichever its protocol: system, user, assistant and tool."""
    found = [Part("system", body["system"])] if "system" in body else []
    for message in body["messages"]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for block in blocks:
            if block["type"] == "tool_result":
                found.append(Part("tool", block["content"]))
            elif block["type"] == "text":
                found.append(Part(message["role"], block["text"]))
    return found


def obeying(body: Any) -> Said:
    """A model that does whatever it is told anywhere: it calls all that writes, offered or not."""
    if any(part.place == "tool" for part in parts(body)):
        return Said("Done as I was told.")
    return Said("", [(name, json.dumps({"arguments": "all", "text": "all"})) for name in WRITING])


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        server.respond = obeying
        yield server


@pytest.fixture
def house(house: House) -> House:
    house.plugin("eye", _EYE)
    house.environment |= {
        "ALEJO_PLUGINS_DISABLED": "emotion,vision",
        "ALEJO_LIMITS_REQUESTS_PER_SECOND": "0",
        "ALEJO_LIMITS_ITEMS_PER_SECOND": "0",
        "ALEJO_MODEL_DAILY_TOKENS": "0",
    }
    return house


def question(attack: str) -> str:
    """What recalls a text without saying it."""
    words = sorted(set(_WORD.findall(attack)), key=len)[-3:]
    return f"What was that about {' or '.join(words)}?" if words else "What was the last thing?"


async def plant(client: Client, attack: str) -> str:
    """Puts a text wherever the words of others may come to be; returns the session that bears it as its name.

    What a field has no room for is refused as a bad argument, and that is as good.
    """
    flat = " ".join(attack.split())
    session, _ = await client.create_session(title=flat[:100], metadata={"place": flat[:100]})
    with suppress(InvalidArgument):
        await client.remember(MemoryDraft(attack, metadata={"note": attack[:200]}))
    with suppress(InvalidArgument):
        await client.remember(MessageDraft(session.id, attack, speaker=flat[:60]))
    with suppress(InvalidArgument):
        await client.add_fact(FactDraft("Nora", "says", flat[:200], text=attack))
    return session.id


def quotation(body: Any, asked: str) -> str:
    """What a request to the model quotes; fails unless all else in it is ours, the user's or the model's own."""
    system, user, *others = parts(body)
    assert system == Part("system", INSTRUCTIONS)
    assert user.place == "user"
    assert {part.place for part in others} <= {"assistant", "tool"}
    notes, _, message = user.text.rpartition("\n\nMy message:\n")
    assert (message if notes else user.text) == asked
    assert all(line.startswith("> ") for line in notes.splitlines()[1:]), notes
    return notes


async def ask(client: Client, model: ModelServer, attack: str, asked: Ask) -> bool:
    """Whether the model was shown a text; fails if that stood outside of a quotation, or if a command ran."""
    before = len(model.requests)
    answer = await client.chat(asked)
    assert answer.commands == ()
    bodies = [request.json() for request in model.requests[before:] if request.method == "POST"]
    shown = [quotation(body, asked.text) for body in bodies if parts(body)[0].text == INSTRUCTIONS]
    assert shown or answer.message.text.endswith("?"), "neither was a model asked, nor the user"
    return any(set(_WORD.findall(attack)) <= set(_WORD.findall(notes)) for notes in shown)


def told(model: ModelServer) -> None:
    """Of all that was asked of the model, reflection too: what instructs is constant, what was planted is quoted."""
    bodies = [request.json() for request in model.requests if request.method == "POST"]
    everything = [part for body in bodies for part in parts(body)]
    assert {part.place for part in everything} <= {"system", "user", "assistant", "tool"}
    systems = {part.text for part in everything if part.place == "system"}
    planted = [" ".join(attack.split()) for attack in CHOSEN]
    assert INSTRUCTIONS in systems
    assert not [system for system in systems if any(each in system for each in planted)]
    said = {part.text for part in everything} - systems
    bare = {line for text in said for line in text.splitlines() if not line.startswith("> ")}
    assert not [line for line in bare if any(len(each) > 3 and each in line for each in planted)]


async def everything(client: Client) -> set[str]:
    """The words of all memories."""
    found, token = await client.memories()
    while token:
        more, token = await client.memories(Page(token=token))
        found += more
    return {memory.text for memory in found}


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_what_is_planted_is_data_to_a_model(house: House, model: ModelServer, protocol: str) -> None:
    """Stored, stated, named, imported and seen, each text is quoted when it is recalled; no command runs."""
    house.environment |= {PROTOCOLS[protocol]: getattr(model, protocol)}
    await house.start()
    recalled = named = seen = 0
    async with house.client("eve") as eve, house.client("ada") as ada:
        for attack in CHOSEN:
            await plant(eve, attack)
        parts = [part async for part in eve.export_user()]
        assert [each async for each in ada.import_user(parts)]
        before = await everything(ada)
        assert before == await everything(eve)
        for attack in CHOSEN:
            session = await plant(ada, attack)
            named += await ask(ada, model, attack, Ask("And now?", session))
            recalled += await ask(ada, model, attack, Ask(question(attack)))
            picture = Image(attack.encode(), "image/png")
            seen += await ask(ada, model, attack, Ask("What does it say?", images=(picture,)))
        assert before <= await everything(ada)
    told(model)
    assert min(recalled, named, seen) >= len(CHOSEN) * 0.9, (recalled, named, seen, len(CHOSEN))


async def test_what_is_planted_is_data_to_the_local_brain(house: House) -> None:
    """It may quote a text; it does not do what that says."""
    await house.start()
    async with house.client("ada") as ada:
        sessions = [await plant(ada, attack) for attack in CHOSEN]
        before = await everything(ada)
        for attack, session in zip(CHOSEN, sessions, strict=True):
            assert (await ada.chat(Ask("And now?", session))).commands == ()
            assert (await ada.chat(Ask(question(attack)))).commands == ()
        assert before <= await everything(ada)
