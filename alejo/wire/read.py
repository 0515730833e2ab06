"""From messages to values. What comes in has been checked by `rules`; what a server sent is taken as it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from alejo.outcomes import ErasePreview, Preview, Receipt, Tally, Tidied
from alejo.types import (
    Accepted,
    Answer,
    Appraisal,
    Ask,
    Barcode,
    Belief,
    Candidate,
    Cardinality,
    Context,
    ContextDrop,
    ContextItem,
    Degraded,
    Emotion,
    Entity,
    Evidence,
    Fact,
    FactChange,
    FactDraft,
    Filter,
    Focus,
    Hit,
    Image,
    JobState,
    Kept,
    Layer,
    Memory,
    MemoryDraft,
    Message,
    MessageDraft,
    ModelUse,
    Neighbourhood,
    Page,
    Percept,
    PluginState,
    PluginStatus,
    Preferences,
    Reminder,
    ReminderState,
    Role,
    Ruling,
    Session,
    SessionState,
    Standing,
    Unseen,
    Vacancy,
    Verdict,
    Version,
    Workspace,
)
from alejo.v1 import chat_pb2, facts_pb2, memory_pb2, ownership_pb2, plugins_pb2, reminders_pb2, sessions_pb2, types_pb2
from alejo.wire.rules import MEMORY_CHANGES, PREFERENCE_CHANGES, SESSION_CHANGES

# A dictionary is three times as quick as calling the enum.
_ROLES: dict[int, Role] = {int(role): role for role in Role}
_LAYERS: dict[int, Layer] = {int(layer): layer for layer in Layer}
_STATES: dict[int, SessionState] = {int(state): state for state in SessionState}
_PLUGIN_STATES: dict[int, PluginState] = {int(state): state for state in PluginState}
_CARDINALITIES: dict[int, Cardinality] = {int(cardinality): cardinality for cardinality in Cardinality}
_JOB_STATES: dict[int, JobState] = {int(state): state for state in JobState}
_REMINDER_STATES: dict[int, ReminderState] = {int(state): state for state in ReminderState}
_STANDINGS: dict[int, Standing] = {int(standing): standing for standing in Standing}


def moment(time: Timestamp) -> int:
    """Microseconds since the Unix epoch."""
    return time.seconds * 1_000_000 + time.nanos // 1000


def perhaps(message: Any, field: str) -> int | None:
    """A time that may be unset."""
    return moment(getattr(message, field)) if message.HasField(field) else None


def page(request: Any, usual: int = 100, most: int = 1000) -> Page:
    """The page a list request asks for: `usual` rows when it names no number, never more than `most`."""
    return Page(min(request.page_size or usual, most), request.page_token)


def images(parts: Iterable[types_pb2.Part]) -> tuple[Image, ...]:
    """The pictures among a message's parts."""
    return tuple(Image(part.image.data, part.image.media_type, part.image.caption) for part in parts)


def message(proto: types_pb2.Message) -> Message:
    """A recorded message."""
    return Message(
        proto.id,
        proto.session_id,
        proto.seq,
        _ROLES.get(proto.role, Role.USER),
        proto.text,
        moment(proto.sent_at),
        moment(proto.recorded_at),
        proto.speaker,
        images(proto.parts),
        dict(proto.metadata),
        proto.redacted,
    )


def session(proto: sessions_pb2.Session) -> Session:
    """A session."""
    return Session(
        proto.id,
        _STATES.get(proto.state, SessionState.CREATED),
        moment(proto.created_at),
        moment(proto.updated_at),
        proto.title,
        proto.parent_id,
        proto.message_count,
        dict(proto.metadata),
        proto.origin,
    )


def states(numbers: Iterable[int]) -> tuple[SessionState, ...]:
    """The states of a filter."""
    return tuple(_STATES[number] for number in numbers)


def reminder_states(numbers: Iterable[int]) -> tuple[ReminderState, ...]:
    """The states of a filter."""
    return tuple(_REMINDER_STATES[number] for number in numbers)


def session_changes(request: sessions_pb2.UpdateSessionRequest) -> dict[str, Any]:
    """What an UpdateSession changes: what the mask names, or what is set."""
    names = request.update_mask.paths or [name for name in SESSION_CHANGES if getattr(request.session, name)]
    given = session(request.session)
    return {name: getattr(given, name) for name in names}


def _version(etag: str) -> int:
    try:
        return int(etag, 16)
    except ValueError:
        return 0


def memory(proto: types_pb2.Memory) -> Memory:
    """A memory."""
    return Memory(
        proto.id,
        _LAYERS.get(proto.layer, Layer.EPISODIC),
        proto.kind,
        proto.text,
        moment(proto.sent_at),
        moment(proto.recorded_at),
        proto.speaker,
        proto.session_id,
        proto.message_id,
        proto.importance,
        proto.pinned,
        proto.archived,
        dict(proto.metadata),
        version=_version(proto.etag),
        sources=tuple(proto.sources),
        fact=fact(proto.fact) if proto.HasField("fact") else None,
        superseded_by=proto.superseded_by,
        stale=proto.stale,
        repetitions=max(proto.repetitions, 1),
        model=proto.model,
    )


def fact(proto: types_pb2.Fact) -> Fact:
    """What a memory states."""
    return Fact(
        proto.subject,
        proto.relation,
        proto.object,
        perhaps(proto, "valid_from"),
        perhaps(proto, "valid_to"),
        proto.confidence,
        proto.negated,
        _CARDINALITIES.get(proto.cardinality, Cardinality.MANY),
        _STANDINGS.get(proto.standing, Standing.HELD),
        perhaps(proto, "stated_to"),
        proto.object_kind,
        tuple(
            Belief(
                moment(one.until),
                _STANDINGS.get(one.standing, Standing.HELD),
                perhaps(one, "valid_to"),
                one.superseded_by,
            )
            for one in proto.past
        ),
    )


def fact_draft(proto: facts_pb2.FactDraft) -> FactDraft:
    """What is stated."""
    return FactDraft(
        proto.subject,
        proto.relation,
        proto.object,
        perhaps(proto, "valid_from"),
        perhaps(proto, "valid_to"),
        proto.confidence if proto.HasField("confidence") else 1.0,
        proto.negated,
        _CARDINALITIES.get(proto.cardinality),
        proto.object_kind,
        proto.text,
        proto.kind or "fact",
        perhaps(proto, "sent_at"),
        tuple(proto.sources),
        dict(proto.metadata),
        proto.corrects,
        proto.since,
        proto.importance if proto.HasField("importance") else None,
        proto.until,
    )


def fact_change(proto: facts_pb2.FactChange) -> FactChange:
    """What became of a fact."""
    changed = tuple(memory(one) for one in proto.changed)
    return FactChange(proto.request_id, memory(proto.memory), changed, proto.existed)


def neighbourhood(proto: facts_pb2.GetNeighbourhoodResponse) -> Neighbourhood:
    """What stands around an entity."""
    return Neighbourhood(
        tuple(Entity(one.name, tuple(one.aliases), tuple(one.kinds), one.distance) for one in proto.entities),
        tuple(memory(one) for one in proto.memories),
        proto.more,
    )


def memory_changes(request: memory_pb2.UpdateMemoryRequest) -> dict[str, Any]:
    """What an UpdateMemory changes: what the mask names, or what is set."""
    names = request.update_mask.paths or [name for name in MEMORY_CHANGES if getattr(request.memory, name)]
    given = memory(request.memory)
    return {name: getattr(given, name) for name in names}


def evidence(protos: Iterable[types_pb2.Evidence]) -> tuple[Evidence, ...]:
    """The shares of a score."""
    return tuple(Evidence(proto.name, proto.share, proto.detail) for proto in protos)


def hit(proto: types_pb2.Hit) -> Hit:
    """A recalled memory."""
    return Hit(memory(proto.memory), proto.score, proto.coverage, evidence(proto.evidence))


def filter(proto: memory_pb2.MemoryFilter) -> Filter:  # noqa: A001 - the value's own name, read as wire.read.filter
    """Which memories may be found."""
    return Filter(
        tuple(_LAYERS[layer] for layer in proto.layers),
        proto.session_id,
        perhaps(proto, "sent_after"),
        perhaps(proto, "sent_before"),
        proto.speaker,
        tuple(proto.kinds),
        dict(proto.metadata),
        proto.include_archived,
        proto.include_superseded,
        perhaps(proto, "as_of"),
    )


def memory_draft(proto: memory_pb2.MemoryDraft) -> MemoryDraft:
    """A thing to remember."""
    return MemoryDraft(
        proto.text,
        _LAYERS.get(proto.layer),
        proto.kind or "note",
        proto.speaker,
        proto.session_id,
        "",
        perhaps(proto, "sent_at"),
        proto.importance if proto.HasField("importance") else None,
        proto.pinned,
        dict(proto.metadata),
        proto.origin,
        proto.model,
    )


def message_draft(proto: memory_pb2.MessageDraft) -> MessageDraft:
    """A message that was said elsewhere."""
    return MessageDraft(
        proto.session_id,
        proto.text,
        _ROLES.get(proto.role, Role.USER),
        proto.speaker,
        images(proto.parts),
        perhaps(proto, "sent_at"),
        dict(proto.metadata),
        proto.origin,
    )


def item(proto: memory_pb2.RememberRequest) -> MemoryDraft | MessageDraft:
    """What a Remember brings."""
    return memory_draft(proto.memory) if proto.HasField("memory") else message_draft(proto.message)


def imported(proto: ownership_pb2.Imported) -> Tally:
    """What became of an export's lines."""
    return Tally(dict(proto.added), dict(proto.there), dict(proto.forgotten), proto.ended)


def erase_preview(proto: ownership_pb2.PreviewEraseResponse) -> ErasePreview:
    """What erasing a user would take."""
    return ErasePreview(dict(proto.counts), proto.preview)


def receipt(proto: ownership_pb2.EraseReceipt) -> Receipt:
    """That a user was erased."""
    counts, keys = dict(proto.counts), tuple(proto.keys)
    return Receipt(proto.tenant, proto.user, moment(proto.erased_at), keys, counts, proto.seal)


def version(proto: memory_pb2.MemoryVersion) -> Version:
    """A former version of a memory."""
    return Version(proto.number, memory(proto.memory), moment(proto.until), proto.change, proto.actor)


def preferences(proto: memory_pb2.Preferences) -> Preferences:
    """What a user prefers."""
    return Preferences(
        proto.model,
        proto.language,
        proto.time_zone,
        proto.episodic_days,
        proto.context_tokens,
        dict(proto.others),
        _version(proto.etag),
    )


def preference_changes(request: memory_pb2.UpdatePreferencesRequest) -> dict[str, Any]:
    """What an UpdatePreferences changes: what the mask names, or what is set."""
    names = request.update_mask.paths or [one for one in PREFERENCE_CHANGES if getattr(request.preferences, one)]
    given = preferences(request.preferences)
    return {name: getattr(given, name) for name in names}


def tidied(proto: memory_pb2.TidyMemoriesResponse) -> Tidied:
    """What was done when memories were looked after."""
    return Tidied(
        proto.weighed,
        proto.merged,
        proto.promoted,
        proto.archived,
        proto.summaries,
        proto.forgotten,
        proto.done,
        proto.index_differences,
    )


def preview(proto: memory_pb2.PreviewForgetResponse) -> Preview:
    """What would be forgotten."""
    return Preview(
        tuple(memory(one) for one in proto.memories),
        tuple(memory(one) for one in proto.falling),
        proto.messages,
        proto.preview,
        proto.more,
    )


def kept(proto: memory_pb2.RememberResponse) -> Kept:
    """What a Remember made."""
    return Kept(
        proto.request_id,
        tuple(memory(one) for one in proto.memories),
        message(proto.message) if proto.HasField("message") else None,
        proto.existed,
    )


def context(proto: memory_pb2.BuildContextResponse) -> Context:
    """A context; its text follows from its items."""
    return Context(
        tuple(
            ContextItem(one.section, one.text, one.tokens, one.memory_id, one.message_id, evidence(one.evidence))
            for one in proto.items
        ),
        proto.tokens,
        tuple(ContextDrop(one.id, one.reason, one.tokens) for one in proto.dropped),
    )


def appraisal(proto: types_pb2.Appraisal) -> Appraisal:
    """What was felt."""
    emotions = tuple(Emotion(one.name, one.strength, tuple(one.words)) for one in proto.emotions)
    return Appraisal(proto.valence, proto.arousal, emotions)


def percept(proto: types_pb2.Percept) -> Percept:
    """What was seen."""
    return Percept(
        proto.width,
        proto.height,
        proto.format,
        tuple(proto.colours),
        proto.sharpness,
        proto.perceptual_hash,
        proto.summary,
        perhaps(proto, "taken_at"),
        proto.part,
        proto.text,
        proto.confidence,
        tuple(Barcode(one.format, one.text) for one in proto.barcodes),
        proto.faces if proto.HasField("faces") else None,
        proto.caption,
        tuple(proto.similar),
        tuple(Unseen(one.what, one.why, one.hint) for one in proto.missing),
    )


def degraded(protos: Iterable[types_pb2.Degraded]) -> tuple[Degraded, ...]:
    """What was missing."""
    return tuple(Degraded(proto.role, proto.plugin, proto.reason) for proto in protos)


def ask(proto: chat_pb2.ChatRequest) -> Ask:
    """What a user says."""
    return Ask(
        proto.text,
        proto.session_id,
        proto.request_id,
        images(proto.parts) if proto.parts else (),
        perhaps(proto, "sent_at"),
        dict(proto.metadata) if proto.metadata else {},
    )


def accepted(proto: chat_pb2.Accepted) -> Accepted:
    """The user's message is on disk."""
    return Accepted(proto.turn_id, proto.request_id, proto.session_id, message(proto.user_message))


def verdict(proto: types_pb2.Verdict) -> Verdict:
    """What the conscience ruled; a ruling that is not known here stands for a refusal."""
    known = {ruling.value: ruling for ruling in Ruling}
    ruling = known.get(proto.ruling, Ruling.REFUSE)
    return Verdict(ruling, proto.rule, proto.category, proto.reason, proto.severity, words=tuple(proto.words))


def answer(proto: chat_pb2.ChatResponse) -> Answer:
    """A turn's answer."""
    return Answer(
        proto.turn_id,
        proto.request_id,
        proto.session_id,
        message(proto.user_message),
        message(proto.message),
        tuple(hit(one) for one in proto.recalled),
        appraisal(proto.appraisal) if proto.HasField("appraisal") else None,
        tuple(percept(one) for one in proto.percepts),
        degraded(proto.degraded),
        tuple(proto.commands),
        proto.replayed,
        model_use(proto.model) if proto.HasField("model") else None,
        _JOB_STATES.get(proto.reflection),
        verdicts=tuple(verdict(each) for each in proto.verdicts),
        workspace=workspace(proto.workspace) if proto.HasField("workspace") else None,
        reminders=tuple(reminder(each) for each in proto.reminders),
    )


def reminder(proto: reminders_pb2.Reminder) -> Reminder:
    """A reminder."""
    return Reminder(
        proto.id,
        proto.text,
        moment(proto.due_at),
        moment(proto.created_at),
        proto.session_id,
        proto.message_id,
        _REMINDER_STATES.get(proto.state, ReminderState.PENDING),
        perhaps(proto, "delivered_at"),
        recurrence=proto.recurrence,
        time_zone=proto.time_zone,
    )


def workspace(proto: chat_pb2.Workspace) -> Workspace:
    """What was attended to."""
    foci = tuple(
        Focus(
            Candidate(each.about, each.reference, each.salience, each.why, each.source),
            each.strength,
            each.outcome,
            each.turns,
        )
        for each in proto.foci
    )
    return Workspace(proto.turn_id, foci, dict(proto.missing), proto.surprise)


def model_use(proto: chat_pb2.ModelUse) -> ModelUse:
    """Which language model wrote an answer."""
    return ModelUse(proto.model, proto.reason, proto.input_tokens, proto.output_tokens, proto.cached, proto.memory_id)


def plugin(proto: plugins_pb2.Plugin) -> PluginStatus:
    """The truth about a plugin."""
    return PluginStatus(
        proto.name,
        proto.distribution,
        proto.version,
        _PLUGIN_STATES.get(proto.state, PluginState.DISCOVERED),
        proto.reason,
        proto.hint,
        tuple(proto.roles),
        proto.load_seconds,
        proto.trusted,
        proto.calls,
        proto.failures,
        proto.stuck_threads,
        proto.import_seconds,
        proto.call_seconds,
        proto.longest_call_seconds,
        proto.stall_seconds,
        tuple(proto.lacks),
    )


def vacancy(proto: plugins_pb2.Vacancy) -> Vacancy:
    """A role that no plugin fills."""
    return Vacancy(proto.role, proto.hint)
