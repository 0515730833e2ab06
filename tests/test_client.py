"""The client against a real server over its Unix socket."""

from __future__ import annotations

import asyncio
import inspect
import re
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

import alejo
from alejo import errors, settings
from alejo.app import Assistant
from alejo.client import NOT_REACHABLE, Client, connect, in_clear
from alejo.server import Server
from alejo.server.methods import methods
from alejo.types import Accepted, Answer, Ask, Filter, MemoryDraft, MessageDraft, Page, PluginState, SessionState


@pytest.fixture
async def assistant(tmp_path: Path) -> AsyncIterator[Assistant]:
    homes = {f"XDG_{kind}_HOME": str(tmp_path / kind.lower()) for kind in ("CONFIG", "DATA", "CACHE")}
    async with alejo.open(settings=settings.read({"HOME": str(tmp_path), **homes})) as one:
        yield one


@pytest.fixture
async def client(assistant: Assistant) -> AsyncIterator[Client]:
    server = Server(assistant, tcp=False, metrics=False)
    await server.start()
    async with connect(f"unix:{server.socket_path}") as one:
        yield one
    await server.drain(0.0)


async def test_a_turn_streams_and_is_there_once(client: Client) -> None:
    """A turn comes as Accepted, pieces and Answer; the same request id gives the stored answer; another body none."""
    ask = Ask("My dog is called Luna.", request_id="r1")
    frames = [frame async for frame in client.stream(ask)]
    accepted, *pieces, answer = frames
    assert isinstance(accepted, Accepted)
    assert isinstance(answer, Answer)
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == answer.message.text
    again = await client.chat(ask)
    assert again.replayed
    assert again.message == answer.message
    with pytest.raises(errors.AlreadyExists):
        await client.chat(Ask("Something else.", request_id="r1"))
    messages, token = await client.messages(answer.session_id)
    assert ([one.text for one in messages], token) == ([ask.text, answer.message.text], "")
    newest, _ = await client.messages(answer.session_id, Page(1), descending=True)
    assert newest == messages[1:]


async def test_sessions_are_made_once_by_origin(client: Client) -> None:
    """A second create with the same origin gives the first session; lists filter by state and go on by token."""
    session, existed = await client.create_session(title="A walk", metadata={"k": "v"}, origin="o1")
    assert (session.title, session.metadata, session.state, existed) == (
        "A walk",
        {"k": "v"},
        SessionState.CREATED,
        False,
    )
    assert await client.create_session(origin="o1") == (session, True)
    other, _ = await client.create_session(parent_id=session.id)
    first, token = await client.sessions(Page(1))
    second, _ = await client.sessions(Page(9, token))
    assert [one.id for one in first + second] == [other.id, session.id]
    assert await client.sessions(states=[SessionState.ARCHIVED]) == ([], "")
    assert await client.session(session.id) == session


async def test_memories_are_kept_found_and_forgotten(client: Client) -> None:
    """What is remembered is recalled with its evidence, listed by filter, and gone when forgotten."""
    kept = await client.remember(MemoryDraft("The tea is at five.", kind="note", metadata={"k": "v"}))
    (memory,) = kept.memories
    hits, _ = await client.recall("When is the tea?")
    assert hits[0].memory == memory
    assert hits[0].evidence
    assert await client.memories(filter=Filter(metadata={"k": "v"})) == ([memory], "")
    assert await client.memories(filter=Filter(metadata={"k": "w"})) == ([], "")
    assert await client.forget([memory.id]) == (1, 0)
    assert await client.recall("When is the tea?") == ([], "")


async def test_one_stream_holds_many_turns(client: Client) -> None:
    """Turns of a conversation come in order; one that fails or is left leaves the stream to the next."""
    async with client.converse() as talk:
        first = [frame async for frame in talk.say(Ask("My dog is called Luna."))]
        answer = first[-1]
        assert isinstance(first[0], Accepted)
        assert isinstance(answer, Answer)
        with pytest.raises(errors.NotFound):
            _ = [frame async for frame in talk.say(Ask("Hello", session_id="0" * 32))]
        async with aclosing(talk.say(Ask("Tell me a story.", answer.session_id))) as left:
            assert isinstance(await anext(left), Accepted)
        *_, last = [frame async for frame in talk.say(Ask("What is my dog called?", answer.session_id))]
        assert isinstance(last, Answer)
        assert "Luna" in last.message.text
        await talk.cancel()
    messages, _ = await client.messages(answer.session_id)
    assert len(messages) in {5, 6}  # the story was told before the cancel, or it was not


async def test_a_conversation_ends_with_its_server(assistant: Assistant) -> None:
    """A turn on a stream whose server went away is Unavailable with the server's reason."""
    server = Server(assistant, tcp=False, metrics=False)
    await server.start()
    async with connect(f"unix:{server.socket_path}") as client, client.converse() as talk:
        _ = [frame async for frame in talk.say(Ask("Hello"))]
        await server.drain()
        for _ in range(2):
            with pytest.raises(errors.Unavailable) as caught:
                _ = [frame async for frame in talk.say(Ask("Still there?"))]
            assert caught.value.reason == "DRAINING"


async def test_sessions_are_changed_and_deleted(client: Client) -> None:
    """Title, labels and state change as asked, nothing else; a deleted session is gone with what it held."""
    answer = await client.chat(Ask("My dog is called Luna."))
    changed = await client.update_session(answer.session_id, title="Luna", state=SessionState.PAUSED)
    assert (changed.title, changed.state, changed.message_count) == ("Luna", SessionState.PAUSED, 2)
    with pytest.raises(errors.FailedPrecondition):
        await client.update_session(answer.session_id, state=SessionState.CREATED)
    assert await client.delete_session(answer.session_id) == (2, 2)  # what was said, and the fact in it
    with pytest.raises(errors.NotFound):
        await client.session(answer.session_id)


async def test_a_memory_is_read_and_changed(client: Client) -> None:
    """A memory is got, changed where asked, and refused if it changed since; it stands in the context."""
    (memory,) = (await client.remember(MemoryDraft("The tea is at five.", importance=0.9))).memories
    assert await client.memory(memory.id) == memory
    pinned = await client.update_memory(
        memory.id, {"pinned": True, "text": "The tea is at six."}, version=memory.version
    )
    assert (pinned.pinned, pinned.text, pinned.importance) == (True, "The tea is at six.", 0.9)
    with pytest.raises(errors.Conflict):
        await client.update_memory(memory.id, {"pinned": False}, version=memory.version)
    assert "at six" in (await client.context("When is the tea?", token_budget=100)).text
    found = [one async for one in client.recall_many(["tea", "", "boats"])]
    assert [type(one) for one in found] == [list, errors.InvalidArgument, list]
    assert [hit.memory for hit in found[0] if isinstance(found[0], list)] == [pinned]


def test_the_client_has_every_call() -> None:
    """Each method of each service is used by the client."""
    room = Path(inspect.getsourcefile(Client) or "").parent
    source = "".join(path.read_text() for path in room.glob("*.py"))
    own = [one.name for one in methods(reflection=False) if one.own]
    assert len(own) >= 22
    assert [name for name in own if not re.search(rf"self\._\w+\.{name}\b", source)] == []


async def test_many_are_remembered_in_order(client: Client) -> None:
    """A stream answers each item in its order; one that is refused is an error in its place, and the rest goes on."""
    session, _ = await client.create_session()
    drafts = [MessageDraft(session.id, text, origin=text[:9]) for text in ("one", "x" * 40_000, "three", "one")]
    results = [result async for result in client.remember_many((f"r{n}", draft) for n, draft in enumerate(drafts))]
    refused = results[1]
    assert isinstance(refused, errors.InvalidArgument)
    assert "32,768" in refused.message
    kept = [result for result in results if not isinstance(result, errors.AlejoError)]
    assert [one.message.text for one in kept if one.message] == ["one", "three", "one"]
    assert [one.existed for one in kept] == [False, False, True]


async def test_errors_keep_their_class_and_reason(client: Client) -> None:
    """What the server refuses arrives as the error it was, with its fields."""
    with pytest.raises(errors.NotFound):
        await client.session("0" * 32)
    with pytest.raises(errors.InvalidArgument) as caught:
        await client.recall("")
    assert caught.value.violations[0][0] == "query"
    with pytest.raises(errors.InvalidArgument):
        _ = [frame async for frame in client.stream(Ask(""))]


async def test_a_stream_that_is_closed_is_cancelled(client: Client) -> None:
    """Closing a stream after its first frame leaves the user's message and no answer."""
    async with aclosing(client.stream(Ask("Tell me a story."))) as frames:
        accepted = await anext(frames)
    assert isinstance(accepted, Accepted)
    messages, _ = await client.messages(accepted.session_id)
    assert messages[0].text == "Tell me a story."
    # It is one message if the cancel was quicker than the answer, else two; never part of an answer.
    assert len(messages) in {1, 2}


async def test_the_server_is_described(client: Client, assistant: Assistant) -> None:
    """info names version, storage and the caller; plugins says how each is."""
    info = await client.info()
    assert (info["version"], info["tenant"], info["user"], info["storage"]) == (
        alejo.__version__,
        "local",
        "me",
        "lmdb",
    )
    plugins, vacancies = await client.plugins()
    assert {"brain", "memory"} <= {one.name for one in plugins if one.state is PluginState.ACTIVE}
    assert vacancies == assistant.plugins.vacancies()
    assert await client.plugin("brain") == next(one for one in plugins if one.name == "brain")
    assert (await client.settings())["server.address"] == ('"127.0.0.1:50151"', "default")


async def test_keys_and_users_are_sent(client: Client, assistant: Assistant) -> None:
    """A key decides whom the call is for; a wrong one is refused; a user is named beside it."""
    _, token = await assistant.keys.add("app", tenant="shop")
    async with connect(client.target, key=token, user="ann") as ann:
        info = await ann.info()
        assert (info["tenant"], info["user"]) == ("shop", "ann")
    async with connect(client.target, key="alejo_wrong") as nobody:
        with pytest.raises(errors.Unauthenticated):
            await nobody.info()
    with pytest.raises(errors.InvalidArgument):
        async with connect(client.target, user="a\nb"):
            pass


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    """Nobody at the address is Unavailable after four retries, within three seconds, with a reason of its own."""
    async with connect(f"unix:{tmp_path}/none.sock") as client:
        async with asyncio.timeout(3):
            with pytest.raises(errors.Unavailable) as caught:
                await client.info()
    assert caught.value.reason == NOT_REACHABLE
    assert "none.sock" in caught.value.message


async def test_a_silent_server_is_not_waited_for(tmp_path: Path) -> None:
    """A server that accepts and never answers ends a call at its deadline."""
    with socket.socket(socket.AF_UNIX) as silence:
        silence.bind(f"{tmp_path}/silent.sock")
        silence.listen()
        async with connect(f"unix:{tmp_path}/silent.sock", timeout=0.3) as client:
            with pytest.raises(errors.DeadlineExceeded, match=r"silent\.sock"):
                await client.info()


@pytest.mark.parametrize("target", ["nonsense", "ftp://host:1", "http://host", "http://host:1/path", "host:port", ""])
async def test_what_is_no_address_is_refused(target: str) -> None:
    """A target that is no address is InvalidArgument, at once."""
    with pytest.raises(errors.InvalidArgument, match="is not like"):
        async with connect(target):
            pass


@pytest.mark.parametrize("target", ["host:1", "http://host:1", "https://host:1/", "grpc://[::1]:1"])
async def test_addresses_are_taken_as_people_write_them(target: str) -> None:
    """host:port, http, https and grpc URLs are all taken."""
    async with connect(target) as client:
        assert client.target == target


def test_what_can_be_overheard_is_known() -> None:
    """Only a target beyond this machine without TLS is in clear."""
    assert in_clear("http://10.0.0.7:1")
    assert in_clear("myhost:1")
    targets = ("https://10.0.0.7:1", "http://127.0.0.1:1", "localhost:1", "grpc://[::1]:1", "unix:/x.sock")
    assert [target for target in targets if in_clear(target)] == []
