"""A Cancel frame reaches the turn it names, if that was sent, and no later one."""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from alejo.v1 import chat_pb2

from .house import House, drained, rest, within
from .test_chat import CONVERSE, ask, cancel, shape


def ends(frames: Sequence[chat_pb2.ConverseResponse]) -> list[tuple[str, str]]:
    """How each turn ended."""
    return [one for one in shape(frames) if one[1] in {"done", "failure"}]


async def test_a_cancel_of_an_unknown_turn_hits_no_later_one(home: House) -> None:
    """A Cancel that comes before the turn it names does nothing, while others are answered or wait."""
    # The last frame ends the first turn: by then the server has read all the others.
    frames = (ask("wait", "a"), ask("hello", "b"), cancel("c"), cancel("d"), ask("hello", "c"), cancel("a"))
    call = home.stream(CONVERSE, chat_pb2.ConverseResponse, many=True)(iter(frames))
    assert ends(await drained(call)) == [("a", "failure"), ("b", "done"), ("c", "done")]


async def test_a_cancel_of_an_ended_turn_hits_no_later_one(home: House) -> None:
    """A Cancel that comes after the turn it names, even without a name, does not stop the same turn sent again."""
    call = home.stream(CONVERSE, chat_pb2.ConverseResponse, many=True)()
    for named in ("a", "", "a"):
        await call.write(ask("hello", "a"))
        assert [(await within(call.read())).WhichOneof("frame") for _ in range(3)] == ["accepted", "delta", "done"]
        await call.write(cancel(named))
    await call.done_writing()
    assert await rest(call) == []


async def test_a_cancel_stops_one_of_two(home: House) -> None:
    """Of two turns that wait under one request id, a Cancel between them stops the first alone."""
    asks = (ask("wait", "a"), ask("hello", "b"), cancel("b"), ask("hello", "b"), cancel("a"))
    frames = await drained(home.stream(CONVERSE, chat_pb2.ConverseResponse, many=True)(iter(asks)))
    assert ends(frames) == [("a", "failure"), ("b", "failure"), ("b", "done")]
    codes = [frame.failure.code for frame in frames if frame.HasField("failure")]
    assert codes == [grpc.StatusCode.CANCELLED.value[0]] * 2


async def test_a_cancel_of_what_is_answered_hits_nothing_behind_it(home: House) -> None:
    """A Cancel without a name stops the turn being answered, and those that come behind it are answered."""
    call = home.stream(CONVERSE, chat_pb2.ConverseResponse, many=True)()
    await call.write(ask("wait", "a"))
    await within(home.parrot.waiting.wait())
    await call.write(cancel())
    await within(home.parrot.interrupted.wait())
    home.parrot.released.set()
    for frame in (ask("hello", "b"), ask("wait", "c")):
        await call.write(frame)
    await call.done_writing()
    assert ends(await rest(call)) == [("a", "failure"), ("b", "done"), ("c", "done")]
