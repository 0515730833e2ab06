"""From values to messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from alejo.outcomes import ErasePreview, Preview, Receipt, Tally, Tidied
from alejo.types import (
    Accepted,
    Answer,
    Appraisal,
    Ask,
    Context,
    Degraded,
    Evidence,
    Fact,
    FactChange,
    FactDraft,
    Filter,
    Hit,
    Image,
    Kept,
    Memory,
    MemoryDraft,
    Message,
    MessageDraft,
    ModelUse,
    Neighbourhood,
    Percept,
    PluginStatus,
    Preferences,
    Reminder,
    Session,
    Vacancy,
    Verdict,
    Version,
    Workspace,
)
from alejo.v1 import (
    chat_pb2,
    facts_pb2,
    memory_pb2,
    ownership_pb2,
    plugins_pb2,
    reminders_pb2,
    sessions_pb2,
    types_pb2,
    vision_pb2,
)

_MILLION = 1_000_000


def draining(request_ids: Iterable[str], seconds: int = 1) -> types_pb2.Draining:
    """The last frame of a stream of a server that stops: what it did not answer, and the seconds to wait."""
    named = [each for each in request_ids if each]
    return types_pb2.Draining(request_ids=named, retry_delay=Duration(seconds=seconds))


def moment(time: int) -> Timestamp:
    """A time in microseconds since the Unix epoch."""
    return Timestamp(seconds=time // _MILLION, nanos=time % _MILLION * 1000)


def _set(into: Timestamp, time: int) -> None:
    into.seconds, into.nanos = time // _MILLION, time % _MILLION * 1000


def perhaps(time: int | None) -> Timestamp | None:
    """A time that may be unset."""
    return None if time is None else moment(time)


def parts(images: Iterable[Image]) -> list[types_pb2.Part]:
    """Pictures as a message's parts."""
    return [
        types_pb2.Part(image=types_pb2.Image(data=one.data, media_type=one.media_type, caption=one.caption))
        for one in images
    ]


def message(value: Message) -> types_pb2.Message:
    """A recorded message."""
    # Twice in every answer to a turn, so what is empty is not handed over.
    made = types_pb2.Message(
        id=value.id,
        session_id=value.session_id,
        seq=value.seq,
        role=value.role,  # type: ignore[arg-type]  # the numbers agree, a test holds it
        text=value.text,
        sent_at=moment(value.sent_at),
        recorded_at=moment(value.recorded_at),
    )
    if value.speaker:
        made.speaker = value.speaker
    if value.images:
        made.parts.extend(parts(value.images))
    if value.metadata:
        made.metadata.update(value.metadata)
    if value.redacted:
        made.redacted = True
    return made


def session(value: Session) -> sessions_pb2.Session:
    """A session."""
    return sessions_pb2.Session(
        id=value.id,
        title=value.title,
        state=value.state,  # type: ignore[arg-type]
        parent_id=value.parent_id,
        created_at=moment(value.created_at),
        updated_at=moment(value.updated_at),
        message_count=value.message_count,
        metadata=value.metadata,
        origin=value.origin,
    )


def session_changes(session_id: str, changes: Mapping[str, Any]) -> sessions_pb2.UpdateSessionRequest:
    """An UpdateSession of exactly these fields."""
    return sessions_pb2.UpdateSessionRequest(
        session=sessions_pb2.Session(id=session_id, **changes), update_mask=FieldMask(paths=list(changes))
    )


def memory(value: Memory, into: types_pb2.Memory | None = None) -> types_pb2.Memory:
    """A memory; made in its place `into` an answer that holds it, nothing of it is copied."""
    made = types_pb2.Memory() if into is None else into
    made.id = value.id
    made.layer = value.layer  # type: ignore[assignment]
    made.kind = value.kind
    made.text = value.text
    _set(made.sent_at, value.sent_at)
    _set(made.recorded_at, value.recorded_at)
    made.importance = value.importance
    made.pinned = value.pinned
    made.archived = value.archived
    made.etag = f"{value.version:x}"
    made.stale = value.stale
    made.repetitions = value.repetitions
    # Of many there is nothing to hand over.
    if value.model:
        made.model = value.model
    if value.speaker:
        made.speaker = value.speaker
    if value.session_id:
        made.session_id = value.session_id
    if value.message_id:
        made.message_id = value.message_id
    if value.metadata:
        made.metadata.update(value.metadata)
    if value.sources:
        made.sources.extend(value.sources)
    if value.fact is not None:
        made.fact.CopyFrom(fact(value.fact))
    if value.superseded_by:
        made.superseded_by = value.superseded_by
    return made


def fact(value: Fact) -> types_pb2.Fact:
    """What a memory states."""
    return types_pb2.Fact(
        subject=value.subject,
        relation=value.relation,
        object=value.object,
        valid_from=perhaps(value.valid_from),
        valid_to=perhaps(value.valid_to),
        confidence=value.confidence,
        negated=value.negated,
        cardinality=value.cardinality,  # type: ignore[arg-type]
        standing=value.standing,  # type: ignore[arg-type]
        stated_to=perhaps(value.stated_to),
        object_kind=value.object_kind,
        past=[
            types_pb2.Belief(
                until=moment(one.until),
                standing=one.standing,  # type: ignore[arg-type]
                valid_to=perhaps(one.valid_to),
                superseded_by=one.superseded_by,
            )
            for one in value.past
        ],
    )


def fact_draft(value: FactDraft) -> facts_pb2.FactDraft:
    """What is stated."""
    return facts_pb2.FactDraft(
        subject=value.subject,
        relation=value.relation,
        object=value.object,
        valid_from=perhaps(value.valid_from),
        valid_to=perhaps(value.valid_to),
        confidence=value.confidence,
        negated=value.negated,
        cardinality=value.cardinality or 0,  # type: ignore[arg-type]
        object_kind=value.object_kind,
        text=value.text,
        kind=value.kind,
        sent_at=perhaps(value.sent_at),
        sources=value.sources,
        metadata=value.metadata,
        corrects=value.corrects,
        since=value.since,
        importance=value.importance,
        until=value.until,
    )


def fact_change(value: FactChange) -> facts_pb2.FactChange:
    """What became of a fact."""
    return facts_pb2.FactChange(
        request_id=value.request_id,
        memory=memory(value.memory),
        changed=[memory(one) for one in value.changed],
        existed=value.existed,
    )


def neighbourhood(value: Neighbourhood) -> facts_pb2.GetNeighbourhoodResponse:
    """What stands around an entity."""
    return facts_pb2.GetNeighbourhoodResponse(
        entities=[
            facts_pb2.Entity(name=one.name, aliases=one.aliases, kinds=one.kinds, distance=one.distance)
            for one in value.entities
        ],
        memories=[memory(one) for one in value.facts],
        more=value.more,
    )


def memory_changes(memory_id: str, changes: Mapping[str, Any], etag: str = "") -> memory_pb2.UpdateMemoryRequest:
    """An UpdateMemory of exactly these fields."""
    return memory_pb2.UpdateMemoryRequest(
        memory=types_pb2.Memory(id=memory_id, etag=etag, **changes), update_mask=FieldMask(paths=list(changes))
    )


def hit(value: Hit) -> types_pb2.Hit:
    """A recalled memory."""
    made = types_pb2.Hit(score=value.score, coverage=value.coverage, evidence=evidence(value.evidence))
    memory(value.memory, made.memory)
    return made


def evidence(values: Iterable[Evidence]) -> list[types_pb2.Evidence]:
    """The shares of a score."""
    return [types_pb2.Evidence(name=one.name, share=one.share, detail=one.detail) for one in values]


def filter(value: Filter) -> memory_pb2.MemoryFilter:  # noqa: A001 - the value's own name, read as wire.write.filter
    """Which memories may be found."""
    return memory_pb2.MemoryFilter(
        layers=value.layers,  # type: ignore[arg-type]
        session_id=value.session_id,
        sent_after=perhaps(value.sent_after),
        sent_before=perhaps(value.sent_before),
        speaker=value.speaker,
        kinds=value.kinds,
        metadata=value.metadata,
        include_archived=value.include_archived,
        include_superseded=value.include_superseded,
        as_of=perhaps(value.as_of),
    )


def memory_draft(value: MemoryDraft) -> memory_pb2.MemoryDraft:
    """A thing to remember."""
    return memory_pb2.MemoryDraft(
        text=value.text,
        layer=value.layer or 0,  # type: ignore[arg-type]
        kind=value.kind,
        speaker=value.speaker,
        session_id=value.session_id,
        sent_at=perhaps(value.sent_at),
        importance=value.importance,
        pinned=value.pinned,
        metadata=value.metadata,
        origin=value.origin,
        model=value.model,
    )


def message_draft(value: MessageDraft) -> memory_pb2.MessageDraft:
    """A message that was said elsewhere."""
    return memory_pb2.MessageDraft(
        session_id=value.session_id,
        role=value.role,  # type: ignore[arg-type]
        speaker=value.speaker,
        text=value.text,
        parts=parts(value.images),
        sent_at=perhaps(value.sent_at),
        metadata=value.metadata,
        origin=value.origin,
    )


def remember(value: MemoryDraft | MessageDraft, request_id: str = "") -> memory_pb2.RememberRequest:
    """A Remember of one thing."""
    if isinstance(value, MemoryDraft):
        return memory_pb2.RememberRequest(request_id=request_id, memory=memory_draft(value))
    return memory_pb2.RememberRequest(request_id=request_id, message=message_draft(value))


def imported(value: Tally) -> ownership_pb2.Imported:
    """What became of an export's lines."""
    return ownership_pb2.Imported(added=value.added, there=value.there, forgotten=value.forgotten, ended=value.ended)


def erase_preview(value: ErasePreview) -> ownership_pb2.PreviewEraseResponse:
    """What erasing a user would take."""
    return ownership_pb2.PreviewEraseResponse(counts=value.counts, preview=value.token)


def receipt(value: Receipt) -> ownership_pb2.EraseReceipt:
    """That a user was erased."""
    return ownership_pb2.EraseReceipt(
        tenant=value.tenant,
        user=value.user,
        erased_at=moment(value.erased_at),
        keys=value.keys,
        counts=value.counts,
        seal=value.seal,
    )


def version(value: Version) -> memory_pb2.MemoryVersion:
    """A former version of a memory."""
    return memory_pb2.MemoryVersion(
        number=value.number,
        memory=memory(value.memory),
        until=moment(value.until),
        change=value.change,
        actor=value.actor,
    )


def preferences(value: Preferences) -> memory_pb2.Preferences:
    """What a user prefers."""
    return memory_pb2.Preferences(
        model=value.model,
        language=value.language,
        time_zone=value.time_zone,
        episodic_days=value.episodic_days,
        context_tokens=value.context_tokens,
        others=value.others,
        etag=f"{value.version:x}" if value.version else "",
    )


def preference_changes(
    changes: Mapping[str, Any], version: int, request_id: str
) -> memory_pb2.UpdatePreferencesRequest:
    """An UpdatePreferences of exactly these fields."""
    return memory_pb2.UpdatePreferencesRequest(
        request_id=request_id,
        preferences=memory_pb2.Preferences(etag=f"{version:x}" if version else "", **changes),
        update_mask=FieldMask(paths=list(changes)),
    )


def tidied(value: Tidied) -> memory_pb2.TidyMemoriesResponse:
    """What was done when memories were looked after."""
    return memory_pb2.TidyMemoriesResponse(
        weighed=value.weighed,
        merged=value.merged,
        promoted=value.promoted,
        archived=value.archived,
        summaries=value.summaries,
        forgotten=value.forgotten,
        done=value.done,
        index_differences=value.differences,
    )


def preview(value: Preview) -> memory_pb2.PreviewForgetResponse:
    """What would be forgotten."""
    return memory_pb2.PreviewForgetResponse(
        memories=[memory(one) for one in value.memories],
        falling=[memory(one) for one in value.falling],
        messages=value.messages,
        preview=value.token,
        more=value.more,
    )


def kept(value: Kept) -> memory_pb2.RememberResponse:
    """What a Remember made."""
    return memory_pb2.RememberResponse(
        request_id=value.request_id,
        memories=[memory(one) for one in value.memories],
        message=None if value.message is None else message(value.message),
        existed=value.existed,
    )


def context(value: Context, missing: Iterable[Degraded] = ()) -> memory_pb2.BuildContextResponse:
    """A context."""
    return memory_pb2.BuildContextResponse(
        text=value.text,
        items=[
            memory_pb2.ContextItem(
                section=one.section,
                text=one.text,
                tokens=one.tokens,
                memory_id=one.memory_id,
                message_id=one.message_id,
                evidence=evidence(one.evidence),
            )
            for one in value.items
        ],
        tokens=value.tokens,
        dropped=[memory_pb2.ContextDrop(id=one.id, reason=one.reason, tokens=one.tokens) for one in value.dropped],
        degraded=degraded(missing),
    )


def appraisal(value: Appraisal) -> types_pb2.Appraisal:
    """What was felt."""
    return types_pb2.Appraisal(
        valence=value.valence,
        arousal=value.arousal,
        emotions=[types_pb2.Emotion(name=one.name, strength=one.strength, words=one.words) for one in value.emotions],
    )


def percept(value: Percept) -> types_pb2.Percept:
    """What was seen."""
    return types_pb2.Percept(
        part=value.part,
        width=value.width,
        height=value.height,
        format=value.format,
        taken_at=perhaps(value.taken_at),
        colours=value.colours,
        sharpness=value.sharpness,
        perceptual_hash=value.perceptual_hash,
        summary=value.summary,
        text=value.text,
        confidence=value.confidence,
        barcodes=[types_pb2.Barcode(format=one.format, text=one.text) for one in value.barcodes],
        faces=value.faces,
        caption=value.caption,
        similar=value.similar,
        missing=[types_pb2.Unseen(what=one.what, why=one.why, hint=one.hint) for one in value.missing],
    )


def uploaded(percept_: Percept, value: Kept) -> vision_pb2.UploadImageResponse:
    """What was seen in a picture, and what is kept of it."""
    return vision_pb2.UploadImageResponse(
        request_id=value.request_id,
        percept=percept(percept_),
        memory=memory(value.memories[-1]) if value.memories else None,
        message=None if value.message is None else message(value.message),
        existed=value.existed,
    )


def degraded(values: Iterable[Degraded]) -> list[types_pb2.Degraded]:
    """What was missing."""
    return [types_pb2.Degraded(role=one.role, plugin=one.plugin, reason=one.reason) for one in values]


def ask(value: Ask) -> chat_pb2.ChatRequest:
    """What a user says."""
    return chat_pb2.ChatRequest(
        request_id=value.request_id,
        session_id=value.session_id,
        text=value.text,
        parts=parts(value.images),
        sent_at=perhaps(value.sent_at),
        metadata=value.metadata,
    )


def accepted(value: Accepted) -> chat_pb2.Accepted:
    """The user's message is on disk."""
    return chat_pb2.Accepted(
        turn_id=value.turn_id,
        request_id=value.request_id,
        session_id=value.session_id,
        user_message=message(value.user_message),
    )


def verdict(value: Verdict) -> types_pb2.Verdict:
    """What the conscience ruled."""
    return types_pb2.Verdict(
        ruling=value.ruling.value,
        rule=value.rule,
        category=value.category,
        reason=value.reason,
        severity=value.severity,
        words=value.words,
    )


def answer(value: Answer) -> chat_pb2.ChatResponse:
    """A turn's answer."""
    return chat_pb2.ChatResponse(
        turn_id=value.turn_id,
        request_id=value.request_id,
        session_id=value.session_id,
        user_message=message(value.user_message),
        message=message(value.message),
        recalled=[hit(one) for one in value.recalled],
        appraisal=None if value.appraisal is None else appraisal(value.appraisal),
        percepts=[percept(one) for one in value.percepts],
        degraded=degraded(value.degraded),
        commands=value.commands,
        replayed=value.replayed,
        model=None if value.model is None else model_use(value.model),
        reflection=value.reflection or 0,  # type: ignore[arg-type]
        verdicts=[verdict(each) for each in value.verdicts],
        workspace=None if value.workspace is None else workspace(value.workspace),
        reminders=[reminder(each) for each in value.reminders],
    )


def reminder(value: Reminder) -> reminders_pb2.Reminder:
    """A reminder."""
    return reminders_pb2.Reminder(
        id=value.id,
        text=value.text,
        due_at=moment(value.due),
        state=int(value.state),  # type: ignore[arg-type]
        created_at=moment(value.created_at),
        session_id=value.session_id,
        message_id=value.message_id,
        delivered_at=None if value.delivered_at is None else moment(value.delivered_at),
        recurrence=value.recurrence,
        time_zone=value.time_zone,
    )


def workspace(value: Workspace) -> chat_pb2.Workspace:
    """What was attended to."""
    foci = [
        chat_pb2.Focus(
            about=focus.candidate.about,
            reference=focus.candidate.reference,
            source=focus.candidate.source,
            salience=focus.candidate.salience,
            why=focus.candidate.why,
            strength=focus.strength,
            outcome=focus.outcome,
            turns=focus.turns,
        )
        for focus in value.foci
    ]
    return chat_pb2.Workspace(foci=foci, missing=value.missing, turn_id=value.turn_id, surprise=value.surprise)


def model_use(value: ModelUse) -> chat_pb2.ModelUse:
    """Which language model wrote an answer."""
    return chat_pb2.ModelUse(
        model=value.model,
        reason=value.reason,
        input_tokens=value.input_tokens,
        output_tokens=value.output_tokens,
        cached=value.cached,
        memory_id=value.memory_id,
    )


def plugin(value: PluginStatus) -> plugins_pb2.Plugin:
    """The truth about a plugin."""
    return plugins_pb2.Plugin(
        name=value.name,
        distribution=value.distribution,
        version=value.version,
        state=value.state,  # type: ignore[arg-type]
        reason=value.reason,
        hint=value.hint,
        roles=value.roles,
        load_seconds=value.load_seconds,
        trusted=value.trusted,
        calls=value.calls,
        failures=value.failures,
        stuck_threads=value.stuck_threads,
        import_seconds=value.import_seconds,
        call_seconds=value.call_seconds,
        longest_call_seconds=value.longest_call_seconds,
        stall_seconds=value.stall_seconds,
        lacks=value.lacks,
    )


def vacancy(value: Vacancy) -> plugins_pb2.Vacancy:
    """A role that no plugin fills."""
    return plugins_pb2.Vacancy(role=value.role, hint=value.hint)
