"""What a request must be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st

from alejo.errors import InvalidArgument
from alejo.server.methods import OWN
from alejo.v1 import (
    admin_pb2,
    chat_pb2,
    facts_pb2,
    jobs_pb2,
    memory_pb2,
    plugins_pb2,
    sessions_pb2,
    types_pb2,
)
from alejo.wire import rules

ID = "0123456789abcdef" * 2


def requests() -> Iterator[Descriptor]:
    for file in OWN:
        for service in file.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                yield method.input_type


def reachable() -> dict[str, Descriptor]:
    """Every message of ours that a client can send."""
    found: dict[str, Descriptor] = {}
    waiting = list(requests())
    while waiting:
        one = waiting.pop()
        if one.name not in found and one.file.package == "alejo.v1" and not one.GetOptions().map_entry:
            found[one.name] = one
            waiting += [field.message_type for field in one.fields if field.message_type is not None]
    return found


def violations(message: Message) -> dict[str, str]:
    try:
        rules.check(message)
    except InvalidArgument as error:
        return dict(error.violations)
    return {}


def test_every_field_has_its_rule() -> None:
    """The table has every message a client can send, every field of it, and nothing that is not in the .proto files."""
    here = {name: set(one.fields) for name, one in rules.TABLE.items()}
    assert here == {name: {field.name for field in one.fields} for name, one in reachable().items()}
    for name, one in rules.TABLE.items():
        assert {*one.required, *one.either} <= here[name]


GOOD: list[Message] = [
    chat_pb2.ChatRequest(text="a" * 32_768, request_id="r" * 128, session_id=ID),
    chat_pb2.ChatRequest(parts=[{"image": {"data": b"x" * 3_145_728, "caption": "c" * 4096}}] * 8),
    chat_pb2.ChatRequest(text="a", metadata={f"{n:064}": "v" * 1024 for n in range(32)}),
    chat_pb2.ChatRequest(text="a", sent_at={"seconds": -62_135_596_800}),
    chat_pb2.ConverseRequest(cancel={}),
    memory_pb2.RememberRequest(memory={"text": "a", "importance": 0.0, "kind": "k" * 64, "origin": "o" * 256}),
    memory_pb2.RememberRequest(message={"session_id": ID, "text": "a", "speaker": "s" * 128, "role": 4}),
    memory_pb2.RecallRequest(query="q" * 4096, page_size=2**31 - 1, filter={"layers": [1, 5], "kinds": ["k"]}),
    memory_pb2.BuildContextRequest(query="q", token_budget=64),
    memory_pb2.UpdateMemoryRequest(memory={"id": ID, "text": "t"}, update_mask={"paths": ["text", "archived"]}),
    memory_pb2.ForgetRequest(memory_ids=[ID] * 1000),
    facts_pb2.AddFactRequest(fact={"subject": "s" * 256, "relation": "r" * 64, "object": "o" * 1024, "cardinality": 3}),
    facts_pb2.CorrectFactRequest(memory_id=ID, fact={"object": "o", "sources": [ID] * 100, "confidence": 0.0}),
    facts_pb2.GetNeighbourhoodRequest(entity="user", depth=2, limit=2**31 - 1),
    sessions_pb2.UpdateSessionRequest(session={"id": ID}, update_mask={"paths": ["title"]}),
    sessions_pb2.ListSessionsRequest(states=[1, 6]),
    admin_pb2.GetInfoRequest(),
    jobs_pb2.ListJobsRequest(states=[1, 6], kind="k" * 64, session_id=ID),
    jobs_pb2.RequeueJobsRequest(job_ids=[ID] * 1000),
    jobs_pb2.DiscardJobsRequest(kind="reflection", session_id=ID),
]


@pytest.mark.parametrize("message", GOOD, ids=lambda one: one.DESCRIPTOR.name)
def test_what_is_just_within_the_limits_passes(message: Message) -> None:
    """A request at its limits is right."""
    rules.check(message)


BAD: list[tuple[Message, dict[str, str]]] = [
    (chat_pb2.ChatRequest(), {"text": "is required, unless there is parts"}),
    (chat_pb2.ChatRequest(text="é" * 32_769), {"text": "must have at most 32,768 characters"}),
    (chat_pb2.ChatRequest(text="a", session_id=ID.upper()), {"session_id": "is not an identifier of this server"}),
    (chat_pb2.ChatRequest(text="a", session_id=ID[:-1] + " "), {"session_id": "is not an identifier of this server"}),
    (chat_pb2.ChatRequest(text="a", session_id=ID + "\n"), {"session_id": "is not an identifier of this server"}),
    (chat_pb2.ChatRequest(parts=[{}]), {"parts[0].image": "is required"}),
    (chat_pb2.ChatRequest(parts=[{"image": {"data": b"x"}}] * 9), {"parts": "must have at most 8 items"}),
    (
        chat_pb2.ChatRequest(parts=[{"image": {"data": b"x" * 3_145_729}}]),
        {"parts[0].image.data": "must have at most 3,145,728 bytes"},
    ),
    (chat_pb2.ChatRequest(text="a", sent_at={"nanos": -1}), {"sent_at": "is not a valid time"}),
    (chat_pb2.ChatRequest(text="a", sent_at={"seconds": 2**60}), {"sent_at": "is not a valid time"}),
    (
        chat_pb2.ChatRequest(text="a", metadata={str(n): "" for n in range(33)}),
        {"metadata": "must have at most 32 labels"},
    ),
    (chat_pb2.ChatRequest(text="a", metadata={"": "x"}), {"metadata": "a key must have 1 to 64 characters"}),
    (
        chat_pb2.ChatRequest(text="a", metadata={"k": "x" * 1025}),
        {'metadata["k"]': "must have at most 1,024 characters"},
    ),
    (chat_pb2.ChatStreamRequest(), {"chat": "is required"}),
    (
        chat_pb2.ChatStreamRequest(chat={"session_id": "x"}),
        {
            "chat.session_id": "is not an identifier of this server",
            "chat.text": "is required, unless there is parts",
        },
    ),
    (chat_pb2.ConverseRequest(), {"chat": "is required, unless there is cancel"}),
    (memory_pb2.RememberRequest(), {"memory": "is required, unless there is message"}),
    (
        memory_pb2.RememberRequest(memory={"layer": 99}),
        {"memory.layer": "is not a known value", "memory.text": "is required"},
    ),
    (memory_pb2.RememberRequest(message={"text": "a"}), {"message.session_id": "is required"}),
    (memory_pb2.RecallRequest(query="  \n"), {"query": "is required"}),
    (memory_pb2.RecallRequest(query="a", page_size=-1), {"page_size": "must not be negative"}),
    (memory_pb2.RecallRequest(query="a", filter={"layers": [1, 9]}), {"filter.layers[1]": "is not a known value"}),
    (memory_pb2.BuildContextRequest(query="a", token_budget=63), {"token_budget": "must be from 64 to 200,000"}),
    (memory_pb2.BuildContextRequest(query="a", token_budget=-1), {"token_budget": "must be from 64 to 200,000"}),
    (memory_pb2.ForgetRequest(), {"memory_ids": "is required, unless there is preview"}),
    (memory_pb2.ForgetRequest(memory_ids=[ID, ""]), {"memory_ids[1]": "is not an identifier of this server"}),
    (memory_pb2.ForgetRequest(memory_ids=[ID] * 1001), {"memory_ids": "must have at most 1,000 items"}),
    (facts_pb2.AddFactRequest(), {"fact": "is required"}),
    (
        facts_pb2.AddFactRequest(fact={"confidence": 1.5}),
        {
            "fact.subject": "is required",
            "fact.relation": "is required",
            "fact.object": "is required",
            "fact.confidence": "must be from 0 to 1",
        },
    ),
    (facts_pb2.CorrectFactRequest(fact={"object": "o"}), {"memory_id": "is required"}),
    (facts_pb2.GetNeighbourhoodRequest(entity="e", depth=3), {"depth": "must be from 1 to 2"}),
    (memory_pb2.UpdateMemoryRequest(), {"memory.id": "is required"}),
    (
        memory_pb2.UpdateMemoryRequest(memory={"id": ID}, update_mask={"paths": ["id", "text"]}),
        {
            "update_mask.paths[0]": "is not a field that can be changed; those are text, layer, kind, importance, "
            "pinned, archived, metadata, model",
            "memory.text": "is required, as the mask names it",
        },
    ),
    (
        sessions_pb2.UpdateSessionRequest(session={"id": ID}, update_mask={"paths": ["state"]}),
        {"session.state": "is required, as the mask names it"},
    ),
    (sessions_pb2.CreateSessionRequest(title="t" * 257), {"title": "must have at most 256 characters"}),
    (sessions_pb2.ListSessionsRequest(states=[0]), {"states[0]": "is not a known value"}),
    (plugins_pb2.GetPluginRequest(), {"name": "is required"}),
]


@pytest.mark.parametrize(
    ("message", "wrong"), BAD, ids=lambda one: getattr(getattr(one, "DESCRIPTOR", None), "name", "")
)
def test_what_is_beyond_them_is_named(message: Message, wrong: dict[str, str]) -> None:
    """A wrong field is named by its path with what it should be, all of them at once."""
    assert violations(message) == wrong
    with pytest.raises(InvalidArgument):
        rules.checker(type(message))(message)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), -0.01, 1.01])
def test_a_number_must_be_one(value: float) -> None:
    """NaN and infinities are refused like what is out of range."""
    message = memory_pb2.RememberRequest(memory={"text": "a", "importance": value})
    assert violations(message) == {"memory.importance": "must be from 0 to 1"}


def test_a_report_fits_into_trailers() -> None:
    """However much is wrong, the report fits the 8 KiB of trailers a client accepts and says that there is more."""
    labels = {"k" * 60 + f"{n:04}": "x" * 1025 for n in range(32)}
    message = memory_pb2.ForgetRequest(request_id="r" * 129, memory_ids=["é" * 500] * 1000)
    for one in (message, chat_pb2.ChatRequest(text="a", metadata=labels)):
        with pytest.raises(InvalidArgument) as failed:
            rules.check(one)
        told = failed.value
        assert sum(len(path.encode()) + len(text.encode()) for path, text in told.violations) < 3_200
        assert "more)" in told.message
        assert len(told.message) < 300


def values(descriptor: Descriptor, depth: int = 3) -> st.SearchStrategy[dict[str, Any]]:
    """Anything a client may put into a message."""
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for field in descriptor.fields:
        kind = field.message_type
        if kind is not None and kind.GetOptions().map_entry:
            fields[field.name] = st.dictionaries(st.text(max_size=70), st.text(max_size=3), max_size=3)
            continue
        if kind is not None:
            if not depth:
                continue
            one = values(kind, depth - 1)
        else:
            one = _scalar(field)
        fields[field.name] = st.lists(one, max_size=3) if field.is_repeated else one
    return st.fixed_dictionaries({}, optional=fields)


def _scalar(field: Any) -> st.SearchStrategy[Any]:
    if field.cpp_type == field.CPPTYPE_STRING:
        return st.binary(max_size=5) if field.type == field.TYPE_BYTES else st.text(max_size=40) | st.just(ID)
    if field.cpp_type in {field.CPPTYPE_DOUBLE, field.CPPTYPE_FLOAT}:
        return st.floats()
    if field.cpp_type == field.CPPTYPE_BOOL:
        return st.booleans()
    bits = 31 if field.cpp_type in {field.CPPTYPE_INT32, field.CPPTYPE_ENUM} else 63
    return st.integers(-(2**bits), 2**bits - 1)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_check_never_fails_otherwise(data: st.DataObject) -> None:
    """Whatever a client puts into a request, the check passes it or raises InvalidArgument with known paths."""
    descriptor = data.draw(st.sampled_from(sorted(requests(), key=lambda one: one.name)))
    message = GetMessageClass(descriptor)(**data.draw(values(descriptor)))
    for path in violations(message):
        assert path.split(".", maxsplit=1)[0].split("[", maxsplit=1)[0] in descriptor.fields_by_name


def test_the_enums_agree() -> None:
    """Roles, layers, states and causes have the same names and numbers in the library as on the wire."""
    from alejo import jobs, types  # noqa: PLC0415  beside what they are compared with

    for kind, proto in (
        (types.Role, types_pb2.Role),
        (types.Layer, types_pb2.Layer),
        (types.SessionState, sessions_pb2.SessionState),
        (types.PluginState, plugins_pb2.PluginState),
        (types.JobState, types_pb2.JobState),
        (jobs.Cause, jobs_pb2.Cause),
    ):
        prefix = "".join(f"_{c}" if c.isupper() else c for c in kind.__name__).strip("_").upper()
        assert {f"{prefix}_{one.name}": one.value for one in kind} == {
            name: number for name, number in proto.items() if number
        }
