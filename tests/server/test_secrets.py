"""Whose secret it is: what users tell of themselves is theirs, and stays where they are."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import alejo_brain
import alejo_emotion
import alejo_memory
import pytest

from alejo import Assistant, log, testing
from alejo.client import Client, connect
from alejo.hooks import hookimpl
from alejo.identity import LOCAL
from alejo.roles import Command, Conscience, Learner, Lesson, Turn
from alejo.server import Server
from alejo.storage.tables import AUDIT
from alejo.testing.model_server import ModelServer, Said
from alejo.types import Ask, CommandSpec, Degraded, EmbeddingModel, Learned, Matter, Page, Ruling, SessionState, Verdict

TOLD, SHOWN = "The locker code is 4471", "The locker code is [secret]"
WONDERING = "which locker is mine, and its code? My PIN is 8826"
ELSEWHERE = "0.0.0.0"  # noqa: S104  an address that reaches this machine, and is not known for its own


@asynccontextmanager
async def served(discreet: list[str], **options: Any) -> AsyncIterator[tuple[Client, Assistant]]:
    """A server with this plugin's setting, and a client of it."""
    settings = {"emotion": {"discreet": discreet}}
    plugins = (alejo_brain, alejo_memory, alejo_emotion)
    async with testing.assistant(*plugins, trusted=True, settings=settings, **options) as assistant:
        server = Server(assistant, tcp=False, metrics=False)
        await server.start()
        try:
            async with connect(f"unix:{server.socket_path}") as client:
                yield client, assistant
        finally:
            await server.drain(0.0)


@pytest.mark.parametrize(("host", "discreet", "leaves"), [
    ("127.0.0.1", ["remote", "world"], True),
    ("127.0.0.1", ["local"], False),
    (ELSEWHERE, ["remote", "world"], False),
    (ELSEWHERE, [], True),
])  # fmt: skip
async def test_a_secret_is_kept_and_told_back_and_does_not_leave(host: str, discreet: list[str], leaves: bool) -> None:
    """Note and answer hold it; what a model elsewhere is asked does not, which the answer and the audit say."""
    written = io.StringIO()
    log.configure("debug", written)
    async with ModelServer() as server:
        server.respond = lambda _: Said("I see.")
        url = server.openai.replace("127.0.0.1", host)
        async with served(discreet, model__base_url=url) as (client, assistant):
            told = await client.chat(Ask(f"remember: {TOLD}"))
            assert TOLD in told.message.text
            asked = await client.chat(Ask(WONDERING, told.session_id))
            listed = await client.chat(Ask("list what you remember", told.session_id))
            assert TOLD in listed.message.text
            kept, _ = await client.memories(Page(10))
            assert {TOLD, WONDERING} <= {memory.text for memory in kept}
            entries = [row.value for row in await assistant.store.scan(LOCAL, AUDIT, limit=100)]
    prompts = " ".join(str(each.json()["messages"]) for each in server.requests if "chat" in each.path)
    assert (TOLD in prompts, SHOWN in prompts) == (leaves, not leaves)
    assert ("PIN is 8826" in prompts) == leaves
    assert "secrets.found" in {verdict.rule for verdict in asked.verdicts}
    assert f"{asked.turn_id} secrets.found" in {each.subject for each in entries}
    log.flush()
    assert "locker" not in written.getvalue()
    assert "PIN" not in written.getvalue()


async def test_the_local_brain_answers_with_it() -> None:
    """Asked for it, the user is told, without a model and whatever does not leave."""
    async with served(["local", "remote", "world"]) as (client, _):
        await client.chat(Ask("my PIN is 8826"))
        answer = await client.chat(Ask("What is my PIN?"))
    assert answer.message.text.startswith("8826.")


class Silent:
    """A conscience that cannot say what may leave."""

    async def review(self, matter: Matter) -> Verdict:
        """The verdict on what stays."""
        if matter.destination != "user":
            raise RuntimeError("the conscience broke")
        return Verdict()

    @hookimpl
    def alejo_register_conscience(self) -> Conscience:
        """Returns itself."""
        return self


async def test_nothing_leaves_unjudged() -> None:
    """Where the conscience cannot say, no model is asked: the local brain answers, and the answer says why."""
    async with ModelServer() as server:
        options: dict[str, Any] = {"model__base_url": server.openai, "model__names": ["parrot"]}
        async with testing.assistant(alejo_brain, Silent(), trusted=True, **options) as assistant:
            answer = await assistant.chat("Why would anybody go there?")
        assert [each.path for each in server.requests if "chat" in each.path] == []
    assert Degraded("language_model", "parrot", "withheld") in answer.degraded
    assert ("conscience", "failed") in {(each.role, each.reason) for each in answer.degraded}


class Post:
    """A command that acts outside."""

    spec = CommandSpec(
        "post", "Posts it.", effects=("world",), schema='{"type": "object", "properties": {"text": {"type": "string"}}}'
    )

    def __init__(self) -> None:
        self.posted: list[str] = []

    async def run(self, arguments: str, turn: Turn) -> str:
        """Posts it."""
        self.posted.append(arguments)
        return "Posted."

    @hookimpl
    def alejo_register_commands(self) -> list[Command]:
        """Returns itself."""
        return [self]


@pytest.mark.parametrize(("discreet", "posted"), [(["world"], SHOWN), ([], TOLD)])
async def test_a_command_that_acts_outside_is_not_given_it(discreet: list[str], posted: str) -> None:
    """Once the user has said yes; unless it is set so that it may."""
    post = Post()
    settings = {"emotion": {"discreet": discreet}}
    async with testing.assistant(post, alejo_emotion, trusted=True, settings=settings) as assistant:
        asked = await assistant.chat(f'post {{"text": "{TOLD}"}}')
        assert {each.ruling for each in asked.verdicts} >= {Ruling.ASK}
        await assistant.chat("yes", session_id=asked.session_id)
    assert [each.replace(" ", "") for each in post.posted] == [f'{{"text":"{posted}"}}'.replace(" ", "")]


class Pupil:
    """A learner and an embedder, `here` or not: what they were told."""

    name = "pupil"
    wants = ("pairs",)

    def __init__(self, *, here: bool) -> None:
        self.here = here
        self.told: list[str] = []

    async def learn(self, lesson: Lesson) -> Learned:
        """Notes the questions."""
        self.told += [pair.question for pair in lesson.pairs]
        return Learned()

    async def model(self) -> EmbeddingModel:
        """The smallest."""
        return EmbeddingModel("pupil", 1)

    async def embed(self, texts: list[str]) -> list[bytes]:
        """Notes the texts."""
        self.told += texts
        return [b"\0\0\x80?" for _ in texts]

    @hookimpl
    def alejo_register_learners(self) -> list[Learner]:
        """Returns itself."""
        return [self]

    @hookimpl
    def alejo_register_embedder(self) -> Any:
        """Returns itself."""
        return self


@pytest.mark.parametrize(("here", "told"), [(False, SHOWN), (True, TOLD)])
async def test_what_learns_and_embeds_elsewhere_is_told_without_it(here: bool, told: str) -> None:
    """A plugin says where it is; one that does not is elsewhere. An export without personal data is for others."""
    pupil = Pupil(here=here)
    async with testing.assistant(pupil, alejo_emotion, trusted=True) as assistant:
        session_id = (await assistant.chat(TOLD)).session_id
        await assistant.recall(TOLD)
        await assistant.sessions.update(LOCAL, session_id, state=SessionState.COMPLETED)
        await assistant.reflection.settled()
        whole = b"".join([line async for line in assistant.pairs()])
        bare = b"".join([line async for line in assistant.pairs(personal=False)])
    assert set(pupil.told) == {told}
    assert (TOLD.encode() in whole, SHOWN.encode() in bare, b"4471" in bare) == (True, True, False)
