"""The calls of a server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from alejo.errors import AlejoError, InvalidArgument, Unavailable
from alejo.jobs import Job, QueueStatus, ReflectionLag
from alejo.lessons import Entry, Learnt, Promoted
from alejo.outcomes import ErasePreview, Preview, Receipt, Tally, Tidied
from alejo.types import (
    Answer,
    Ask,
    Context,
    Event,
    FactChange,
    FactDraft,
    Filter,
    Hit,
    JobState,
    Kept,
    Memory,
    MemoryDraft,
    Message,
    MessageDraft,
    Neighbourhood,
    Page,
    PluginStatus,
    Preferences,
    Replacement,
    Session,
    SessionState,
    Vacancy,
    Version,
)
from alejo.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    chat_pb2,
    chat_pb2_grpc,
    emotion_pb2_grpc,
    facts_pb2,
    facts_pb2_grpc,
    jobs_pb2,
    jobs_pb2_grpc,
    learning_pb2,
    learning_pb2_grpc,
    memory_pb2,
    memory_pb2_grpc,
    ownership_pb2,
    ownership_pb2_grpc,
    plugins_pb2,
    plugins_pb2_grpc,
    reminders_pb2_grpc,
    sessions_pb2,
    sessions_pb2_grpc,
    types_pb2,
    vision_pb2_grpc,
)
from alejo.wire import jobs, lessons, read, write

from .errors import error_of, failure
from .moods import Moods
from .pictures import Pictures
from .reminders import Reminders
from .requests import chat, new_request_id
from .talk import Talk

# What any client may use. Everything that writes carries a request id, so what failed as UNAVAILABLE may be sent again
# whether or not it was done.
SERVICE_CONFIG = Path(__file__).parents[1] / "service_config.json"
_OPTIONS: tuple[tuple[str, str | int], ...] = (
    ("grpc.service_config", SERVICE_CONFIG.read_text()),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # A page of messages with pictures ends at 3 MiB, one message more may hold eight of them.
    ("grpc.max_receive_message_length", 32 * 1024 * 1024),
    ("grpc.use_local_subchannel_pool", 1),
)


_FIRST, _TEN, _ANY = Page(), Page(10), Filter()


class Client:
    """The calls of one server for one user. Every method raises the errors of `alejo.errors`.

    `reminders` has those about reminders, `moods` those about how the user feels.
    """

    def __init__(self, channel: grpc.aio.Channel, target: str, metadata: Sequence[tuple[str, str]], timeout: float):
        self.target = target
        self._metadata = tuple(metadata)
        self._timeout = timeout
        self._chat = chat_pb2_grpc.ChatServiceStub(channel)
        self._sessions = sessions_pb2_grpc.SessionsServiceStub(channel)
        self._memory = memory_pb2_grpc.MemoryServiceStub(channel)
        self._ownership = ownership_pb2_grpc.OwnershipServiceStub(channel)
        self._facts = facts_pb2_grpc.FactsServiceStub(channel)
        self.moods = Moods(self._call, emotion_pb2_grpc.EmotionServiceStub(channel))
        self.reminders = Reminders(self._call, reminders_pb2_grpc.RemindersServiceStub(channel), target, self._metadata)
        self.pictures = Pictures(self._call, vision_pb2_grpc.VisionServiceStub(channel))
        self._jobs = jobs_pb2_grpc.JobsServiceStub(channel)
        self._learning = learning_pb2_grpc.LearningServiceStub(channel)
        self._plugins = plugins_pb2_grpc.PluginsServiceStub(channel)
        self._admin = admin_pb2_grpc.AdminServiceStub(channel)

    async def _call(self, method: Any, request: Any) -> Any:
        try:
            return await method(request, metadata=self._metadata, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self.target) from None

    async def chat(self, ask: Ask) -> Answer:
        """One turn."""
        return read.answer(await self._call(self._chat.Chat, chat(ask)))

    async def turn(self, request_id: str) -> Answer:
        """A turn that is done, as it was answered. Raises NotFound."""
        request = chat_pb2.GetTurnRequest(request_id=request_id)
        return read.answer((await self._call(self._chat.GetTurn, request)).turn)

    async def stream(self, ask: Ask, *, timeout: float | None = None) -> AsyncGenerator[Event, None]:
        """One turn as it is answered, for at most `timeout` seconds. Closing the iterator cancels the turn."""
        request = chat_pb2.ChatStreamRequest(chat=chat(ask))
        call = self._chat.ChatStream(request, metadata=self._metadata, timeout=timeout)
        try:
            async for response in call:
                frame = response.WhichOneof("frame")
                if frame == "accepted":
                    yield read.accepted(response.accepted)
                elif frame == "delta":
                    yield response.delta
                elif frame == "replacement":
                    yield Replacement(response.replacement)
                elif frame == "done":
                    yield read.answer(response.done)
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self.target) from None
        finally:
            call.cancel()

    @asynccontextmanager
    async def converse(self) -> AsyncIterator[Talk]:
        """Many turns over one stream, which ends with the block."""
        call = self._chat.Converse(metadata=self._metadata)
        try:
            yield Talk(call, self.target)
        finally:
            call.cancel()

    async def create_session(
        self,
        *,
        title: str = "",
        parent_id: str = "",
        metadata: dict[str, str] | None = None,
        origin: str = "",
        request_id: str = "",
    ) -> tuple[Session, bool]:
        """A new session, or the one by the same origin; the second value says that it was there."""
        request = sessions_pb2.CreateSessionRequest(
            request_id=request_id or new_request_id(),
            title=title,
            parent_id=parent_id,
            metadata=metadata or {},
            origin=origin,
        )
        response = await self._call(self._sessions.CreateSession, request)
        return read.session(response.session), response.existed

    async def session(self, session_id: str) -> Session:
        """One session. Raises NotFound."""
        request = sessions_pb2.GetSessionRequest(session_id=session_id)
        return read.session((await self._call(self._sessions.GetSession, request)).session)

    async def sessions(self, page: Page = _FIRST, states: Sequence[SessionState] = ()) -> tuple[list[Session], str]:
        """A page of the user's sessions, newest first, and the token of the next."""
        request = sessions_pb2.ListSessionsRequest(
            page_size=page.size,
            page_token=page.token,
            states=[sessions_pb2.SessionState.ValueType(state) for state in states],
        )
        response = await self._call(self._sessions.ListSessions, request)
        return [read.session(session) for session in response.sessions], response.next_page_token

    async def update_session(
        self,
        session_id: str,
        *,
        title: str | None = None,
        state: SessionState | None = None,
        metadata: dict[str, str] | None = None,
        request_id: str = "",
    ) -> Session:
        """Changes what is not None. Raises NotFound, or FailedPrecondition for a step that a session cannot take."""
        given = {"title": title, "state": state, "metadata": metadata}
        changes = {name: value for name, value in given.items() if value is not None}
        request = write.session_changes(session_id, changes)
        request.request_id = request_id or new_request_id()
        return read.session((await self._call(self._sessions.UpdateSession, request)).session)

    async def delete_session(self, session_id: str, *, request_id: str = "") -> tuple[int, int]:
        """Deletes a session; returns how many messages and how many memories went with it."""
        request = sessions_pb2.DeleteSessionRequest(request_id=request_id or new_request_id(), session_id=session_id)
        response = await self._call(self._sessions.DeleteSession, request)
        return response.messages_deleted, response.memories_deleted

    async def messages(
        self, session_id: str, page: Page = _FIRST, *, descending: bool = False
    ) -> tuple[list[Message], str]:
        """A page of a session's messages by the time they were said, and the token of the next."""
        request = sessions_pb2.ListMessagesRequest(
            session_id=session_id, page_size=page.size, page_token=page.token, descending=descending
        )
        response = await self._call(self._sessions.ListMessages, request)
        return [read.message(message) for message in response.messages], response.next_page_token

    async def remember(self, item: MemoryDraft | MessageDraft, *, request_id: str = "") -> Kept:
        """Remembers one thing."""
        return read.kept(await self._call(self._memory.Remember, _remember(request_id, item)))

    async def remember_many(
        self, items: Iterable[tuple[str, MemoryDraft | MessageDraft]]
    ) -> AsyncGenerator[Kept | AlejoError, None]:
        """Remembers many, each with its request id; yields what became of each, in their order."""

        async def requests() -> AsyncIterator[Any]:
            for request_id, item in items:
                yield memory_pb2.RememberStreamRequest(remember=_remember(request_id, item))

        call = self._memory.RememberStream(requests(), metadata=self._metadata)
        try:
            async for response in call:
                result = response.WhichOneof("result")
                if result == "failure":
                    yield failure(response.failure)
                elif result == "remembered":  # behind any other frame comes the status that ends the stream
                    yield read.kept(response.remembered)
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self.target) from None
        finally:
            call.cancel()

    async def recall(self, query: str, page: Page = _TEN, filter: Filter = _ANY) -> tuple[list[Hit], str]:  # noqa: A002 - the library's word
        """Memories that match, best first, and the token of the next page."""
        response = await self._call(self._memory.Recall, _recall(query, page, filter))
        return [read.hit(hit) for hit in response.hits], response.next_page_token

    async def recall_many(
        self,
        queries: Iterable[str],
        size: int = 10,
        filter: Filter = _ANY,  # noqa: A002 - the library's word
    ) -> AsyncGenerator[list[Hit] | AlejoError, None]:
        """What each query finds, or why it was refused, in their order."""

        async def requests() -> AsyncIterator[Any]:
            for query in queries:
                yield memory_pb2.RecallStreamRequest(recall=_recall(query, Page(size), filter))

        call = self._memory.RecallStream(requests(), metadata=self._metadata)
        try:
            async for response in call:
                result = response.WhichOneof("result")
                if result == "failure":
                    yield failure(response.failure)
                elif result == "recalled":
                    yield [read.hit(hit) for hit in response.recalled.hits]
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self.target) from None
        finally:
            call.cancel()

    async def context(self, query: str, *, session_id: str = "", token_budget: int = 0) -> Context:
        """What a brain should know to answer; 0 leaves the budget to the server."""
        request = memory_pb2.BuildContextRequest(query=query, session_id=session_id, token_budget=token_budget)
        return read.context(await self._call(self._memory.BuildContext, request))

    async def memory(self, memory_id: str) -> Memory:
        """One memory. Raises NotFound."""
        request = memory_pb2.GetMemoryRequest(memory_id=memory_id)
        return read.memory((await self._call(self._memory.GetMemory, request)).memory)

    async def update_memory(
        self, memory_id: str, changes: Mapping[str, Any], *, version: int = 0, request_id: str = ""
    ) -> Memory:
        """Changes any of text, layer, kind, importance, pinned, archived, metadata, model.

        Raises NotFound, InvalidArgument, or Conflict if `version` is given and the memory has another by now.
        """
        request = write.memory_changes(memory_id, changes, f"{version:x}" if version else "")
        request.request_id = request_id or new_request_id()
        return read.memory((await self._call(self._memory.UpdateMemory, request)).memory)

    async def memories(self, page: Page = _FIRST, filter: Filter = _ANY) -> tuple[list[Memory], str]:  # noqa: A002 - the library's word
        """A page of the user's memories, newest first, and the token of the next."""
        request = memory_pb2.ListMemoriesRequest(
            page_size=page.size, page_token=page.token, filter=write.filter(filter)
        )
        response = await self._call(self._memory.ListMemories, request)
        return [read.memory(memory) for memory in response.memories], response.next_page_token

    async def history(self, memory_id: str, page: Page = _FIRST) -> tuple[list[Version], str]:
        """A page of what a memory was before its changes, newest first, and the token of the next. Raises NotFound."""
        request = memory_pb2.GetHistoryRequest(memory_id=memory_id, page_size=page.size, page_token=page.token)
        response = await self._call(self._memory.GetHistory, request)
        return [read.version(one) for one in response.versions], response.next_page_token

    async def preview_forget(
        self,
        query: str = "",
        filter: Filter = _ANY,  # noqa: A002 - the library's word
        *,
        keep_messages: bool = False,
        limit: int = 0,
    ) -> Preview:
        """What forgetting by a query, a filter or both would take; its token is for `forget`. One of them is needed."""
        request = memory_pb2.PreviewForgetRequest(query=query, keep_messages=keep_messages, limit=limit)
        if filter != _ANY:
            request.filter.CopyFrom(write.filter(filter))
        return read.preview(await self._call(self._memory.PreviewForget, request))

    async def give_feedback(self, memory_id: str, *, helpful: bool, turn: str = "", request_id: str = "") -> None:
        """Notes whether a memory that a turn recalled was of use; the last word counts. Raises NotFound.

        `turn` is the request id of the turn, or empty for the newest that recalled the memory.
        """
        request = memory_pb2.GiveFeedbackRequest(
            request_id=request_id or new_request_id(),
            memory_id=memory_id,
            turn_request_id=turn,
            usefulness=memory_pb2.USEFULNESS_HELPFUL if helpful else memory_pb2.USEFULNESS_NOT_HELPFUL,
        )
        await self._call(self._memory.GiveFeedback, request)

    async def learnt(self) -> Learnt:
        """What was learned from sessions that have ended."""
        return lessons.read_learnt(await self._call(self._learning.GetLearning, learning_pb2.GetLearningRequest()))

    async def learning_log(self, page: Page = _FIRST) -> tuple[list[Entry], str]:
        """A page of what each stage of learning made of each session, newest first, and the token of the next."""
        request = learning_pb2.ListLearningLogRequest(page_size=page.size, page_token=page.token)
        response = await self._call(self._learning.ListLearningLog, request)
        return [lessons.read_entry(one) for one in response.entries], response.next_page_token

    async def export_pairs(self, form: str = "plain", *, personal: bool = True) -> AsyncGenerator[bytes, None]:
        """Questions with the answers they got: the bytes of lines, in parts cut anywhere. They are in clear.

        `form` is plain or openai; without `personal`, personal data is replaced.
        """
        wanted = lessons.write_form(form)
        request = learning_pb2.ExportPairsRequest(form=wanted, without_personal_data=not personal)
        call = self._learning.ExportPairs(request, metadata=self._metadata)
        try:
            async for response in call:
                yield response.data
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self.target) from None
        finally:
            call.cancel()

    async def weights(self) -> Promoted:
        """The weights of recall that were promoted, and which are used."""
        return lessons.read_promoted(await self._call(self._learning.ListWeights, learning_pb2.ListWeightsRequest()))

    async def roll_back_weights(self, number: int | None = None, *, request_id: str = "") -> int:
        """Goes back to a version of one's own weights, 0 for none, by default the one before; returns it."""
        request = learning_pb2.RollBackWeightsRequest(request_id=request_id or new_request_id(), number=number)
        return int((await self._call(self._learning.RollBackWeights, request)).in_use)

    async def roll_back_shared_weights(self, number: int | None = None, *, request_id: str = "") -> int:
        """Goes back to a version of the weights that users share, 0 for none, by default the one before; returns it.

        Raises FailedPrecondition where nothing is shared.
        """
        request = learning_pb2.RollBackSharedWeightsRequest(request_id=request_id or new_request_id(), number=number)
        return int((await self._call(self._learning.RollBackSharedWeights, request)).in_use)

    async def preferences(self) -> Preferences:
        """What the user prefers."""
        reply = await self._call(self._memory.GetPreferences, memory_pb2.GetPreferencesRequest())
        return read.preferences(reply.preferences)

    async def prefer(self, changes: Mapping[str, Any], *, version: int = 0, request_id: str = "") -> Preferences:
        """Changes any of model, language, time_zone, episodic_days, context_tokens, others.

        Raises InvalidArgument, or Conflict if `version` is given and another is there by now.
        """
        request = write.preference_changes(changes, version, request_id)
        return read.preferences((await self._call(self._memory.UpdatePreferences, request)).preferences)

    async def tidy(self, *, verify_index: bool = False) -> Tidied:
        """Looks after the memories now, as the server does from time to time; see `alejo.memory.upkeep`."""
        request = memory_pb2.TidyMemoriesRequest(verify_index=verify_index)
        return read.tidied(await self._call(self._memory.TidyMemories, request))

    async def forget(
        self,
        memory_ids: Sequence[str] = (),
        *,
        preview: str = "",
        keep_messages: bool = False,
        request_id: str = "",
    ) -> tuple[int, int]:
        """Forgets memories, or what a preview's token stands for; returns how many went, and messages redacted.

        Raises Conflict with PREVIEW_CHANGED when that is no longer what was previewed.
        """
        request = memory_pb2.ForgetRequest(
            request_id=request_id or new_request_id(),
            memory_ids=memory_ids,
            keep_messages=keep_messages,
            preview=preview,
        )
        response = await self._call(self._memory.Forget, request)
        return response.memories_forgotten, response.messages_redacted

    async def export_user(self) -> AsyncGenerator[bytes, None]:
        """Everything about the user: the bytes of the lines of an export, in parts cut anywhere. It is in clear."""
        call = self._ownership.ExportUser(ownership_pb2.ExportUserRequest(), metadata=self._metadata)
        try:
            async for response in call:
                yield response.data
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self.target) from None
        finally:
            call.cancel()

    async def import_user(self, parts: Iterable[bytes]) -> AsyncGenerator[Tally, None]:
        """Brings an export in, in parts of at most 1 MiB cut anywhere; yields what is on disk after each.

        Raises InvalidArgument naming the line that is wrong; what stands before it is kept. Nothing is added twice.
        """

        async def requests() -> AsyncIterator[Any]:
            for part in parts:
                yield ownership_pb2.ImportUserRequest(data=part)

        call = self._ownership.ImportUser(requests(), metadata=self._metadata)
        try:
            async for response in call:
                if response.WhichOneof("result") == "imported":
                    yield read.imported(response.imported)
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self.target) from None
        finally:
            call.cancel()

    async def preview_erase(self) -> ErasePreview:
        """What erasing the user would take; its token is for `erase_user`."""
        return read.erase_preview(await self._call(self._ownership.PreviewErase, ownership_pb2.PreviewEraseRequest()))

    async def erase_user(self, preview: str) -> tuple[Receipt, bool]:
        """Erases the user of a preview's token for good; the receipt, and whether the files were made anew as well.

        Raises Conflict with PREVIEW_CHANGED when that is no longer what was previewed.
        """
        request = ownership_pb2.EraseUserRequest(preview=preview)
        response = await self._call(self._ownership.EraseUser, request)
        return read.receipt(response.receipt), response.cleared

    async def add_fact(self, draft: FactDraft, *, request_id: str = "") -> FactChange:
        """Adds a fact; what it contradicts ends where it begins."""
        request = facts_pb2.AddFactRequest(request_id=request_id or new_request_id(), fact=write.fact_draft(draft))
        return read.fact_change((await self._call(self._facts.AddFact, request)).change)

    async def correct_fact(self, memory_id: str, draft: FactDraft, *, request_id: str = "") -> FactChange:
        """Puts a fact in the place of one that was never true. Raises NotFound, FailedPrecondition."""
        request = facts_pb2.CorrectFactRequest(
            request_id=request_id or new_request_id(), memory_id=memory_id, fact=write.fact_draft(draft)
        )
        return read.fact_change((await self._call(self._facts.CorrectFact, request)).change)

    async def restore_fact(self, memory_id: str, *, request_id: str = "") -> FactChange:
        """Takes back what superseded a fact. Raises NotFound, FailedPrecondition."""
        request = facts_pb2.RestoreFactRequest(request_id=request_id or new_request_id(), memory_id=memory_id)
        return read.fact_change((await self._call(self._facts.RestoreFact, request)).change)

    async def facts(
        self,
        page: Page = _FIRST,
        *,
        entity: str = "",
        relation: str = "",
        as_of: int | None = None,
        known_at: int | None = None,
        superseded: bool = False,
    ) -> tuple[list[Memory], str]:
        """A page of the facts, those that began last first, and the token of the next. Times are in µs."""
        request = facts_pb2.ListFactsRequest(
            page_size=page.size,
            page_token=page.token,
            entity=entity,
            relation=relation,
            as_of=write.perhaps(as_of),
            known_at=write.perhaps(known_at),
            include_superseded=superseded,
        )
        response = await self._call(self._facts.ListFacts, request)
        return [read.memory(memory) for memory in response.memories], response.next_page_token

    async def neighbourhood(
        self, entity: str, *, depth: int = 1, limit: int = 50, as_of: int | None = None
    ) -> Neighbourhood:
        """What is one or two facts away from an entity, by at most `limit` facts."""
        request = facts_pb2.GetNeighbourhoodRequest(entity=entity, depth=depth, limit=limit, as_of=write.perhaps(as_of))
        return read.neighbourhood(await self._call(self._facts.GetNeighbourhood, request))

    async def jobs(
        self, page: Page = _FIRST, *, states: Sequence[JobState] = (), session_id: str = "", kind: str = ""
    ) -> tuple[list[Job], str]:
        """A page of the user's jobs, oldest first and without their attempts, and the token of the next."""
        request = jobs_pb2.ListJobsRequest(
            page_size=page.size,
            page_token=page.token,
            states=[types_pb2.JobState.ValueType(state) for state in states],
            session_id=session_id,
            kind=kind,
        )
        response = await self._call(self._jobs.ListJobs, request)
        return [jobs.read_job(job) for job in response.jobs], response.next_page_token

    async def job(self, job_id: str) -> Job:
        """A job with its attempts. Raises NotFound."""
        return jobs.read_job((await self._call(self._jobs.GetJob, jobs_pb2.GetJobRequest(job_id=job_id))).job)

    async def watch_jobs(self, *, session_id: str = "", kind: str = "") -> AsyncGenerator[Job | str, None]:
        """The jobs that are not over, then each that changes; the identifier of one that is gone. Without end.

        Raises Unavailable when the server stops.
        """
        request = jobs_pb2.WatchJobsRequest(session_id=session_id, kind=kind)
        call = self._jobs.WatchJobs(request, metadata=self._metadata)
        try:
            async for response in call:
                match response.WhichOneof("frame"):
                    case "job":
                        yield jobs.read_job(response.job)
                    case "removed":
                        yield response.removed
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self.target) from None
        finally:
            call.cancel()

    async def requeue_jobs(
        self, job_ids: Sequence[str] = (), *, session_id: str = "", kind: str = "", everything: bool = False
    ) -> list[Job]:
        """Gives dead letters another chance: these, or all of a session or kind, or everything.

        Raises NotFound, and FailedPrecondition for a job that is no dead letter and not in the queue.
        """
        request = jobs_pb2.RequeueJobsRequest(job_ids=job_ids, session_id=session_id, kind=kind, all=everything)
        return await self._decide(self._jobs.RequeueJobs, request)

    async def discard_jobs(
        self, job_ids: Sequence[str] = (), *, session_id: str = "", kind: str = "", everything: bool = False
    ) -> list[Job]:
        """Gives dead letters up, chosen as by `requeue_jobs`. Raises NotFound, FailedPrecondition."""
        request = jobs_pb2.DiscardJobsRequest(job_ids=job_ids, session_id=session_id, kind=kind, all=everything)
        return await self._decide(self._jobs.DiscardJobs, request)

    async def _decide(self, method: Any, request: Any) -> list[Job]:
        decided: list[Job] = []
        while True:
            response = await self._call(method, request)
            decided += map(jobs.read_job, response.jobs)
            if not response.more:
                return decided

    async def reflection_lag(self, session_id: str, kind: str = "") -> ReflectionLag:
        """How far the work of a kind on a session is; of reflection, if none is named. Raises NotFound."""
        request = jobs_pb2.GetReflectionLagRequest(session_id=session_id, kind=kind)
        return jobs.read_lag(await self._call(self._jobs.GetReflectionLag, request))

    async def pause_jobs(self, kind: str = "") -> None:
        """Has no job of a kind begin, or none at all, of whatever user."""
        await self._call(self._jobs.PauseJobs, jobs_pb2.PauseJobsRequest(kind=kind))

    async def resume_jobs(self, kind: str = "") -> None:
        """Ends a pause of the same kind."""
        await self._call(self._jobs.ResumeJobs, jobs_pb2.ResumeJobsRequest(kind=kind))

    async def queue_status(self) -> QueueStatus:
        """How much there is to do for all users, and who works on it."""
        return jobs.read_status(await self._call(self._jobs.GetQueueStatus, jobs_pb2.GetQueueStatusRequest()))

    async def plugins(self) -> tuple[list[PluginStatus], list[Vacancy]]:
        """Every plugin, and the roles without one."""
        plugins: list[PluginStatus] = []
        token = ""
        while True:
            request = plugins_pb2.ListPluginsRequest(page_size=1000, page_token=token)
            response = await self._call(self._plugins.ListPlugins, request)
            plugins += [read.plugin(plugin) for plugin in response.plugins]
            token = response.next_page_token
            if not token:
                return plugins, [read.vacancy(vacancy) for vacancy in response.vacancies]

    async def plugin(self, name: str) -> PluginStatus:
        """One plugin. Raises NotFound."""
        response = await self._call(self._plugins.GetPlugin, plugins_pb2.GetPluginRequest(name=name))
        return read.plugin(response.plugin)

    async def enable_plugin(self, name: str) -> PluginStatus:
        """Switches a plugin on. Raises NotFound, FailedPrecondition."""
        request = plugins_pb2.EnablePluginRequest(name=name)
        return read.plugin((await self._call(self._plugins.EnablePlugin, request)).plugin)

    async def disable_plugin(self, name: str) -> PluginStatus:
        """Switches a plugin off. Raises NotFound, FailedPrecondition."""
        request = plugins_pb2.DisablePluginRequest(name=name)
        return read.plugin((await self._call(self._plugins.DisablePlugin, request)).plugin)

    async def reload_plugin(self, name: str) -> PluginStatus:
        """Reads a plugin's code anew. Raises NotFound, FailedPrecondition."""
        request = plugins_pb2.ReloadPluginRequest(name=name)
        return read.plugin((await self._call(self._plugins.ReloadPlugin, request)).plugin)

    async def compact(self) -> tuple[int, int]:
        """Makes the server's files anew without what was deleted; the bytes of the records before and after.

        It takes as long as it takes. Raises FailedPrecondition if another process has the folder open.
        """
        call = self._admin.Compact(admin_pb2.CompactRequest(), metadata=self._metadata)
        try:
            async for response in call:
                return response.bytes_before, response.bytes_after
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self.target) from None
        raise Unavailable("The server ended the call before it was done.")

    async def settings(self) -> dict[str, tuple[str, str]]:
        """Every setting by name: its value as TOML, and where that came from. Secrets are hidden."""
        response = await self._call(self._admin.GetSettings, admin_pb2.GetSettingsRequest())
        return {one.name: (one.value, one.source) for one in response.settings}

    async def info(self) -> dict[str, Any]:
        """What the server is: version, data_format, tenant, user, debug_build, storage."""
        response = await self._call(self._admin.GetInfo, admin_pb2.GetInfoRequest())
        names = ("version", "data_format", "tenant", "user", "debug_build", "storage")
        return {name: getattr(response, name) for name in names}


@asynccontextmanager
async def connect(target: str, *, key: str = "", user: str = "", timeout: float = 30.0) -> AsyncIterator[Client]:
    """A client of the server at `target`: host:port, http://…, https://… (TLS) or unix:/path. `timeout` in seconds.

    Nothing is sent before the first call. Raises InvalidArgument on a target that is none of these.
    """
    address, secure = _address(target)
    metadata = [("authorization", f"Bearer {key}")] if key else []
    if user:
        metadata.append(("x-alejo-user", user))
    if not all(value.isascii() and value.isprintable() for _, value in metadata):
        raise InvalidArgument.field("user or key", "holds characters that a header cannot carry")
    if secure:
        channel = grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(), options=_OPTIONS)
    else:
        channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
    async with channel:
        yield Client(channel, target, metadata, timeout)


def in_clear(target: str) -> bool:
    """Whether others on a network can read along: no TLS, and not this machine. Raises InvalidArgument."""
    address, secure = _address(target)
    host = address.rpartition(":")[0].strip("[]")
    local = address.startswith("unix:") or host in {"localhost", "::1"} or host.startswith("127.")
    return not (secure or local)


def _address(target: str) -> tuple[str, bool]:
    """The address as gRPC writes it, and whether TLS is spoken there."""
    if target.startswith("unix:"):
        return target, False
    scheme, separator, rest = target.rpartition("://")
    host = rest.rstrip("/")
    port = host.rpartition(":")[2]
    if not port.isdigit() or "/" in host or (separator and scheme not in {"http", "https", "grpc"}):
        raise InvalidArgument.field("url", f"{target!r} is not like http://host:50151, https://host:443 or unix:/path")
    return host, scheme == "https"


def _remember(request_id: str, item: MemoryDraft | MessageDraft) -> memory_pb2.RememberRequest:
    return write.remember(item, request_id or new_request_id())


def _recall(query: str, page: Page, wanted: Filter) -> memory_pb2.RecallRequest:
    return memory_pb2.RecallRequest(
        query=query, page_size=page.size, page_token=page.token, filter=write.filter(wanted)
    )
