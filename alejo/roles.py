"""What a plugin can be. Every method is a coroutine (or an async iterator) and gets all it needs as arguments.

A plugin registers objects with these methods through the hooks in `alejo.hooks`; it never touches storage or an index.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol, TypeVar

import msgspec

from alejo.completions import ModelEvent, ModelRequest, Tuning, TuningDraft, TuningEvent
from alejo.jobs import Job
from alejo.types import (
    Appraisal,
    Candidate,
    CommandSpec,
    Context,
    Degraded,
    EmbeddingModel,
    Emotions,
    Episode,
    FactDraft,
    Feelings,
    Findings,
    Hit,
    Image,
    Judged,
    Learned,
    Lived,
    Matter,
    Memory,
    MemoryDraft,
    Mention,
    Message,
    ModelUse,
    Mood,
    Pair,
    Percept,
    Preferences,
    RecallPlan,
    Reminder,
    Said,
    Session,
    Tone,
    Verdict,
    Workspace,
)

T = TypeVar("T")


class Models(Protocol):
    """The language models at hand for one piece of work of one user, until its time is over.

    Which model answers, how often it is asked again and which other one is asked then, is the host's business. All
    methods raise ModelFailed when none gave an answer.
    """

    name: str

    def complete(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """The answer, piece by piece, the last event being its end. After the first piece no other model is asked."""
        ...

    async def spare(self, request: ModelRequest) -> int:
        """How many tokens more a request may have, as the model that is next counts; below 0 it is too long for it."""
        ...

    async def value(self, request: ModelRequest, kind: type[T]) -> T:
        """The answer as an object of a msgspec.Struct. What does not fit is given back once to be repaired."""
        ...


class Told(msgspec.Struct, frozen=True):
    """A turn that is over, and what its answer rests on: what was recalled with its evidence, felt, run and ruled.

    What was forgotten since is left out.
    """

    question: Message
    answer: Message
    recalled: tuple[Hit, ...] = ()
    appraisal: Appraisal | None = None
    percepts: tuple[Percept, ...] = ()
    degraded: tuple[Degraded, ...] = ()
    commands: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    model: ModelUse | None = None


class Desk(Protocol):
    """What the host does for a brain or a command within one turn, for this turn's user alone."""

    async def context(self, token_budget: int = 0) -> Context:
        """What a model should know to answer: pinned and recalled memories and the session's last messages.

        `token_budget` is the most it may have; 0 means the setting context.tokens.
        """
        ...

    async def recall(self, query: str, limit: int = 10) -> Sequence[Hit]:
        """Memories that match, best first."""
        ...

    async def memories(self, limit: int = 20) -> Sequence[Memory]:
        """The newest memories, newest first."""
        ...

    async def times(self, memories: Sequence[Memory]) -> Sequence[tuple[Mention, ...]]:
        """What each of these names of time, seen from when and where it was said."""
        ...

    async def remember(self, draft: MemoryDraft) -> Memory:
        """Remembers something; it is on disk when this returns."""
        ...

    async def forget(self, memory_ids: Sequence[str]) -> int:
        """Forgets memories and redacts the messages they came from; returns how many were there."""
        ...

    async def correct(self, memory_id: str, text: str) -> Memory:
        """Gives a memory other words, as it was wrong: facts that it states are corrected with it.

        Raises NotFound, InvalidArgument when a fact would state something else than it does.
        """
        ...

    async def prefer(self, changes: dict[str, str]) -> Preferences:
        """Changes what the user prefers: fields of Preferences by their name, all else among `others`.

        An empty text takes a preference back. Raises InvalidArgument.
        """
        ...

    async def said(self, limit: int = 50) -> Sequence[Message]:
        """The last messages of this session before this one, newest last, their pictures without data."""
        ...

    async def facts(self, limit: int = 50) -> Sequence[Memory]:
        """Facts that hold about the user now, those that began last first."""
        ...

    async def stated(self, about: str = "", limit: int = 200, as_of: int | None = None) -> Sequence[Memory]:
        """All facts about the user or another, those that held once or never too; those that began last first.

        With `as_of`, in µs, only what was true then: of what contradicts each other, what began last.
        """
        ...

    async def ways(self, limit: int = 20) -> Sequence[Memory]:
        """How the user wants to be answered, newest first: what they said so themselves, in talking with the assistant.

        None that was imported, seen in a picture or said by another, and none that the conscience would not show.
        """
        ...

    async def last(self) -> Told | None:
        """The last turn of this session that is over, if it is among its last messages."""
        ...

    async def sessions(self, limit: int = 20) -> Sequence[Session]:
        """The user's sessions, the newest first, without titles and labels."""
        ...

    async def remind(self, text: str, due: int, *, recurrence: str = "") -> Reminder:
        """Makes a reminder that falls due at a time in µs, and again as `recurrence` says; it is on disk then.

        `recurrence` is a rule as of RFC 5545 such as "FREQ=WEEKLY;BYDAY=MO,WE": daily, weekly, monthly or yearly, with
        an INTERVAL, at the same time of the wall where the user is. Raises InvalidArgument, FailedPrecondition when
        there are too many.
        """
        ...

    async def reminders(self) -> Sequence[Reminder]:
        """The user's reminders that are to come or were not acknowledged, those due first in front."""
        ...

    async def dismiss(self, reminder_id: str) -> bool:
        """Takes a reminder back; whether it was pending until then. Raises NotFound."""
        ...

    async def run(self, command: str, arguments: str) -> str:
        """Runs a command that a plugin offers, by name, and returns what it says.

        Raises NotFound, and InvalidArgument naming the field where the arguments are not as the command's schema says.
        """
        ...


class Turn(msgspec.Struct, frozen=True):
    """What a brain knows when it answers. `degraded` names what was missing; `now` is in microseconds.

    `models` is None where no language model is configured, `workspace` where nothing gets attention. `zone` is the
    IANA's name of the time zone the user is in.
    `mood` and `tone` are how the user feels by now and how to speak with them; None where nobody keeps that, or they do
    not want it kept. `mode` is how they like to be spoken with, a word that their brain knows, "" for as it likes.
    """

    session: Session
    message: Message
    recalled: tuple[Hit, ...]
    appraisal: Appraisal | None
    percepts: tuple[Percept, ...]
    degraded: tuple[Degraded, ...]
    commands: tuple[CommandSpec, ...]
    now: int
    desk: Desk
    preferences: Preferences = Preferences()
    models: Models | None = None
    zone: str = "UTC"
    workspace: Workspace | None = None
    mood: Mood | None = None
    tone: Tone | None = None
    mode: str = ""


class Whole(str):
    """A piece of an answer that ends with a sentence of its own: nothing that follows can change what it says."""

    __slots__ = ()


class Brain(Protocol):
    """Answers."""

    def respond(self, turn: Turn) -> AsyncIterator[str]:
        """The answer, piece by piece. What was said before an error is not kept.

        The conscience judges a sentence at a time, and a piece that is Whole, such as what is quoted, at once.
        """
        ...


class Command(Protocol):
    """Something the brain can do; what models call a tool."""

    spec: CommandSpec

    async def run(self, arguments: str, turn: Turn) -> str:
        """Does it, and says what it did.

        `arguments` are the words after the command's name; where its spec has a schema, a JSON object that fits it.
        """
        ...


class EmotionModel(Protocol):
    """Feels."""

    async def appraise(self, text: str) -> Appraisal:
        """What is in a text."""
        ...


class Moment(msgspec.Struct, frozen=True):
    """What a turn was, as an emotional memory hears of it. `at` is when it was said, in µs.

    `appraisal` is what was felt in the message. `names` are those whom and what the facts are about that it states;
    `disclosed` is how many of these are about the user. `before` is what was felt in the turns before it.
    """

    message: Message
    at: int
    appraisal: Appraisal
    before: Emotions
    names: tuple[str, ...] = ()
    disclosed: int = 0


class EmotionalMemory(Protocol):
    """What an emotion model may do besides: judge what stays of a turn. Both methods or neither; both are pure.

    The host keeps and sums the impressions, so that each can be taken out again, and sees to what of them is the
    host's to count.
    """

    async def live(self, moment: Moment) -> Lived:
        """What stays of a turn, and the mood and tone to answer it in, the turn itself heard."""
        ...

    async def tell(self, emotions: Emotions, now: int) -> Feelings:
        """All that can be told at a time of how a user feels, with reasons."""
        ...


class Conscience(Protocol):
    """Judges."""

    async def review(self, matter: Matter) -> Verdict:
        """What is to become of a request, a command or a part of an answer, and the words that stand in its place."""
        ...


class Vision(Protocol):
    """Sees."""

    async def perceive(self, image: Image) -> Percept:
        """What is in a picture; one without a width, if there was no time. Raises InvalidArgument if it is not
        acceptable.
        """
        ...


class Studying(Protocol):
    """What a vision may do besides, either of it."""

    async def study(self, image: Image, seconds: float) -> Percept:
        """What is in a picture, within as many seconds, which may be more than a call may take else."""
        ...

    async def caption(self, image: Image, models: Models) -> str:
        """What a language model says that a picture shows; "" where none shall be asked. Raises ModelFailed."""
        ...


class Embedder(Protocol):
    """Turns texts into vectors, by which memories are found that mean what is asked."""

    async def model(self) -> EmbeddingModel:
        """Which model it is. When the name changes, all memories are embedded anew."""
        ...

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        """A vector for each text, none of which is empty: float32 in the machine's byte order, of any length but 0."""
        ...


class LanguageModel(Protocol):
    """Asks the models of one provider: an adapter of its protocol. It sends each request once; the host does the rest.

    Every method raises ModelFailed for whatever the provider did.
    """

    name: str

    async def models(self) -> Sequence[str]:
        """The models there are, the one to take when none is named first."""
        ...

    def complete(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """The answer, piece by piece, the last event being its end."""
        ...


class Placed(Protocol):
    """What a language model's provider, an embedder and a learner may have besides.

    `here` says that what it is told stays on this machine; of one that does not say so, the conscience judges what it
    may be told as of one that is elsewhere.
    """

    here: bool


class Connected(Protocol):
    """What a vision, a language model's provider, an embedder and a learner may have besides."""

    async def close(self) -> None:
        """Lets go of its connections: the host is about to end."""
        ...


class FineTuning(Protocol):
    """What a language model's provider may do besides, all of it or none. A job is begun once for each draft's id."""

    async def upload(self, name: str, content: bytes) -> str:
        """Brings a file of examples to the provider; returns its id."""
        ...

    async def tune(self, draft: TuningDraft) -> Tuning:
        """Begins a job, or finds the one that was begun under this draft's id."""
        ...

    async def tuning(self, job_id: str) -> Tuning:
        """How a job stands."""
        ...

    async def tuning_events(self, job_id: str, after: str = "") -> Sequence[TuningEvent]:
        """What happened in a job after an event, oldest first."""
        ...

    async def cancel_tuning(self, job_id: str) -> Tuning:
        """Ends a job."""
        ...


class MemoryStrategy(Protocol):
    """Judges what to keep and how to look for it."""

    async def keep(self, message: Message) -> Sequence[MemoryDraft]:
        """What of a message becomes a memory, with its layer; nothing if nothing is worth it."""
        ...

    async def complete(self, draft: MemoryDraft) -> MemoryDraft:
        """The draft with layer and importance chosen where they were left open."""
        ...

    async def plan(self, query: str) -> RecallPlan:
        """Which kinds and weights a recall uses."""
        ...


class FactStrategy(Protocol):
    """What a memory strategy may do besides: read facts in what is said. Either method may be missing."""

    async def facts(self, message: Message) -> Sequence[FactDraft]:
        """What a message states, its subject "user" where its writer speaks of themselves; at most 32."""
        ...

    async def complete_fact(self, draft: FactDraft) -> FactDraft:
        """The draft with its relation in the word for it, and cardinality, kinds and text where they were left open."""
        ...


class Lesson(msgspec.Struct, frozen=True):
    """What a learner learns from when a session has ended, of its user alone. `now` is in microseconds.

    `pairs` are the newest questions and answers, near duplicates left out, and `judged` what was recalled for questions
    and how it was liked, both oldest first; each is empty unless the learner wants it. `evidence` names the columns of
    what is judged, `weights` are those in use. `state` is what the learner returned the last time.
    """

    session: Session
    state: bytes
    now: int
    pairs: tuple[Pair, ...] = ()
    judged: tuple[Judged, ...] = ()
    evidence: tuple[str, ...] = ()
    weights: dict[str, float] = {}


class Learner(Protocol):
    """Makes something better by what was said and how it was liked. `name` is one word that no other learner has.

    `wants` are any of "pairs" and "judged". What it begins elsewhere may have been begun already when it is called
    again with the same state: the host may have been killed in between.
    """

    name: str

    @property
    def wants(self) -> Sequence[str]:
        """What it wants to be given."""
        ...

    async def learn(self, lesson: Lesson) -> Learned:
        """What was learned of a session that has ended."""
        ...


class Work(msgspec.Struct, frozen=True):
    """What a reflector is to work through: messages of a session, in the order they were said, none of them before.

    `earlier` are those right before, all of `episode` among them: the last one, if more may belong to it. `told` is the
    number of the last message that an episode was made of. `facts` are what is known of the user and of who speaks.
    `models` reaches the language model, if there is one.
    """

    session: Session
    messages: tuple[Said, ...]
    earlier: tuple[Said, ...] = ()
    episode: Episode | None = None
    told: int = 0
    facts: tuple[Memory, ...] = ()
    preferences: Preferences = Preferences()
    models: Models | None = None


class Reflector(Protocol):
    """Makes something of what was said, afterwards. `name` is one word that no other reflector has.

    `wants` are any of "appraisals", "episode", "facts", "meaning" and "times": what is not among them is left out.
    """

    name: str

    @property
    def wants(self) -> Sequence[str]:
        """What it wants to be given."""
        ...

    async def reflect(self, work: Work) -> Findings:
        """What follows from the messages; nothing, where nothing does. Whatever is raised lets it be tried again."""
        ...


class Situation(msgspec.Struct, frozen=True):
    """What a drive knows once a turn is done; `now` is in microseconds.

    `memories` were kept of the question. `times` are those that recalled memories name, by their ids, without the
    words, seen from when each was said: only for a drive that wants "times".
    """

    session: Session
    question: Message
    answer: Message
    recalled: tuple[Hit, ...]
    memories: tuple[Memory, ...]
    appraisal: Appraisal | None
    now: int
    times: dict[str, tuple[Mention, ...]] = {}


class Drive(Protocol):
    """Wants something to be attended to. `name` is one word that no other drive has; `wants` may have "times"."""

    name: str

    @property
    def wants(self) -> Sequence[str]:
        """What it wants to be given."""
        ...

    async def propose(self, situation: Situation) -> Sequence[Candidate]:
        """At most 16 memories or messages, of those it was given, that should get attention in the next turn."""
        ...


class Observer:
    """Hears what happened. Override what you need.

    Events of a session come in their order, one at a time. A call that fails or is slow never harms a turn: who has too
    many events waiting misses those that follow.
    """

    async def message_received(self, message: Message) -> None:
        """A user's message is on disk."""

    async def response_generated(self, question: Message, answer: Message) -> None:
        """A turn is done and on disk."""

    async def memory_formed(self, memory: Memory) -> None:
        """Something was remembered."""

    async def session_ended(self, session: Session) -> None:
        """A session was completed or archived."""

    async def broadcast(self, workspace: Workspace) -> None:
        """What got attention in a turn, which is on disk."""

    async def job_failed(self, job: Job) -> None:
        """An attempt failed, as the last of its `attempts` says: the job is delayed or dead. Told where it is seen."""
