"""What a request must be: the limits that the comments of the .proto files state, as one table.

A field that is not set is always right unless it is required, so a check costs what was sent and no more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message as ProtoMessage

from alejo.errors import InvalidArgument
from alejo.v1 import learning_pb2, memory_pb2, plugins_pb2, reminders_pb2, sessions_pb2, types_pb2

Found = list[tuple[str, str]]
Check = Callable[[Any, str, Found], None]

TEXT = 32_768
NAME = 128
# A status travels in trailers, of which clients accept 8 KiB in all.
_REPORT_BYTES = 3_000
_IDENTIFIER = re.compile(r"[0-9a-f]{32}").fullmatch
_HASH = re.compile(r"[0-9a-f]{16}").fullmatch


class Rules(msgspec.Struct, frozen=True):
    """What one message must be: a check for each field, the required ones, and groups of which one must be set."""

    fields: Mapping[str, Check]
    required: tuple[str, ...] = ()
    either: tuple[str, ...] = ()
    whole: Check | None = None


def anything(value: Any, path: str, found: Found) -> None:
    """Every value is right."""


def text(most: int) -> Check:
    """At most so many characters."""

    def check(value: str, path: str, found: Found) -> None:
        if len(value) > most:
            found.append((path, f"must have at most {most:,} characters"))

    return check


def identifier(value: str, path: str, found: Found) -> None:
    """An identifier as this server makes them."""
    if _IDENTIFIER(value) is None:
        found.append((path, "is not an identifier of this server"))


def _perceptual_hash(value: str, path: str, found: Found) -> None:
    if _HASH(value) is None:
        found.append((path, "must be 16 hexadecimal digits"))


def data(most: int) -> Check:
    """At most so many bytes."""

    def check(value: bytes, path: str, found: Found) -> None:
        if len(value) > most:
            found.append((path, f"must have at most {most:,} bytes"))

    return check


def number(low: float, high: float) -> Check:
    """A finite number within both bounds."""

    def check(value: float, path: str, found: Found) -> None:
        if not (math.isfinite(value) and low <= value <= high):
            found.append((path, f"must be from {low:,g} to {high:,g}"))

    return check


def page_size(value: int, path: str, found: Found) -> None:
    """Not negative; too much is cut by the reader."""
    if value < 0:
        found.append((path, "must not be negative"))


def member(kind: EnumDescriptor) -> Check:
    """A known value of an enum, other than unspecified."""
    known = frozenset(value.number for value in kind.values if value.number)

    def check(value: int, path: str, found: Found) -> None:
        if value not in known:
            found.append((path, "is not a known value"))

    return check


def items(most: int, check_item: Check, least: int = 0) -> Check:
    """A list of at most `most`, each of them right."""

    def check(values: Sequence[Any], path: str, found: Found) -> None:
        if not least <= len(values) <= most:
            found.append((path, f"must have at most {most:,} items"))
            return
        for place, value in enumerate(values):
            check_item(value, f"{path}[{place}]", found)

    return check


def labels(values: Mapping[str, str], path: str, found: Found) -> None:
    """At most 32 labels, keys of 1 to 64 and values of up to 1,024 characters."""
    if len(values) > 32:
        found.append((path, "must have at most 32 labels"))
        return
    for key, value in values.items():
        if not 1 <= len(key) <= 64:
            found.append((path, "a key must have 1 to 64 characters"))
        elif len(value) > 1024:
            found.append((f'{path}["{key}"]', "must have at most 1,024 characters"))


def moment(value: Any, path: str, found: Found) -> None:
    """A time from the year 1 to 9999, as google.protobuf.Timestamp has it."""
    if not (-62_135_596_800 <= value.seconds <= 253_402_300_799 and 0 <= value.nanos <= 999_999_999):
        found.append((path, "is not a valid time"))


def nested(name: str) -> Check:
    """A message of its own."""

    def check(value: ProtoMessage, path: str, found: Found) -> None:
        _walk(value, TABLE[name], path + ".", found)

    return check


def mask(paths: Sequence[str]) -> Check:
    """A mask with known paths."""
    known = frozenset(paths)

    def check(value: Any, path: str, found: Found) -> None:
        found.extend(
            (f"{path}.paths[{place}]", "is not a field that can be changed; those are " + ", ".join(paths))
            for place, given in enumerate(value.paths)
            if given not in known
        )

    return check


def _query(value: str, path: str, found: Found) -> None:
    text(4096)(value, path, found)
    if not value.strip():
        found.append((path, "is required"))


def _changed_session(request: Any, path: str, found: Found) -> None:
    if not request.session.id:
        found.append((f"{path}session.id", "is required"))
    if "state" in request.update_mask.paths and not request.session.state:
        found.append((f"{path}session.state", "is required, as the mask names it"))


def _changed_memory(request: Any, path: str, found: Found) -> None:
    if not request.memory.id:
        found.append((f"{path}memory.id", "is required"))
    found.extend(
        (f"{path}memory.{name}", "is required, as the mask names it")
        for name in ("text", "layer", "kind")
        if name in request.update_mask.paths and not getattr(request.memory, name)
    )


def _one_way_to_forget(request: Any, path: str, found: Found) -> None:
    if request.preview:
        found.extend(
            (f"{path}{name}", "must be empty, as there is a preview")
            for name in ("memory_ids", "keep_messages")
            if getattr(request, name)
        )


def _some_dead_letters(request: Any, path: str, found: Found) -> None:
    if request.job_ids:
        found.extend(
            (f"{path}{name}", "must be empty, as there are job_ids")
            for name in ("session_id", "kind", "all")
            if getattr(request, name)
        )
    elif request.all:
        found.extend(
            (f"{path}{name}", "must be empty, as it is all there are")
            for name in ("session_id", "kind")
            if getattr(request, name)
        )


def _added_fact(request: Any, path: str, found: Found) -> None:
    found.extend(
        (f"{path}fact.{name}", "is required")
        for name in ("subject", "relation")
        if request.HasField("fact") and not getattr(request.fact, name)
    )


SESSION_CHANGES = ("title", "state", "metadata")
PREFERENCE_CHANGES = ("model", "language", "time_zone", "episodic_days", "context_tokens", "others")
MEMORY_CHANGES = ("text", "layer", "kind", "importance", "pinned", "archived", "metadata", "model")

_ROLE = member(types_pb2.Role.DESCRIPTOR)
_LAYER = member(types_pb2.Layer.DESCRIPTOR)
_CARDINALITY = member(types_pb2.Cardinality.DESCRIPTOR)
_JOB_STATE = member(types_pb2.JobState.DESCRIPTOR)
_REMINDER_STATE = member(reminders_pb2.ReminderState.DESCRIPTOR)
_STATE = member(sessions_pb2.SessionState.DESCRIPTOR)
_PLUGIN_NAME = Rules({"name": text(256)}, required=("name",))
_PLUGIN_STATE = member(plugins_pb2.PluginState.DESCRIPTOR)
_REQUEST_ID = text(NAME)
_TOKEN = text(1024)
_PAGE: dict[str, Check] = {"page_size": page_size, "page_token": _TOKEN}
_KIND: dict[str, Check] = {"kind": text(64)}
_DEAD_LETTERS = Rules(
    _KIND | {"job_ids": items(1000, identifier), "session_id": identifier, "all": anything},
    either=("job_ids", "session_id", "kind", "all"),
    whole=_some_dead_letters,
)
_PARTS = items(8, nested("Part"))

TABLE: dict[str, Rules] = {
    "Part": Rules({"image": nested("Image")}, required=("image",)),
    "Image": Rules({"data": data(3_145_728), "media_type": text(NAME), "caption": text(4096)}, required=("data",)),
    # chat
    "ChatRequest": Rules(
        {
            "request_id": _REQUEST_ID,
            "session_id": identifier,
            "text": text(TEXT),
            "parts": _PARTS,
            "sent_at": moment,
            "metadata": labels,
        },
        either=("text", "parts"),
    ),
    "ChatStreamRequest": Rules({"chat": nested("ChatRequest")}, required=("chat",)),
    "ConverseRequest": Rules({"chat": nested("ChatRequest"), "cancel": nested("Cancel")}, either=("chat", "cancel")),
    "GetTurnRequest": Rules({"request_id": _REQUEST_ID}, required=("request_id",)),
    "Cancel": Rules({"request_id": _REQUEST_ID}),
    # vision
    "UploadImageRequest": Rules({"head": nested("ImageHead"), "data": data(1_048_576)}, either=("head", "data")),
    "ImageHead": Rules(
        {
            "request_id": _REQUEST_ID,
            "size": number(1, 16_777_216),
            "session_id": identifier,
            "media_type": text(NAME),
            "caption": text(4096),
            "sent_at": moment,
            "look_only": anything,
        },
        required=("size",),
    ),
    "FindSimilarRequest": Rules(
        {
            "memory_id": identifier,
            "perceptual_hash": _perceptual_hash,
            "distance": number(0, 32),
            "limit": number(0, 200),
        },
        either=("memory_id", "perceptual_hash"),
    ),
    # sessions
    "CreateSessionRequest": Rules(
        {
            "request_id": _REQUEST_ID,
            "title": text(256),
            "parent_id": identifier,
            "metadata": labels,
            "origin": text(256),
        }
    ),
    "GetSessionRequest": Rules({"session_id": identifier}, required=("session_id",)),
    "ListSessionsRequest": Rules(_PAGE | {"states": items(32, _STATE)}),
    "Session": Rules(
        {
            "id": identifier,
            "title": text(256),
            "state": _STATE,
            "parent_id": anything,
            "created_at": anything,
            "updated_at": anything,
            "message_count": anything,
            "metadata": labels,
            "origin": anything,
        }
    ),
    "UpdateSessionRequest": Rules(
        {"request_id": _REQUEST_ID, "session": nested("Session"), "update_mask": mask(SESSION_CHANGES)},
        whole=_changed_session,
    ),
    "DeleteSessionRequest": Rules({"request_id": _REQUEST_ID, "session_id": identifier}, required=("session_id",)),
    "ListMessagesRequest": Rules(_PAGE | {"session_id": identifier, "descending": anything}, required=("session_id",)),
    # memory
    "RememberRequest": Rules(
        {"request_id": _REQUEST_ID, "memory": nested("MemoryDraft"), "message": nested("MessageDraft")},
        either=("memory", "message"),
    ),
    "MemoryDraft": Rules(
        {
            "text": text(TEXT),
            "layer": _LAYER,
            "kind": text(64),
            "speaker": text(NAME),
            "session_id": identifier,
            "sent_at": moment,
            "importance": number(0, 1),
            "pinned": anything,
            "metadata": labels,
            "origin": text(256),
            "model": text(NAME),
        },
        required=("text",),
    ),
    "MessageDraft": Rules(
        {
            "session_id": identifier,
            "role": _ROLE,
            "speaker": text(NAME),
            "text": text(TEXT),
            "parts": _PARTS,
            "sent_at": moment,
            "metadata": labels,
            "origin": text(256),
        },
        required=("session_id",),
        either=("text", "parts"),
    ),
    "RememberStreamRequest": Rules({"remember": nested("RememberRequest")}, required=("remember",)),
    "MemoryFilter": Rules(
        {
            "layers": items(32, _LAYER),
            "session_id": identifier,
            "sent_after": moment,
            "sent_before": moment,
            "speaker": text(NAME),
            "kinds": items(32, text(64)),
            "metadata": labels,
            "include_archived": anything,
            "include_superseded": anything,
            "as_of": moment,
        }
    ),
    "RecallRequest": Rules(_PAGE | {"query": _query, "filter": nested("MemoryFilter")}, required=("query",)),
    "RecallStreamRequest": Rules({"recall": nested("RecallRequest")}, required=("recall",)),
    "BuildContextRequest": Rules(
        {"query": text(TEXT), "session_id": identifier, "token_budget": number(64, 200_000)}, required=("query",)
    ),
    "GetMemoryRequest": Rules({"memory_id": identifier}, required=("memory_id",)),
    "ListMemoriesRequest": Rules(_PAGE | {"filter": nested("MemoryFilter")}),
    "Memory": Rules(
        {
            "id": identifier,
            "layer": _LAYER,
            "kind": text(64),
            "text": text(TEXT),
            "speaker": anything,
            "session_id": anything,
            "message_id": anything,
            "sent_at": anything,
            "recorded_at": anything,
            "importance": number(0, 1),
            "pinned": anything,
            "archived": anything,
            "metadata": labels,
            "etag": text(64),
            "sources": anything,
            "fact": anything,
            "superseded_by": anything,
            "stale": anything,
            "repetitions": anything,
            "model": text(NAME),
        }
    ),
    # What a memory states is changed by the calls of FactsService alone.
    "Fact": Rules(dict.fromkeys(types_pb2.Fact.DESCRIPTOR.fields_by_name, anything)),
    "Belief": Rules(dict.fromkeys(types_pb2.Belief.DESCRIPTOR.fields_by_name, anything)),
    "UpdateMemoryRequest": Rules(
        {"request_id": _REQUEST_ID, "memory": nested("Memory"), "update_mask": mask(MEMORY_CHANGES)},
        whole=_changed_memory,
    ),
    "ForgetRequest": Rules(
        {
            "request_id": _REQUEST_ID,
            "memory_ids": items(1000, identifier),
            "keep_messages": anything,
            "preview": text(65_536),
        },
        either=("memory_ids", "preview"),
        whole=_one_way_to_forget,
    ),
    "PreviewForgetRequest": Rules(
        {
            "query": text(4096),
            "filter": nested("MemoryFilter"),
            "keep_messages": anything,
            "limit": number(0, 1000),
        },
        either=("query", "filter"),
    ),
    "GetHistoryRequest": Rules(_PAGE | {"memory_id": identifier}, required=("memory_id",)),
    "TidyMemoriesRequest": Rules({"verify_index": anything}),
    # ownership
    "ExportUserRequest": Rules({}),
    "PreviewEraseRequest": Rules({}),
    "EraseUserRequest": Rules({"preview": text(256)}, required=("preview",)),
    "ImportUserRequest": Rules({"data": data(1 << 20)}, required=("data",)),
    # facts
    "FactDraft": Rules(
        {
            "subject": text(256),
            "relation": text(64),
            "object": text(1024),
            "valid_from": moment,
            "valid_to": moment,
            "confidence": number(0, 1),
            "negated": anything,
            "cardinality": _CARDINALITY,
            "object_kind": text(64),
            "text": text(TEXT),
            "kind": text(64),
            "sent_at": moment,
            "sources": items(100, identifier),
            "metadata": labels,
            "corrects": anything,
            "since": text(256),
            "importance": number(0, 1),
            "until": text(256),
        },
        required=("object",),
    ),
    "AddFactRequest": Rules(
        {"request_id": _REQUEST_ID, "fact": nested("FactDraft")}, required=("fact",), whole=_added_fact
    ),
    "CorrectFactRequest": Rules(
        {"request_id": _REQUEST_ID, "memory_id": identifier, "fact": nested("FactDraft")},
        required=("memory_id", "fact"),
    ),
    "RestoreFactRequest": Rules({"request_id": _REQUEST_ID, "memory_id": identifier}, required=("memory_id",)),
    "ListFactsRequest": Rules(
        _PAGE
        | {
            "entity": text(1024),
            "relation": text(64),
            "as_of": moment,
            "known_at": moment,
            "include_superseded": anything,
        }
    ),
    "GetNeighbourhoodRequest": Rules(
        {"entity": text(1024), "depth": number(1, 2), "limit": page_size, "as_of": moment}, required=("entity",)
    ),
    "GetPreferencesRequest": Rules({}),
    "Preferences": Rules(
        {
            "model": text(128),
            "language": text(35),
            "time_zone": text(64),
            "episodic_days": number(0, 36_500),
            "context_tokens": number(0, 200_000),
            "others": labels,
            "etag": text(64),
        }
    ),
    "UpdatePreferencesRequest": Rules(
        {
            "request_id": _REQUEST_ID,
            "preferences": nested("Preferences"),
            "update_mask": mask(PREFERENCE_CHANGES),
        },
        required=("preferences",),
    ),
    # reminders
    "CreateReminderRequest": Rules(
        {
            "request_id": _REQUEST_ID,
            "text": text(1024),
            "due_at": moment,
            "recurrence": text(NAME),
            "time_zone": text(64),
        },
        required=("text", "due_at"),
    ),
    "ListRemindersRequest": Rules(_PAGE | {"states": items(32, _REMINDER_STATE)}),
    "WatchRemindersRequest": Rules({}),
    "AcknowledgeReminderRequest": Rules({"reminder_id": identifier, "due_at": moment}, required=("reminder_id",)),
    "DismissReminderRequest": Rules({"reminder_id": identifier}, required=("reminder_id",)),
    # emotions
    "GetMoodRequest": Rules({}),
    "GetTrajectoryRequest": Rules({}),
    "GetRelationshipRequest": Rules({}),
    "CorrectMoodRequest": Rules(
        {"request_id": _REQUEST_ID, "valence": number(-1, 1), "arousal": number(0, 1)}, either=("valence", "arousal")
    ),
    "UpdateRelationshipRequest": Rules(
        {"request_id": _REQUEST_ID, "trust": number(0, 1), "familiarity": number(0, 1)}, either=("trust", "familiarity")
    ),
    "ForgetTriggerRequest": Rules({"request_id": _REQUEST_ID, "topic": text(64)}, required=("topic",)),
    "ResetEmotionsRequest": Rules({"request_id": _REQUEST_ID}),
    # jobs
    "ListJobsRequest": Rules(_PAGE | _KIND | {"states": items(32, _JOB_STATE), "session_id": identifier}),
    "GetJobRequest": Rules({"job_id": identifier}, required=("job_id",)),
    "WatchJobsRequest": Rules(_KIND | {"session_id": identifier}),
    "RequeueJobsRequest": _DEAD_LETTERS,
    "DiscardJobsRequest": _DEAD_LETTERS,
    "GetReflectionLagRequest": Rules(_KIND | {"session_id": identifier}, required=("session_id",)),
    "PauseJobsRequest": Rules(_KIND),
    "ResumeJobsRequest": Rules(_KIND),
    "GetQueueStatusRequest": Rules({}),
    # learning
    "GiveFeedbackRequest": Rules(
        {
            "request_id": _REQUEST_ID,
            "memory_id": identifier,
            "turn_request_id": text(NAME),
            "usefulness": member(memory_pb2.Usefulness.DESCRIPTOR),
        },
        required=("memory_id", "usefulness"),
    ),
    "GetLearningRequest": Rules({}),
    "ListLearningLogRequest": Rules(_PAGE),
    "ExportPairsRequest": Rules({"form": member(learning_pb2.PairForm.DESCRIPTOR), "without_personal_data": anything}),
    "ListWeightsRequest": Rules({}),
    "RollBackSharedWeightsRequest": Rules({"request_id": _REQUEST_ID, "number": number(0, 1 << 53)}),
    "RollBackWeightsRequest": Rules({"request_id": _REQUEST_ID, "number": number(0, 1 << 53)}),
    # plugins and admin
    "ListPluginsRequest": Rules(_PAGE),
    "GetPluginRequest": _PLUGIN_NAME,
    "EnablePluginRequest": _PLUGIN_NAME,
    "DisablePluginRequest": _PLUGIN_NAME,
    "ReloadPluginRequest": _PLUGIN_NAME,
    "GetInfoRequest": Rules({}),
    "GetSettingsRequest": Rules({}),
    "CompactRequest": Rules({}),
}


def _walk(message: ProtoMessage, rules: Rules, prefix: str, found: Found) -> None:
    fields = rules.fields
    present = []
    for field, value in message.ListFields():
        name = field.name
        present.append(name)
        fields[name](value, prefix + name, found)
    if rules.required:
        found.extend((prefix + name, "is required") for name in rules.required if name not in present)
    if rules.either and not any(name in present for name in rules.either):
        found.append((prefix + rules.either[0], f"is required, unless there is {' or '.join(rules.either[1:])}"))
    if rules.whole is not None:
        rules.whole(message, prefix, found)


def check(message: ProtoMessage) -> None:
    """Raises InvalidArgument naming every field that is wrong, by its path as in the .proto file."""
    found: Found = []
    _walk(message, TABLE[message.DESCRIPTOR.name], "", found)
    if found:
        raise _report(found)


def checker(kind: type[ProtoMessage]) -> Callable[[ProtoMessage], None]:
    """`check` for one kind of message, its rules looked up once."""
    rules = TABLE[kind.DESCRIPTOR.name]

    def check_kind(message: ProtoMessage) -> None:
        found: Found = []
        _walk(message, rules, "", found)
        if found:
            raise _report(found)

    return check_kind


def _report(found: Found) -> InvalidArgument:
    told: Found = []
    size = 0
    for path, description in found:
        size += len(path.encode()) + len(description.encode())
        if told and size > _REPORT_BYTES:
            break
        told.append((path, description))
    path, description = told[0]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return InvalidArgument(f"{path}: {description}{more}", told)
