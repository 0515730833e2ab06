"""Requests that are none, or wrong in some way, to every method: refused as they should be, telling nothing."""

from __future__ import annotations

import asyncio
import math
import random
import re
import struct
from collections import Counter
from typing import Any

import grpc
import msgspec
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status

from alejo import wire
from alejo.errors import InvalidArgument
from alejo.server.methods import Method, methods
from alejo.types import Ask
from alejo.v1 import chat_pb2, memory_pb2

from .house import SECONDS, House
from .size import size

METHODS = list(methods(reflection=True))
REQUESTS = size(1_000, 10_000)
AT_ONCE = 16
MOST_GROWTH = size(32, 16) << 20  # a short run is mostly what is made once
TOO_MUCH = 5 << 20
TALK = ("My dog is called Luna.", "What is it called?", "Please remember that I like tea.", "Ich wohne in Bonn.", "a")
# What an accepted request may end with: that there is nothing by that name, or that it is not possible in this state. A
# page token may besides be none of this list, which only the list itself can tell.
DOCUMENTED = {"OK", "NOT_FOUND", "FAILED_PRECONDITION", "ALREADY_EXISTS"}
LOOKED_INTO = (b"page_token", b"preview", b"time_zone", b"kind: must be one of", b"due_at", b"recurrence")
UPLOADS = {"ImportUser", "UploadImage"}  # of which what is uploaded is looked into
ITS_LINE = re.compile(rb"line [0-9]+")
LEAKS = (b".py", b"Traceback", b"Error", b"Exception", b"google.protobuf", b"object at 0x", b"/usr/", b"upb", b"line ")
FRAMES = {
    "Converse": chat_pb2.ConverseResponse,
    "RememberStream": memory_pb2.RememberStreamResponse,
    "RecallStream": memory_pb2.RecallStreamResponse,
}
MARK = "\x01\x02\x03\x04"
NUMBERS = (0, 1, -1, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 253_402_300_800)
REALS = (math.nan, math.inf, -math.inf, 1e308, -1.0, 5e-324, 0.5)


class Hostile(msgspec.Struct):
    """Makes requests."""

    chance: random.Random

    def request(self, method: Method) -> tuple[str, bytes]:
        """Of what kind it is, and its bytes."""
        kind = self.chance.choice(("noise", "other", "deep", "utf-8", "values", "values", "types", "cut"))
        if self.chance.random() < 1 / 200:
            kind = "5 MiB"
        return kind, getattr(self, "_" + {"5 MiB": "big", "utf-8": "utf8"}.get(kind, kind))(method)

    def _noise(self, method: Method) -> bytes:
        return self.chance.randbytes(self.chance.choice((1, 2, 7, 60, 4000)))

    def _other(self, method: Method) -> bytes:
        """A request of another method."""
        return self._values(self.chance.choice(METHODS))

    def _deep(self, method: Method) -> bytes:
        """Groups within groups, 200 deep: of a field nobody knows, so that any parser must follow."""
        return b"\x9b\x06" * 200 + b"\x9c\x06" * 200

    def _utf8(self, method: Method) -> bytes:
        """Texts that are none."""
        message = self._fill(method.request(), text=lambda: MARK)
        return message.SerializeToString().replace(MARK.encode(), b"\xff\xfe\xc0\x80")

    def _values(self, method: Method) -> bytes:
        """Of the right form, with numbers that are none or huge, and unknown members of enums."""
        return self._fill(method.request(), text=self._text).SerializeToString()

    def _types(self, method: Method) -> bytes:
        """Every field in a form that it does not have."""
        fields = method.request.DESCRIPTOR.fields
        return b"".join(self._varint(field.number << 3 | 5) + struct.pack("<f", 1.5) for field in fields)

    def _cut(self, method: Method) -> bytes:
        """One that ends too early."""
        whole = self._values(method)
        return whole[: self.chance.randrange(len(whole) + 1)]

    def _big(self, method: Method) -> bytes:
        return b"\0" * TOO_MUCH

    def _varint(self, number: int) -> bytes:
        return bytes([number]) if number < 128 else bytes([number % 128 + 128, number // 128])

    def _text(self) -> str:
        return self.chance.choice(("", "a", "\0", "0" * 32, "../../etc/passwd", "'\";--", "a" * 1_100, "ß" * 33_000))

    def _fill(self, message: Message, text: Any) -> Message:
        for field in message.DESCRIPTOR.fields:
            if self.chance.random() < 0.4:
                continue
            if field.message_type is not None:
                if not field.is_repeated:
                    getattr(message, field.name).SetInParent()
                    self._fill(getattr(message, field.name), text)
                elif not field.message_type.GetOptions().map_entry:
                    self._fill(getattr(message, field.name).add(), text)
                else:
                    getattr(message, field.name)[text()] = text()
            elif field.is_repeated:
                getattr(message, field.name).extend(
                    self._value(field, text) for _ in range(self.chance.choice((1, 40)))
                )
            else:
                setattr(message, field.name, self._value(field, text))
        return message

    def _value(self, field: Any, text: Any) -> Any:
        match field.cpp_type:
            case FieldDescriptor.CPPTYPE_STRING:
                return text().encode() if field.type == FieldDescriptor.TYPE_BYTES else text()
            case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
                return self.chance.choice(REALS)
            case FieldDescriptor.CPPTYPE_BOOL:
                return True
        most = (
            2**63 - 1
            if field.cpp_type in {FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64}
            else 2**31 - 1
        )
        least = 0 if field.cpp_type in {FieldDescriptor.CPPTYPE_UINT64, FieldDescriptor.CPPTYPE_UINT32} else -most - 1
        return max(least, min(most, self.chance.choice(NUMBERS)))


def verdict(method: Method, raw: bytes) -> str:
    """What must become of a request: "INVALID_ARGUMENT" if the runtime or the validator refuses it."""
    if len(raw) > 4 << 20:
        return "RESOURCE_EXHAUSTED"
    try:
        message = method.request.FromString(raw)
        if method.own:
            wire.rules.checker(method.request)(message)
    except (DecodeError, InvalidArgument):
        return "INVALID_ARGUMENT"
    return "accepted"


async def outcome(channel: grpc.aio.Channel, method: Method, raw: bytes) -> tuple[str, bytes]:
    """How a call ended, and what its refusal tells. A failure within a stream counts as the stream's."""
    path, user = f"/{method.label}", (("x-alejo-user", "mallory"),)
    try:
        if not method.gives_many:
            unary: Any = channel.unary_unary(path)
            await unary(raw, metadata=user, timeout=SECONDS)
            return "OK", b""
        stream: Any = (channel.stream_stream if method.asks_many else channel.unary_stream)(path)
        call = stream(iter([raw]) if method.asks_many else raw, metadata=user, timeout=SECONDS)
        while (frame := await call.read()) is not grpc.aio.EOF:
            if method.name in {"Watch", "WatchJobs", "WatchReminders"}:
                call.cancel()
                return "OK", b""
            kind = FRAMES.get(method.name)
            said: Any = kind.FromString(frame) if kind else None
            if said is not None and said.HasField("failure"):
                name = next(code.name for code in grpc.StatusCode if code.value[0] == said.failure.code)
                return name, said.failure.SerializeToString()
        code, details, trailers = await call.code(), await call.details(), await call.trailing_metadata()
    except grpc.aio.AioRpcError as error:
        code, details, trailers = error.code(), error.details(), error.trailing_metadata()
    status = dict(trailers or ()).get("grpc-status-details-bin", b"")
    return code.name, (details or "").encode() + (Status.FromString(status).SerializeToString() if status else b"")


async def test_malformed_requests(house: House, chance: random.Random) -> None:
    """Of thousands of hostile requests all that must be are refused, none tells of the inside, no memory is kept."""
    house.environment["ALEJO_LIMITS_QUEUE_SECONDS"] = "20"  # a busy machine would refuse some before it reads them
    await house.start()
    async with house.client("ada") as ada:  # what is read or compiled once is no growth
        for text in TALK:
            await ada.chat(Ask(text))
    hostile, told, wrong = Hostile(chance), Counter[tuple[str, str]](), list[str]()
    async with house.channel() as channel:

        async def send(number: int) -> None:
            method = METHODS[number % len(METHODS)]
            kind, raw = hostile.request(method)
            code, seen = await outcome(channel, method, raw)
            must = verdict(method, raw)
            told[kind, code] += 1
            # What a token, a name of a zone or a line of an import or a picture says is not for the validator.
            looked_into = any(each in seen for each in LOOKED_INTO) or method.name in UPLOADS
            late = code == "INVALID_ARGUMENT" and looked_into
            fine = code in DOCUMENTED or late if must == "accepted" else code == must
            if not fine:
                wrong.append(f"{method.label} {kind}: {code}, not {must}: {seen[:300]!r} {raw[:80]!r}")
            small = seen.replace(b"google.rpc.ErrorInfo", b"")
            if method.name == "ImportUser":  # tells which line of what was sent it means
                small = ITS_LINE.sub(b"", small)
            wrong.extend(f"{method.label} {kind} tells {leak!r}: {seen!r}" for leak in LEAKS if leak in small)

        async def several(numbers: Any) -> None:
            for number in numbers:
                await send(number)

        async def all_of(count: int) -> None:
            numbers = iter(range(count))
            await asyncio.gather(*(several(numbers) for _ in range(AT_ONCE)))

        await all_of(REQUESTS // 5)  # the first ones fill what is kept for every later one
        before = house.memory()
        await all_of(REQUESTS - REQUESTS // 5)
        grown = house.memory() - before
    await house.stop()
    print(
        f"{REQUESTS} requests, RssAnon {grown / 2**20:+.1f} MiB", {" ".join(how): n for how, n in sorted(told.items())}
    )
    print("\n".join(wrong))
    assert wrong == []
    assert grown <= MOST_GROWTH
    assert {kind for kind, _ in told} >= {"noise", "other", "deep", "utf-8", "values", "types", "cut"}
    log = "\n".join(house.log)
    assert "internal error" not in log


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.label)
def test_what_must_be_refused_is_known(method: Method) -> None:
    """The sample is no good unless the runtime or the validator refuses some of each method's."""
    hostile = Hostile(random.Random(7))
    verdicts = {verdict(method, hostile.request(method)[1]) for _ in range(60)}
    assert "INVALID_ARGUMENT" in verdicts
