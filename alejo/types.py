"""The values that ALEJO speaks of: frozen, without I/O. Times are microseconds since the Unix epoch, UTC."""

from __future__ import annotations

import enum

import msgspec

from alejo.attention import Candidate as Candidate
from alejo.attention import Focus as Focus
from alejo.attention import Workspace as Workspace
from alejo.moods import Appraisal as Appraisal
from alejo.moods import Correction as Correction
from alejo.moods import Emotion as Emotion
from alejo.moods import Emotions as Emotions
from alejo.moods import Feelings as Feelings
from alejo.moods import Impression as Impression
from alejo.moods import Lived as Lived
from alejo.moods import Mood as Mood
from alejo.moods import Point as Point
from alejo.moods import Reason as Reason
from alejo.moods import Relationship as Relationship
from alejo.moods import Tone as Tone
from alejo.moods import Trigger as Trigger
from alejo.percepts import Barcode as Barcode
from alejo.percepts import Percept as Percept
from alejo.percepts import Unseen as Unseen
from alejo.reminder import Reminder as Reminder
from alejo.reminder import ReminderState as ReminderState
from alejo.verdicts import Matter as Matter
from alejo.verdicts import Replacement as Replacement
from alejo.verdicts import Ruling as Ruling
from alejo.verdicts import Value as Value
from alejo.verdicts import Verdict as Verdict


class Scope(Value, frozen=True):
    """Whose records: one user of one tenant. Nothing in storage is reached without it."""

    tenant: str
    user: str


class Role(enum.IntEnum):
    """Who a message comes from."""

    USER = 1
    ASSISTANT = 2
    SYSTEM = 3
    TOOL = 4


class Layer(enum.IntEnum):
    """Where a memory lives."""

    IMMEDIATE = 1
    WORKING = 2
    EPISODIC = 3
    SEMANTIC = 4
    PROCEDURAL = 5


class SessionState(enum.IntEnum):
    """Where a session stands; the allowed steps are in `alejo.sessions`."""

    CREATED = 1
    ACTIVE = 2
    PAUSED = 3
    RESUMED = 4
    COMPLETED = 5
    ARCHIVED = 6


class JobState(enum.IntEnum):
    """Where a job stands; the allowed steps are in `alejo.queue.steps`."""

    QUEUED = 1
    RUNNING = 2
    DELAYED = 3
    DONE = 4
    DEAD = 5
    CANCELLED = 6


class Image(Value, frozen=True):
    """An encoded picture."""

    data: bytes
    media_type: str = ""
    caption: str = ""


class Message(Value, frozen=True):
    """One message of a session. `seq` counts from 1 without gaps; `request_key` leads to the turn it belongs to."""

    id: str
    session_id: str
    seq: int
    role: Role
    text: str
    sent_at: int
    recorded_at: int
    speaker: str = ""
    images: tuple[Image, ...] = ()
    metadata: dict[str, str] = {}
    redacted: bool = False
    request_key: bytes = b""


class Session(Value, frozen=True):
    """A conversation."""

    id: str
    state: SessionState
    created_at: int
    updated_at: int
    title: str = ""
    parent_id: str = ""
    message_count: int = 0
    metadata: dict[str, str] = {}
    origin: str = ""


class MemoryDraft(Value, frozen=True):
    """What a memory shall be, before it is recorded. None leaves the choice to the memory plugin."""

    text: str
    layer: Layer | None = None
    kind: str = "note"
    speaker: str = ""
    session_id: str = ""
    message_id: str = ""
    sent_at: int | None = None
    importance: float | None = None
    pinned: bool = False
    metadata: dict[str, str] = {}
    origin: str = ""
    model: str = ""


class Cardinality(enum.IntEnum):
    """How many objects a relation has for one subject: any number, one at a time, or one for good."""

    MANY = 1
    ONE = 2
    FIXED = 3


class Standing(enum.IntEnum):
    """Whether a fact is believed, or was never true: replaced by a correction, or withdrawn by restoring another."""

    HELD = 1
    REPLACED = 2
    WITHDRAWN = 3


class Belief(Value, frozen=True):
    """What was believed of a fact until `until`, when something else was recorded."""

    until: int
    standing: Standing
    valid_to: int | None = None
    superseded_by: str = ""


class Fact(Value, frozen=True):
    """What a memory states: subject, relation, object, true from `valid_from` and before `valid_to` (None: unbounded).

    `valid_to` is as it is believed now: `stated_to`, as it was stated, or the beginning of what took its place. `past`
    is what was believed before, oldest first. `confidence` is 0 to 1; `object_kind` is what sort of thing the object
    is, or "value" where it is none.
    """

    subject: str
    relation: str
    object: str
    valid_from: int | None = None
    valid_to: int | None = None
    confidence: float = 1.0
    negated: bool = False
    cardinality: Cardinality = Cardinality.MANY
    standing: Standing = Standing.HELD
    stated_to: int | None = None
    object_kind: str = ""
    past: tuple[Belief, ...] = ()

    def valid(self, moment: int) -> bool:
        """Whether it is believed to be true at a time, in µs."""
        return (
            self.standing is Standing.HELD
            and (self.valid_from is None or self.valid_from <= moment)
            and (self.valid_to is None or moment < self.valid_to)
        )


class Memory(Value, frozen=True):
    """One remembered item. `version` changes with every update; it is not stored in the record itself.

    `sources` are the memories it was derived from, or the message that a picture came with; `superseded_by` is the fact
    that took the place of this one. `stale` says that a source has other words by now, and this shall be derived anew.
    `repetitions` is how often it was said; `model` is the language model that answers where this is recalled.
    """

    id: str
    layer: Layer
    kind: str
    text: str
    sent_at: int
    recorded_at: int
    speaker: str = ""
    session_id: str = ""
    message_id: str = ""
    importance: float = 0.5
    pinned: bool = False
    archived: bool = False
    metadata: dict[str, str] = {}
    message_seq: int = 0
    version: int = 0
    sources: tuple[str, ...] = ()
    fact: Fact | None = None
    superseded_by: str = ""
    stale: bool = False
    repetitions: int = 1
    model: str = ""

    @property
    def outdated(self) -> bool:
        """Whether something else is true by now, so that it is left out unless asked for."""
        return self.stale or bool(self.superseded_by)


class Version(Value, frozen=True):
    """What a memory was before a change. `number` counts a memory's changes from 1; `until` is when it was changed.

    `change` is "update", "correction", "supersession" or "restoration"; `actor` the key that did it, empty for the
    local user.
    """

    number: int
    memory: Memory
    until: int
    change: str
    actor: str = ""


class FactDraft(Value, frozen=True):
    """What is stated, before it is recorded. None and empty texts leave the choice to the memory plugin and the host.

    `valid_from` left open is when it was said, or no beginning where the fact was over by then or is for good.
    `since` are words that tell when it began, such as "last summer", if `valid_from` is left open, `until` words that
    tell when it ended, which `valid_to` bounds. `corrects` says that what it contradicts was never true, nor the one
    other thing that is known of its relation, if it contradicts none.
    """

    subject: str
    relation: str
    object: str
    valid_from: int | None = None
    valid_to: int | None = None
    confidence: float = 1.0
    negated: bool = False
    cardinality: Cardinality | None = None
    object_kind: str = ""
    text: str = ""
    kind: str = "fact"
    sent_at: int | None = None
    sources: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    corrects: bool = False
    since: str = ""
    importance: float | None = None
    until: str = ""


class Mention(Value, frozen=True):
    """Words of a message that name a time: its range, [start, end) in µs, and as a date, "" where they say it whole."""

    words: str
    start: int
    end: int
    date: str = ""


class Said(Value, frozen=True):
    """A message as it is reflected on, with what is known of it.

    `memories` are the ids of what was kept of it: without any, nothing may be made of its words alone. `times` are what
    it names, seen from when and where it was said. `appraisal` is what was felt in its turn, `meaning` its vector,
    float32, b"" where none can be told.
    """

    message: Message
    memories: tuple[str, ...] = ()
    times: tuple[Mention, ...] = ()
    appraisal: Appraisal | None = None
    meaning: bytes = b""


class Episode(Value, frozen=True):
    """An episode that is remembered: the id of its memory, and what it was made of, by the ids of the messages."""

    id: str
    title: str
    summary: str
    sources: tuple[str, ...]


class EpisodeDraft(Value, frozen=True):
    """A part of a session: a title, and a summary of what was said in it, in at most 60 words.

    `sources` are the ids of its messages in their order. `replaces` is the id of the last episode, if this one goes on
    with it; `open` says that what comes next may go on with this one. `importance` is 0 to 1.
    """

    title: str
    summary: str
    sources: tuple[str, ...]
    importance: float = 0.5
    replaces: str = ""
    open: bool = False


class ProcedureDraft(Value, frozen=True):
    """How a user wants things done, or does them: `text`, as the user would say it, where `context` applies, or always.

    `kind` is "instruction", "correction" or "routine". Of one `topic` and context there is one at a time: a later one
    supersedes it; without a topic there may be many. `negated` says that it is so no longer. `sources` are ids of
    messages, `confidence` is 0 to 1.
    """

    text: str
    sources: tuple[str, ...]
    kind: str = "instruction"
    topic: str = ""
    context: str = ""
    subject: str = "user"
    negated: bool = False
    confidence: float = 0.9


class Findings(Value, frozen=True):
    """What a reflector made of messages. The `sources` of the facts are ids of messages, too."""

    episodes: tuple[EpisodeDraft, ...] = ()
    facts: tuple[FactDraft, ...] = ()
    procedures: tuple[ProcedureDraft, ...] = ()


class FactChange(Value, frozen=True):
    """What became of a fact that was added, corrected or restored. `changed` are others that changed by it.

    `existed` says that as much was known already.
    """

    request_id: str
    memory: Memory
    changed: tuple[Memory, ...] = ()
    existed: bool = False


class Entity(Value, frozen=True):
    """Somebody or something that facts are about: its name, its other names, what it is, and how many facts away."""

    name: str
    aliases: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    distance: int = 0


class Neighbourhood(Value, frozen=True):
    """What stands around an entity, which comes first, and the facts that link it. `more`: there are others."""

    entities: tuple[Entity, ...]
    facts: tuple[Memory, ...] = ()
    more: bool = False


class MessageDraft(Value, frozen=True):
    """A message that was said elsewhere and joins a session unanswered."""

    session_id: str
    text: str
    role: Role = Role.USER
    speaker: str = ""
    images: tuple[Image, ...] = ()
    sent_at: int | None = None
    metadata: dict[str, str] = {}
    origin: str = ""


class Evidence(Value, frozen=True):
    """One share of the reasons why a memory was recalled."""

    name: str
    share: float
    detail: str = ""


class Hit(Value, frozen=True):
    """A recalled memory and why. `coverage` is the part of the query it covers, 0 to 1; `measured` is the host's."""

    memory: Memory
    score: float
    coverage: float
    evidence: tuple[Evidence, ...] = ()
    measured: bytes = b""


class Filter(Value, frozen=True):
    """Which memories may be found. Empty fields allow all; times are [sent_after, sent_before).

    Superseded facts are left out unless `include_superseded`. With `as_of` it is facts that were true then, as is known
    now, and what was said by then.
    """

    layers: tuple[Layer, ...] = ()
    session_id: str = ""
    sent_after: int | None = None
    sent_before: int | None = None
    speaker: str = ""
    kinds: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    include_archived: bool = False
    include_superseded: bool = False
    as_of: int | None = None


EVERYTHING = Filter()


_WEIGHTS = {"lexical": 1.0, "dense": 0.5, "recency": 0.3, "speaker": 0.3, "kind": 0.3}


class RecallPlan(Value, frozen=True):
    """A memory plugin's judgement of how to recall.

    A memory's score is the sum of weight · evidence; docs/recall.md names each kind of evidence. Recency is 1 now and
    halved every `recency_half_life` seconds. `kind_weights` are factors by kind of memory (default 1), whose logarithm
    is evidence; of a kind that weighs 0 none is found. `speakers` tells by speaker how much the query is about them,
    -1 to 1; for the one speaker a query names that is 1. A memory is left out if its words cover less than
    `min_coverage` of the query and its meaning is less similar than `min_similarity`. Weights are -100 to 100, those
    of kinds not below 0, and the half-life is above 0; a plan with other numbers, or a weight of unknown evidence,
    counts as a failure of its plugin.
    """

    weights: dict[str, float] = msgspec.field(default_factory=lambda: dict(_WEIGHTS))
    recency_half_life: float = 30 * 86400.0
    kind_weights: dict[str, float] = {}
    min_coverage: float = 0.0
    min_similarity: float = 0.4
    speakers: dict[str, float] = {}


class Degraded(Value, frozen=True):
    """What was missing within an answer: role, plugin if any, and a stable word why."""

    role: str
    plugin: str = ""
    reason: str = "vacant"


class ContextItem(Value, frozen=True):
    """One piece of a context, as a brain reads it."""

    section: str
    text: str
    tokens: int
    memory_id: str = ""
    message_id: str = ""
    evidence: tuple[Evidence, ...] = ()


class ContextDrop(Value, frozen=True):
    """A piece that was left out of a context, and the stable word why."""

    id: str
    reason: str
    tokens: int


class Context(Value, frozen=True):
    """What a brain should know to answer. `tokens` is an estimate, at most the budget."""

    items: tuple[ContextItem, ...] = ()
    tokens: int = 0
    dropped: tuple[ContextDrop, ...] = ()

    @property
    def text(self) -> str:
        """The whole context as one text."""
        return "\n".join(item.text for item in self.items)


class Preferences(Value, frozen=True):
    """What a user prefers; an empty field leaves it to the settings. `others` is for what clients and plugins agree on.

    `model` is the language model for their answers, `language` a tag of BCP 47, `time_zone` a name of the IANA's
    database. `episodic_days` and `context_tokens` are in place of the settings memory.layers.episodic_days and
    context.tokens; 0 leaves these. `version` changes with every update; it is not stored in the record itself.
    """

    model: str = ""
    language: str = ""
    time_zone: str = ""
    episodic_days: float = 0.0
    context_tokens: int = 0
    others: dict[str, str] = {}
    version: int = 0


class Pair(Value, frozen=True):
    """A question of a user's and the answer it got. `at` is when it was asked; the ids are of its first message."""

    question: str
    answer: str
    session_id: str
    message_id: str
    at: int


class Judged(Value, frozen=True):
    """What was recalled for one question, best first: the evidence of each memory, and how it was liked.

    Evidence is by the names of `Lesson.evidence`; liking is -1 to 1, 0 where nobody said.
    """

    evidence: tuple[tuple[float, ...], ...]
    liking: tuple[float, ...]


class Metric(Value, frozen=True):
    """A figure as it was before something was learned and after, each of `n` cases."""

    name: str
    before: float
    after: float
    n: int = 0


class Learned(Value, frozen=True):
    """What a learner made of a lesson. `state` comes back with its next one; `outcome` is a stable word for the log.

    `weights` are proposed for recall, by the names of evidence; the host tries them on questions that the learner has
    not seen. With `again`, seconds, it wants the same lesson then, to follow what it began elsewhere.
    """

    state: bytes = b""
    outcome: str = "learned"
    weights: dict[str, float] = {}
    metrics: tuple[Metric, ...] = ()
    again: float | None = None


class EmbeddingModel(Value, frozen=True):
    """What makes vectors: a name that no other model or version of it has, and how many numbers a vector has."""

    name: str
    dimensions: int


class CommandSpec(Value, frozen=True):
    """A command that a plugin offers. `effects` are any of "reads", "writes", "world".

    `schema` is the JSON Schema (draft 2020-12) of its arguments, an object; "" means the words after its name, as text.
    `phrases` are how people ask for it, with the arguments in braces: "remind me to {text} {due}".
    """

    name: str
    description: str
    usage: str = ""
    effects: tuple[str, ...] = ("reads",)
    schema: str = ""
    phrases: tuple[str, ...] = ()


class PluginState(enum.IntEnum):
    """How a plugin is."""

    DISCOVERED = 1
    REJECTED = 2
    ACTIVE = 3
    DEGRADED = 4
    QUARANTINED = 5


class PluginStatus(Value, frozen=True):
    """The truth about one plugin. Seconds are of the wall clock; a stall is a time its event loop was silent.

    `lacks` is what it could do besides, and the command that installs what that takes, in a sentence each.
    """

    name: str
    distribution: str
    version: str
    state: PluginState
    reason: str = ""
    hint: str = ""
    roles: tuple[str, ...] = ()
    load_seconds: float = 0.0
    trusted: bool = False
    calls: int = 0
    failures: int = 0
    stuck_threads: int = 0
    import_seconds: float = 0.0
    call_seconds: float = 0.0
    longest_call_seconds: float = 0.0
    stall_seconds: float = 0.0
    lacks: tuple[str, ...] = ()


class Vacancy(Value, frozen=True):
    """A role that no plugin fills, and the command that would fill it."""

    role: str
    hint: str


class Ask(Value, frozen=True):
    """What a user says in a turn. An empty session id starts a new session; an empty request id is made here."""

    text: str
    session_id: str = ""
    request_id: str = ""
    images: tuple[Image, ...] = ()
    sent_at: int | None = None
    metadata: dict[str, str] = {}


class Accepted(Value, frozen=True):
    """The user's message is on disk."""

    turn_id: str
    request_id: str
    session_id: str
    user_message: Message


class ModelUse(Value, frozen=True):
    """Which language model wrote an answer, or "local", and why: "configured", "preferred", "remembered", "cheapest",
    "fastest", "capable", "fallback: WHY", or WHY.

    `cached` says that it had written all of it before, and was not asked again; `memory_id` is which memory prefers it.
    """

    model: str
    reason: str
    input_tokens: int = 0
    output_tokens: int = 0
    cached: bool = False
    memory_id: str = ""


class Answer(Value, frozen=True):
    """A turn's answer, on disk. `model` is None where no language model is configured.

    `reflection` is how it stands with what becomes of the turn; None if nothing does. `reminders` have fallen due.
    """

    turn_id: str
    request_id: str
    session_id: str
    user_message: Message
    message: Message
    recalled: tuple[Hit, ...] = ()
    appraisal: Appraisal | None = None
    percepts: tuple[Percept, ...] = ()
    degraded: tuple[Degraded, ...] = ()
    commands: tuple[str, ...] = ()
    replayed: bool = False
    model: ModelUse | None = None
    reflection: JobState | None = None
    verdicts: tuple[Verdict, ...] = ()
    reminders: tuple[Reminder, ...] = ()
    workspace: Workspace | None = None


# What comes of a turn, in order: its acceptance, pieces of the answer or what replaces them, the answer.
Event = Accepted | str | Replacement | Answer


class Kept(Value, frozen=True):
    """What a Remember made. `existed` says that it was there already."""

    request_id: str
    memories: tuple[Memory, ...] = ()
    message: Message | None = None
    existed: bool = False


class Page(Value, frozen=True):
    """Which part of a list: at most `size` items beyond `token`."""

    size: int = 100
    token: str = ""
