"""Remembering: drafts become memories in a batch, in one commit for many where nothing stands against it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from alejo.clock import Clock
from alejo.entropy import random_bytes
from alejo.errors import AlejoError, Conflict, InvalidArgument, PluginFailed
from alejo.ids import Ids
from alejo.memory import pictures
from alejo.memory.activity import Activity
from alejo.memory.facts import Facts
from alejo.memory.pictures import PERCEPT, PictureDraft
from alejo.memory.recall import versioned
from alejo.memory.stating import Statements
from alejo.plugins import PluginHost
from alejo.queue.promises import Promises
from alejo.storage import audit
from alejo.storage.journal import Journal
from alejo.storage.requests import Requests, digest
from alejo.storage.rows import find_origin, put_memory, put_origin
from alejo.storage.store import Row, Store, Writer
from alejo.storage.tables import MEMORIES, SESSIONS, Origin
from alejo.types import Degraded, Kept, Layer, Memory, MemoryDraft, Message, MessageDraft, Percept, Role, Scope, Session

Item = MemoryDraft | MessageDraft | PictureDraft
Outcome = Kept | AlejoError
_Placed = tuple[int, tuple[str, Item]]
_TRIES = 8
_PRUNE_ODDS = 4  # of 256 commits


class _Round:
    """The items that share one commit: the batch, the sessions it changes, and what its items make."""

    def __init__(self, scope: Scope, writer: Writer, statements: Statements, source: Message | None) -> None:
        self.scope = scope
        self.writer = writer
        self.statements = statements
        self.source = source
        self.sessions: dict[str, tuple[Row[Session], Session]] = {}
        self.made: dict[int, Kept] = {}
        self.facts: dict[int, list[str]] = {}  # ids of what each states


class Remember:
    """Makes memories out of drafts and messages."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        requests: Requests,
        plugins: PluginHost,
        activity: Activity,
        facts: Facts,
        promises: Promises,
        ids: Ids,
        clock: Clock,
    ) -> None:
        self._promises = promises
        self._activity = activity
        self._store = store
        self._journal = journal
        self._requests = requests
        self._plugins = plugins
        self._facts = facts
        self._ids = ids
        self._clock = clock

    async def many(
        self, scope: Scope, items: Sequence[tuple[str, Item]], source: Message | None = None
    ) -> list[Outcome]:
        """Remembers many; each has its own outcome, in the order given. `source` is the message things come from."""
        self._activity.spoke(scope)
        outcomes: dict[int, Outcome] = {}
        waiting = list(enumerate(items))
        while waiting:
            taken, waiting = _apart(waiting)
            try:
                outcomes.update(await self._round(scope, taken, source))
            except Conflict:  # somebody wrote one of the sessions, requests or origins meanwhile
                for each in taken:
                    outcomes[each[0]] = await self._alone(scope, each, source)
        return [outcomes[place] for place in range(len(items))]

    async def _alone(self, scope: Scope, item: _Placed, source: Message | None) -> Outcome:
        for _ in range(_TRIES):
            try:
                return (await self._round(scope, [item], source))[item[0]]
            except Conflict:
                continue
        return Conflict("This is being written by somebody else; try again.")

    async def _round(self, scope: Scope, items: Sequence[_Placed], source: Message | None) -> dict[int, Outcome]:
        sessions = {item.session_id for _, (_, item) in items} | {source.session_id if source else ""}
        sessions.discard("")
        if not sessions:
            return await self._written(scope, items, source)
        async with self._journal.locked(scope, sessions):
            return await self._written(scope, items, source)

    async def _written(self, scope: Scope, items: Sequence[_Placed], source: Message | None) -> dict[int, Outcome]:
        writer = await self._store.writer(scope)
        round_ = _Round(scope, writer, self._facts.statements(scope, writer), source)
        outcomes: dict[int, Outcome] = {}
        for place, (request_id, item) in items:
            try:
                outcomes[place] = await self._prepare(round_, place, request_id, item)
            except AlejoError as error:
                outcomes[place] = error
        if round_.made:
            await self._finish(round_, outcomes)
        return outcomes

    async def _finish(self, round_: _Round, outcomes: dict[int, Outcome]) -> None:
        for row, session in round_.sessions.values():
            round_.writer.expect(SESSIONS, row.key, row.version)
            round_.writer.put(SESSIONS, row.key, session)
            if session.message_count > row.value.message_count:
                await self._promises.said(round_.writer, round_.scope, session)
            self._journal.forget_hot(round_.scope, session.id)
        if random_bytes(1)[0] < _PRUNE_ODDS:
            await self._requests.prune(round_.scope, round_.writer)
        written = await round_.statements.write(self._clock.now())
        version = await round_.writer.commit()
        for place, kept in round_.made.items():
            facts = [written[each] for each in round_.facts[place] if each in written]
            memories = tuple(versioned(memory, version) for memory in (*kept.memories, *facts))
            outcomes[place] = msgspec.structs.replace(kept, memories=memories)

    async def _prepare(self, round_: _Round, place: int, request_id: str, item: Item) -> Kept:
        if isinstance(item, MemoryDraft) and not item.text.strip():
            raise InvalidArgument.field("text", "is required")
        body = _body(item)
        fresh = not request_id
        if fresh:
            request_id = self._ids.new()
        elif (answer := await self._requests.find(round_.scope, request_id, "remember", body)) is not None:
            return await self._again(round_.scope, request_id, msgspec.convert(answer, Origin))
        stale = await find_origin(self._store, round_.scope, item.origin)
        if stale is not None and await self._stands(round_.scope, stale.value):
            return await self._again(round_.scope, request_id, stale.value)
        if isinstance(item, PictureDraft):
            message, memories = await self._picture(round_, item)
            said = saying(memories[-1], message)
        elif isinstance(item, MessageDraft):
            message, memories = await self._message(round_, item)
            said = message
        else:
            message, memories = None, (await self._memory(round_, item),)
            said = saying(memories[0], round_.source)
        # What is written in a picture is nobody's word.
        stated = () if memories and memories[-1].kind == PERCEPT else (await self._facts.stated(said))[0]
        facts = round_.facts[place] = await round_.statements.derive(stated, said, memories)
        ids = (*(memory.id for memory in memories), *facts)
        if message is not None:
            origin = Origin("message", message.id, message.session_id, message.sent_at, message.seq, ids)
        else:
            origin = Origin("memory", memories[0].id, item.session_id, memory_ids=ids)
        put_origin(round_.writer, item.origin, origin, stale.version if stale else None)
        self._requests.add(round_.writer, request_id, "remember", body, origin, fresh=fresh)
        audit.record(round_.writer, "remember", origin.id, self._clock.now())
        round_.made[place] = Kept(request_id, memories, message)
        return round_.made[place]

    async def _stands(self, scope: Scope, origin: Origin) -> bool:
        """Whether what an origin became still counts: a forgotten memory does, what went with its session does not."""
        if not origin.session_id:
            return True
        return await self._store.get(scope, SESSIONS, bytes.fromhex(origin.session_id)) is not None

    async def _again(self, scope: Scope, request_id: str, origin: Origin) -> Kept:
        rows = await self._store.many(scope, MEMORIES, [*map(bytes.fromhex, origin.memory_ids)])
        memories = tuple(versioned(row.value, row.version) for row in rows if row is not None)
        message = None
        if origin.kind == "message":
            message = await self._journal.message(scope, origin.session_id, origin.sent_at, origin.seq)
        return Kept(request_id, memories, message, True)

    async def _message(self, round_: _Round, draft: MessageDraft) -> tuple[Message, tuple[Memory, ...]]:
        held = round_.sessions.get(draft.session_id)
        row = held[0] if held else await self._journal.session(round_.scope, draft.session_id)
        session, message = self._journal.append(
            round_.writer,
            held[1] if held else row.value,
            draft.text,
            draft.role,
            speaker=draft.speaker,
            images=draft.images,
            sent_at=draft.sent_at,
            metadata=draft.metadata,
        )
        round_.sessions[draft.session_id] = (row, session)
        memories, _ = await self._keep(round_.writer, message)
        return message, memories

    async def _picture(self, round_: _Round, item: PictureDraft) -> tuple[Message | None, tuple[Memory, ...]]:
        assert item.percept is not None  # noqa: S101  it was seen before
        if not item.session_id:
            draft = pictures.draft(item.percept, item.image.caption)
            return None, (self.put(round_.writer, msgspec.structs.replace(draft, sent_at=item.sent_at)),)
        shown = MessageDraft(item.session_id, "", images=(item.image,), sent_at=item.sent_at)
        message, memories = await self._message(round_, shown)
        return message, (*memories, *self.seen(round_.writer, message, [item.percept]))

    async def _memory(self, round_: _Round, draft: MemoryDraft) -> Memory:
        for session_id in {draft.session_id, round_.source.session_id if round_.source else ""} - {""}:
            if session_id not in round_.sessions:
                # Written anew as it is: a session that is being deleted must meet this memory or refuse it.
                row = await self._journal.session(round_.scope, session_id)
                round_.sessions[session_id] = (row, row.value)
        return self.put(round_.writer, await self.complete(draft), round_.source)

    async def keep(self, scope: Scope, writer: Writer, message: Message) -> tuple[tuple[Memory, ...], list[Degraded]]:
        """Adds to a batch what the memory plugin keeps of a message and what it states; says what was missing."""
        memories, missing = await self._keep(writer, message)
        stated, unread = await self._facts.stated(message)
        statements = self._facts.statements(scope, writer)
        made = await statements.derive(stated, message, memories)
        written = await statements.write(message.recorded_at)
        return (*memories, *(written[each] for each in made if each in written)), missing or unread

    async def _keep(self, writer: Writer, message: Message) -> tuple[tuple[Memory, ...], list[Degraded]]:
        slot = self._plugins.one("memory")
        if slot is None:
            return (), [Degraded("memory")]
        try:
            drafts: Sequence[MemoryDraft] = await self._plugins.call(slot, "keep", message)
        except PluginFailed as failure:
            return (), [Degraded("memory", failure.plugin, failure.why)]
        except InvalidArgument:
            return (), [Degraded("memory", slot.plugin, "rejected")]
        return tuple(self.put(writer, draft, message) for draft in drafts), []

    async def complete(self, draft: MemoryDraft) -> MemoryDraft:
        """The draft with layer and importance as the memory plugin chooses, where they were left open."""
        slot = self._plugins.one("memory")
        if slot is None or (draft.layer is not None and draft.importance is not None):
            return draft
        try:
            completed: MemoryDraft = await self._plugins.call(slot, "complete", draft)
        except (PluginFailed, InvalidArgument):
            return draft
        return completed

    def seen(self, writer: Writer, message: Message, percepts: Sequence[Percept]) -> tuple[Memory, ...]:
        """Adds to a batch the memories of a message's pictures. They are derived from the message, and go with it."""
        captions = [image.caption for image in message.images]
        return tuple(
            self.put(writer, pictures.draft(each, captions[each.part]), message, (message.id,))
            for each in percepts
            if each.part < len(captions)
        )

    def put(
        self, writer: Writer, draft: MemoryDraft, message: Message | None = None, sources: tuple[str, ...] = ()
    ) -> Memory:
        """Adds a memory to a batch. One that comes from a message takes its session, time and speaker."""
        now = self._clock.now()
        memory = Memory(
            self._ids.new(),
            draft.layer or Layer.EPISODIC,
            draft.kind,
            draft.text,
            message.sent_at if message else (now if draft.sent_at is None else draft.sent_at),
            now,
            draft.speaker or (message.speaker if message else ""),
            message.session_id if message else draft.session_id,
            message.id if message else "",
            0.5 if draft.importance is None else draft.importance,
            draft.pinned,
            False,
            draft.metadata,
            message.seq if message else 0,
            sources=sources,
            model=draft.model,
        )
        put_memory(writer, memory)
        return memory


def saying(memory: Memory, source: Message | None) -> Message:
    """What a memory says, as a message: the one it comes from in the words that were kept, or one of no session."""
    if source is not None:
        return msgspec.structs.replace(source, text=memory.text, speaker=memory.speaker, metadata=memory.metadata)
    return Message(
        "",
        memory.session_id,
        0,
        Role.USER,
        memory.text,
        memory.sent_at,
        memory.recorded_at,
        memory.speaker,
        metadata=memory.metadata,
    )


def _body(item: Item) -> bytes:
    """What tells an item from another with the same request id. What is seen in a picture may differ with the time."""
    told = msgspec.structs.replace(item, percept=None) if isinstance(item, PictureDraft) else item
    return digest((type(item).__name__, told))


def _apart(items: Sequence[_Placed]) -> tuple[list[_Placed], list[_Placed]]:
    """Those that can share a commit, and those that repeat a request id or origin of one of them."""
    now: list[_Placed] = []
    later: list[_Placed] = []
    seen: set[tuple[str, str]] = set()
    for each in items:
        request_id, item = each[1]
        names = {("request", request_id), ("origin", item.origin)} - {("request", ""), ("origin", "")}
        (later if names & seen else now).append(each)
        seen |= names
    return now, later
