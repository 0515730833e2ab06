"""Talking over the wire."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import grpc
import pytest

from alejo.v1 import chat_pb2

from .house import House, details, drained, house, rest, within

CONVERSE = "alejo.v1.ChatService/Converse"


def ask(text: str, request_id: str = "") -> chat_pb2.ConverseRequest:
    return chat_pb2.ConverseRequest(chat={"text": text, "request_id": request_id})


def cancel(request_id: str = "") -> chat_pb2.ConverseRequest:
    return chat_pb2.ConverseRequest(cancel={"request_id": request_id})


def shape(frames: Sequence[chat_pb2.ConverseResponse]) -> list[tuple[str, str]]:
    return [(frame.request_id, str(frame.WhichOneof("frame"))) for frame in frames]


async def test_an_answer_comes_in_pieces(home: House) -> None:
    """ChatStream gives Accepted, then pieces in order, then the whole answer."""
    call = home.stream("alejo.v1.ChatService/ChatStream", chat_pb2.ChatStreamResponse)
    frames = await drained(call(chat_pb2.ChatStreamRequest(chat={"text": "many", "request_id": "r"})))
    assert frames[0].accepted.user_message.text == "many"
    assert [frame.delta for frame in frames[1:-1]] == [f"piece {number}" for number in range(200)]
    assert frames[-1].done.message.text == "many"


async def test_turns_of_a_stream_are_answered_in_order(home: House) -> None:
    """Turns sent at once are answered one after the other, each with its own request id, also behind a wrong one."""
    asks = [ask("one", "a"), ask("many", "b"), ask("", "c"), chat_pb2.ConverseRequest(), ask("two", "d"), ask("three")]
    frames = await drained(home.stream(CONVERSE, chat_pb2.ConverseResponse, many=True)(iter(asks)))
    ends = [one for one in shape(frames) if one[1] in {"done", "failure"}]
    assert ends == [("a", "done"), ("b", "done"), ("c", "failure"), ("", "failure"), ("d", "done"), ("made", "done")]
    wrong = [frame.failure for frame in frames if frame.HasField("failure")]
    paths = [[one.field for one in details(one.details)[1]["BadRequest"].field_violations] for one in wrong]
    assert paths == [["chat.text"], ["chat"]]
    assert [frame.delta for frame in frames if frame.request_id == "b"][1:-1] == [f"piece {n}" for n in range(200)]


@pytest.mark.parametrize("named", ["", "w"])
async def test_a_turn_can_be_cancelled(home: House, named: str) -> None:
    """Cancel stops the turn being answered, which fails with CANCELLED; the stream goes on. Other names do nothing."""
    call = home.stream(CONVERSE, chat_pb2.ConverseResponse, many=True)()
    await call.write(ask("wait", "w"))
    assert shape([await within(call.read())]) == [("w", "accepted")]
    await call.write(cancel("another"))
    await call.write(cancel(named))
    frame = await within(call.read())
    assert shape([frame]) == [("w", "failure")]
    assert frame.failure.code == grpc.StatusCode.CANCELLED.value[0]
    assert details(frame.failure.details)[0].reason == "CANCELLED"
    await within(home.parrot.interrupted.wait())
    await call.write(cancel())
    await call.write(ask("hello", "h"))
    await call.done_writing()
    assert shape(await rest(call)) == [("h", "accepted"), ("h", "delta"), ("h", "done")]


async def test_a_turn_that_waits_can_be_cancelled(home: House) -> None:
    """A Cancel that names a turn further back in the stream stops that one, and the one before it goes on."""
    call = home.stream(CONVERSE, chat_pb2.ConverseResponse, many=True)()
    asks = [ask("wait", "zeroth"), ask("wait", "first"), ask("hello", "second"), ask("hello", "third")]
    # Frames are looked at in order: once the zeroth turn has been stopped, the Cancel before that was read.
    for frame in [*asks, cancel("second"), cancel("zeroth")]:
        await call.write(frame)
    await call.done_writing()
    frames = []
    while ("zeroth", "failure") not in frames:
        frames += shape([await within(call.read())])
    home.parrot.released.set()
    frames += shape(await rest(call))
    ends = [one for one in frames if one[1] in {"done", "failure"}]
    assert ends == [("zeroth", "failure"), ("first", "done"), ("second", "failure"), ("third", "done")]
    assert ("second", "accepted") not in frames


async def test_a_client_that_goes_away_interrupts_its_turn(home: House) -> None:
    """When the stream is cancelled the turn being answered is interrupted, and the server forgets the call."""
    call = home.stream(CONVERSE, chat_pb2.ConverseResponse, many=True)()
    await call.write(ask("wait"))
    await within(home.parrot.waiting.wait())
    call.cancel()
    await within(home.parrot.interrupted.wait())
    assert home.server._gate is not None
    await within(home.server._gate.empty.wait())
    assert [one["code"] for one in home.log() if one["event"] == "call"] == ["CANCELLED"]


async def test_a_real_conversation(tmp_path: Path) -> None:
    """With the built-in plugins a fact that was told is answered over the wire, and told again for the same request."""
    async with house(tmp_path, parrot=False, plugins=None) as home:
        chat = home.unary("alejo.v1.ChatService/Chat", chat_pb2.ChatResponse)
        told = await within(chat(chat_pb2.ChatRequest(text="My dog is called Luna.")))
        question = chat_pb2.ChatRequest(
            text="What is my dog called?", session_id=told.session_id, request_id="q", metadata={"a": "b"}
        )
        answer = await within(chat(question))
        assert "Luna" in answer.message.text
        assert answer.user_message.metadata == {"a": "b"}
        again = await within(chat(question))
        assert again.replayed
        assert again.message == answer.message
