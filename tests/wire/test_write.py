"""From values to messages and back: nothing is lost on the way."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec
import pytest
from google.protobuf.message import Message as Proto

from alejo import types as values
from alejo.types import Context, ContextDrop, ContextItem, Evidence, Filter, Layer, Memory, Message, Page, Role, Session
from alejo.v1 import memory_pb2, sessions_pb2, types_pb2
from alejo.wire import read, rules, write

# What the server keeps to itself.
INTERNAL = {
    (values.Verdict, "text"),
    (values.Hit, "measured"),
    (Message, "request_key"),
    (Memory, "message_seq"),
    (values.MemoryDraft, "message_id"),
    (values.Reminder, "ended_at"),
    (values.Reminder, "first_due"),
    (values.Reminder, "version"),
}
Number = Callable[[], int]


def filled(kind: Any, number: Number) -> Any:
    """A value of a type in which every field differs from its default and from the others."""
    if kind in (str, bytes):
        text = f"é{number()}"
        return text if kind is str else text.encode()
    if kind is bool:
        return True
    if kind is int:
        return number()
    if kind is float:
        return number() / 1024
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return filled(arguments[0], number)
    if origin is tuple:
        return (filled(arguments[0], number), filled(arguments[0], number))
    if origin is dict:
        return {filled(arguments[0], number): filled(arguments[1], number)}
    if issubclass(kind, msgspec.Struct):
        hints = typing.get_type_hints(kind).items()
        return kind(**{name: filled(field, number) for name, field in hints if (kind, name) not in INTERNAL})
    return list(kind)[-1]


def whole(message: Proto, path: str = "") -> list[str]:
    """The fields that are not set, in the message and in those within it."""
    missing = []
    here = {field.name: value for field, value in message.ListFields()}
    for field in message.DESCRIPTOR.fields:
        name = f"{path}{field.name}"
        if field.name not in here:
            missing.append(name)
        elif field.message_type is not None and field.message_type.file.package == "alejo.v1":
            if field.message_type.GetOptions().map_entry:
                continue
            inner = here[field.name][0] if field.is_repeated else here[field.name]
            missing += whole(inner, f"{name}.")
    return missing


CARRIED = (
    Message,
    Session,
    Memory,
    Filter,
    values.MemoryDraft,
    values.MessageDraft,
    values.Appraisal,
    values.Percept,
    values.Ask,
    values.Accepted,
    values.Answer,
    values.Kept,
    values.Hit,
    values.FactDraft,
    values.FactChange,
    values.Vacancy,
)


@pytest.mark.parametrize("kind", CARRIED, ids=lambda one: one.__name__)
def test_every_field_comes_through(kind: type) -> None:
    """A value with every field set sets every field of its message, and is the same after the way over the wire."""
    value = filled(kind, count(1_000_001, 1001).__next__)
    name = "".join(f"_{c.lower()}" if c.isupper() else c for c in kind.__name__).strip("_")
    message = getattr(write, name)(value)
    assert whole(message) == []
    assert getattr(read, name)(type(message).FromString(message.SerializeToString())) == value


def test_a_plugins_status_comes_through() -> None:
    """The truth about a plugin is the same after the way over the wire."""
    value = filled(values.PluginStatus, count(1_000_001, 1001).__next__)
    assert whole(write.plugin(value)) == []
    assert read.plugin(write.plugin(value)) == value


def test_a_context_comes_through() -> None:
    """A context is the same after the way over the wire, and its text stands beside its pieces."""
    item = ContextItem("recalled", "Luna is a dog.", 5, "m", "n", (Evidence("lexical", 0.5, "dog"),))
    context = Context((item,), 5, (ContextDrop("x", "budget", 9),))
    message = write.context(context, [values.Degraded("emotion", "p", "timeout")])
    assert whole(message) == []
    assert message.text == "Luna is a dog."
    assert read.context(message) == context
    assert read.degraded(message.degraded) == (values.Degraded("emotion", "p", "timeout"),)


@pytest.mark.parametrize("time", [0, 1, -1, 1_700_000_000_123_456, -62_135_596_800_000_000, 253_402_300_799_999_999])
def test_a_time_comes_through(time: int) -> None:
    """Microseconds survive, before 1970 too."""
    message = write.moment(time)
    assert 0 <= message.nanos < 10**9
    assert read.moment(message) == time


def test_what_is_left_open_stays_open() -> None:
    """A draft without layer, time and importance says so; a filter that is not set allows all."""
    draft = read.memory_draft(memory_pb2.MemoryDraft(text="a"))
    assert (draft.layer, draft.sent_at, draft.importance, draft.kind) == (None, None, None, "note")
    assert read.message_draft(memory_pb2.MessageDraft(text="a")).role is Role.USER
    assert read.filter(memory_pb2.MemoryFilter()) == Filter()
    assert isinstance(read.item(memory_pb2.RememberRequest(message={"text": "a"})), values.MessageDraft)
    assert write.remember(draft, "r").memory == memory_pb2.MemoryDraft(text="a", kind="note")


@pytest.mark.parametrize(("asked", "got"), [(0, 10), (1, 1), (200, 200), (201, 200), (2**31 - 1, 200)])
def test_a_page_is_cut_to_size(asked: int, got: int) -> None:
    """No size means the usual one; too much is cut, not refused."""
    assert read.page(memory_pb2.RecallRequest(page_size=asked, page_token="t"), 10, 200) == Page(got, "t")


def test_changes_follow_the_mask() -> None:
    """A mask takes exactly its fields, even empty ones; without a mask those that are set are taken."""
    memory = types_pb2.Memory(id="i", text="new", layer=4, pinned=False, importance=0.25)
    masked = memory_pb2.UpdateMemoryRequest(memory=memory, update_mask={"paths": ["pinned", "layer", "metadata"]})
    assert read.memory_changes(masked) == {"pinned": False, "layer": Layer.SEMANTIC, "metadata": {}}
    bare = memory_pb2.UpdateMemoryRequest(memory=memory)
    assert read.memory_changes(bare) == {"text": "new", "layer": Layer.SEMANTIC, "importance": 0.25}
    session = sessions_pb2.UpdateSessionRequest(session={"id": "i", "title": "t"}, update_mask={"paths": ["metadata"]})
    assert read.session_changes(session) == {"metadata": {}}


def test_changes_can_be_written() -> None:
    """What a client wants changed is read as exactly that, and passes the rules."""
    identifier = "0" * 32
    changes = {"text": "x", "pinned": False, "metadata": {"a": "b"}}
    request = write.memory_changes(identifier, changes, "1f")
    rules.check(request)
    assert read.memory_changes(request) == changes
    assert read.memory(request.memory).version == 0x1F
    renamed = write.session_changes(identifier, {"title": ""})
    rules.check(renamed)
    assert read.session_changes(renamed) == {"title": ""}


def test_a_newer_servers_words_are_read() -> None:
    """Enum values that this version does not know, and an etag of another kind, do not break a reader."""
    message = types_pb2.Message(role=77)  # type: ignore[arg-type]
    memory = types_pb2.Memory(layer=77, etag="W/abc")  # type: ignore[arg-type]
    assert isinstance(read.message(message), Message)
    assert isinstance(read.memory(memory), Memory)
    assert isinstance(read.session(sessions_pb2.Session(state=77)), Session)  # type: ignore[arg-type]
