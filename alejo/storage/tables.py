"""The tables of a data folder: what a row is, and how its key is made beyond tenant and user."""

from __future__ import annotations

from collections.abc import Set
from typing import Generic, TypeVar

import msgspec

from alejo.lessons import WeightsVersion
from alejo.types import (
    Appraisal,
    Degraded,
    Emotions,
    Evidence,
    Impression,
    Memory,
    Message,
    ModelUse,
    Percept,
    Preferences,
    Reminder,
    Scope,
    Session,
    Value,
    Verdict,
    Version,
    Workspace,
)

T = TypeVar("T")

TABLES: set[str] = set()  # the names of all, so that whoever takes a user out misses none


class Table(msgspec.Struct, Generic[T], frozen=True):
    """A table: its name in the backend and the type of its rows. Every one that is declared is among `TABLES`."""

    name: str
    row: type[T]

    def __post_init__(self) -> None:
        TABLES.add(self.name)


class Change(Value, frozen=True):
    """A step of a user's memories: "put" or "delete", and the memory."""

    op: str
    memory_id: str


class AuditEntry(Value, frozen=True):
    """What was done, never what was said. `action` is a stable word; `subject` an identifier."""

    action: str
    subject: str
    at: int
    actor: str = ""


class Remembered(Value, frozen=True):
    """What a request id stands for: the digest of its body and the encoded answer (empty while under way)."""

    body: bytes
    kind: str
    answer: bytes
    at: int


class Recalled(Value, frozen=True):
    """A hit of a turn, without the memory's words. `measured` is its evidence before it was weighed."""

    memory_id: str
    score: float
    coverage: float
    evidence: tuple[Evidence, ...] = ()
    measured: bytes = b""


class TurnRow(Value, frozen=True):
    """A turn: received → done | failed | interrupted. The words are in the messages, not here."""

    id: str
    request_id: str
    session_id: str
    body: bytes
    state: str
    at: int
    user_seq: int
    user_sent_at: int
    answer_seq: int = 0
    answer_sent_at: int = 0
    recalled: tuple[Recalled, ...] = ()
    appraisal: Appraisal | None = None
    percepts: tuple[Percept, ...] = ()
    degraded: tuple[Degraded, ...] = ()
    commands: tuple[str, ...] = ()
    model: ModelUse | None = None
    verdicts: tuple[Verdict, ...] = ()
    workspace: Workspace | None = None


class Origin(Value, frozen=True):
    """What an identity of another system became here: "session", "message" or "memory", and where it is."""

    kind: str
    id: str
    session_id: str = ""
    sent_at: int = 0
    seq: int = 0
    memory_ids: tuple[str, ...] = ()


class ApiKey(Value, frozen=True):
    """A key that may call. Only the SHA-256 of its secret is kept. An empty user means any user of the tenant.

    `scopes` are of "read", "write" and "operator"; `expires_at` 0 means never.
    """

    id: str
    name: str
    tenant: str
    user: str
    secret_sha256: bytes
    created_at: int
    revoked_at: int = 0
    expires_at: int = 0
    scopes: tuple[str, ...] = ("read", "write")


class Upkeep(Value, frozen=True):
    """How far a user's memories were looked after: the last one weighed, aged, and looked at for deletion, by id."""

    weighed: bytes = b""
    aged: bytes = b""
    expired: bytes = b""
    at: int = 0


class LastEpisode(Value, frozen=True):
    """The episode that what is said next in a session may belong to: its memory, and the ids of its messages.

    `told` is the number of the last message that any episode was made of.
    """

    memory_id: str = ""
    sources: tuple[str, ...] = ()
    told: int = 0


class RecallCount(Value, frozen=True):
    """How often a memory was recalled, and when last, in µs."""

    count: int
    at: int


class Expectations(Value, frozen=True):
    """What a user was found to need: by memory what was recalled after it, by hour and weekday what was recalled then.

    Counts by the ids of memories; "h7" is the hour from 7 to 8, "d0" Monday, where the user is.
    """

    after: dict[str, dict[str, float]] = {}
    at: dict[str, dict[str, float]] = {}

    def without(self, gone: Set[str]) -> Expectations:
        """This without memories that are gone."""

        def kept(table: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
            rows = {
                name: {each: count for each, count in counts.items() if each not in gone}
                for name, counts in table.items()
                if name not in gone
            }
            return {name: counts for name, counts in rows.items() if counts}

        return Expectations(kept(self.after), kept(self.at))


class SessionLog(Value, frozen=True):
    """What was said in a session: messages and characters of the user and of the assistant; times in µs."""

    session_id: str
    asked: int = 0
    answered: int = 0
    asked_characters: int = 0
    answered_characters: int = 0
    first_at: int = 0
    last_at: int = 0


class Topic(Value, frozen=True):
    """What a session was about, as it was written most often, and the messages that say it."""

    text: str
    message_ids: tuple[str, ...]


class SessionTopics(Value, frozen=True):
    """What was learned of a session: its topics, most said first, and the memories of what the user prefers."""

    session_id: str
    topics: tuple[Topic, ...] = ()
    preferences: tuple[str, ...] = ()

    def without(self, message_ids: set[str]) -> SessionTopics:
        """This without what only these messages say."""
        topics = (
            Topic(each.text, tuple(said for said in each.message_ids if said not in message_ids))
            for each in self.topics
        )
        return SessionTopics(self.session_id, tuple(each for each in topics if each.message_ids), self.preferences)


class PairRow(Value, frozen=True):
    """Where the messages of a question and of its answer are; their words are there alone."""

    question: tuple[bytes, ...]
    answer: tuple[bytes, ...]


class Liking(Value, frozen=True):
    """How a recalled memory was liked, -1 to 1: as the user said, and as the session shows; None where it does not."""

    memory_id: str
    measured: bytes
    said: float | None = None
    shown: float | None = None


class Feedback(Value, frozen=True):
    """How all that a turn recalled was liked, best recalled first. `at` is the time of the turn."""

    at: int
    likings: tuple[Liking, ...]


class WeightsInUse(Value, frozen=True):
    """The version that recall uses, 0 for none, and since when."""

    number: int
    weights: dict[str, float]
    since: int


class Felt(Value, frozen=True):
    """What a turn left that is not among the sums yet: the key of the turn, and the impression."""

    turn: bytes
    impression: Impression


class Blob(Value, frozen=True):
    """Which file holds a user's large value, what opens it, the sizes of its parts; no file once it was withdrawn."""

    file: str = ""
    secret: bytes = b""
    sizes: tuple[int, ...] = ()
    note: str = ""


class Usage(Value, frozen=True):
    """What language models were used by a user on one day: tokens by model, in and out, and millionths of the cost."""

    input_tokens: dict[str, int] = {}
    output_tokens: dict[str, int] = {}
    cost: int = 0


class Bounds(Value, frozen=True):
    """The least and the most tokens that something has."""

    least: int
    most: int


class Rate(Value, frozen=True):
    """How often a kind of text was counted, up to some number, and the most tokens that one of its units had."""

    times: int
    largest: float


class Counts(Value, frozen=True):
    """What is known of how a model counts tokens: by the digest of how requests begin, and by the kind of text."""

    prefixes: dict[str, Bounds] = {}
    rates: dict[str, Rate] = {}


class Erasure(Value, frozen=True):
    """A user who was erased, or is being: their hash, when, their data keys' fingerprints, rows by table."""

    user: bytes
    at: int
    keys: tuple[bytes, ...]
    counts: dict[str, int]
    done: bool = False


SESSIONS = Table("session", Session)  # session id (16)
MESSAGES = Table("message", Message)  # session id (16) ‖ sent_at (8) ‖ seq (8)
MEMORIES = Table("memory", Memory)  # memory id (16)
MEMORIES_BY_TIME = Table("memory_time", str)  # sent_at (8) ‖ memory id (16) → memory id
DERIVED = Table("derived", bytes)  # memory id (16), written anew with every derivation from it; ‖ derived id (16)
VERSIONS = Table("memory_version", Version)  # memory id (16) ‖ number (8)
RECALLS = Table("recall", RecallCount)  # memory id (16)
PREFERENCES = Table("preferences", Preferences)  # one
EXPECTATIONS = Table("expectations", Expectations)  # one
UPKEEP = Table("upkeep", Upkeep)  # one
FACTS = Table("facts", int)  # one row, written anew whenever facts change
EPISODES = Table("episode", LastEpisode)  # session id (16) ‖ name of the processor
CHANGES = Table("change", Change)  # appended
AUDIT = Table("audit", AuditEntry)  # appended
REQUESTS = Table("request", Remembered)  # SHA-256 of the request id, first 16
TURNS = Table("turn", TurnRow)  # SHA-256 of the request id, first 16
QUOTES = Table("quote", bytes)  # memory or message id (16) ‖ request key (16) → key of the answer that quotes it
QUOTED = Table("quoted", bytes)  # memory or message id (16), empty, written anew with every quote of it
ORIGINS = Table("origin", Origin)  # SHA-256 of the origin, first 16
USAGE = Table("model_usage", Usage)  # day since the epoch (4)
COUNTS = Table("model_counts", Counts)  # digest of the model's name
TOPICS = Table("topics", SessionTopics)  # session id (16)
PAIRS = Table("pair", PairRow)  # session id (16) ‖ number of the question's first message (8)
FEEDBACK = Table("feedback", Feedback)  # SHA-256 of the turn's request id, first 16
FEEDBACK_BY_TIME = Table("feedback_time", bytes)  # time of the turn (8) ‖ key of the feedback (16) → that key
WEIGHTS = Table("weights", WeightsVersion)  # number (8)
WEIGHTS_IN_USE = Table("weights_in_use", WeightsInUse)  # one
EMOTIONS = Table("emotions", Emotions)  # one, written anew whenever an impression is taken out
FELT = Table("felt", Felt)  # appended
IMPRESSIONS = Table("impression", Impression)  # SHA-256 of the turn's request id, first 16; empty once it was forgotten
BLOBS = Table("blob", Blob)  # one, see alejo.storage.blobs
SESSION_LOGS = Table("session_log", SessionLog)  # session id (16)
REMINDERS = Table("reminder", Reminder)  # reminder id (16)
REMINDERS_BY_TIME = Table("reminder_time", bytes)  # 0 ‖ due (8), or 1 ‖ end (8) of one that ended; ‖ id (16) → id
REMINDERS_OF = Table("reminder_of", bytes)  # message id (16), written anew with every reminder of it; ‖ id (16)
API_KEYS = Table("api_key", ApiKey)  # key id (16), in the system scope
ERASING = Table("erasing", bytes)  # the user's hash (32), in the system scope → their erasure, which is under way
ERASURES = Table("erasure", Erasure)  # digest of the data keys' fingerprints (16), in the system scope
SCOPES = Table("scope", Scope)  # nothing more; of a storage that keeps records as people read them
