"""MemoryService."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from alejo.errors import AlejoError
from alejo.types import EVERYTHING, Degraded, MemoryDraft, MessageDraft
from alejo.v1 import memory_pb2 as pb
from alejo.wire import encoded, read, rules, write
from alejo.wire.encoded import Encoded

from .inbox import FRAMES, Inbox

if TYPE_CHECKING:
    from alejo.learning.feedback import Likings
    from alejo.memory import Memories
    from alejo.memory.keeper import Keeper
    from alejo.profiles import Profiles

    from .call import Call

_RECALL_USUAL, _RECALL_MOST = 10, 200
_FORGET_MOST = 1000


class MemoryCalls:
    """What is remembered, over the wire."""

    def __init__(self, memories: Memories, keeper: Keeper, profiles: Profiles, likings: Likings) -> None:
        self._memories = memories
        self._profiles = profiles
        self._keeper = keeper
        self._likings = likings

    async def remember(self, call: Call, request: pb.RememberRequest) -> pb.RememberResponse:
        """Remembers one thing."""
        kept = await self._memories.remember(call.scope, read.item(request), request_id=request.request_id)
        return write.kept(kept)

    async def remember_stream(
        self, call: Call, inbox: Inbox[pb.RememberStreamRequest]
    ) -> AsyncGenerator[pb.RememberStreamResponse, None]:
        """Remembers what has arrived together in one commit, never waiting for more to come."""
        frames: list[pb.RememberStreamRequest] = []
        call.farewell = lambda: pb.RememberStreamResponse(
            draining=write.draining(one.remember.request_id for one in (*frames, *inbox.unread))
        )
        while frames := await inbox.take(FRAMES):
            for response in await self._remember(call, frames):
                yield response
                del frames[0]

    async def _remember(self, call: Call, frames: list[pb.RememberStreamRequest]) -> list[pb.RememberStreamResponse]:
        answers: list[pb.RememberStreamResponse | None] = []
        items: list[tuple[str, MemoryDraft | MessageDraft]] = []
        for frame in frames:
            try:
                rules.check(frame)
            except AlejoError as error:
                answers.append(pb.RememberStreamResponse(failure=call.failure(error)))
            else:
                answers.append(None)
                items.append((frame.remember.request_id, read.item(frame.remember)))
        try:
            results = iter(await self._memories.remember_many(call.scope, items) if items else ())
        except Exception as error:  # noqa: BLE001  every item of the commit failed alike, and is told so
            failure = call.failure(error)
            return [answer or pb.RememberStreamResponse(failure=failure) for answer in answers]
        return [answer or self._became(call, next(results)) for answer in answers]

    def _became(self, call: Call, result: object) -> pb.RememberStreamResponse:
        if isinstance(result, Exception):
            return pb.RememberStreamResponse(failure=call.failure(result))
        return pb.RememberStreamResponse(remembered=write.kept(result))  # type: ignore[arg-type]

    async def recall(self, call: Call, request: pb.RecallRequest) -> Encoded:
        """Finds memories."""
        return encoded.answer(*await self._recalled(call, request))

    async def _recalled(self, call: Call, request: pb.RecallRequest) -> tuple[bytes, list[Degraded]]:
        wanted = read.filter(request.filter) if request.HasField("filter") else EVERYTHING
        page = read.page(request, _RECALL_USUAL, _RECALL_MOST)
        return await self._memories.recall_encoded(
            call.scope, request.query, page, wanted, "alejo.v1", encoded.recalled
        )

    async def recall_stream(
        self, call: Call, inbox: Inbox[pb.RecallStreamRequest]
    ) -> AsyncGenerator[pb.RecallStreamResponse | Encoded, None]:
        """Many recalls, in order."""
        call.farewell = lambda: pb.RecallStreamResponse(draining=write.draining(()))
        while frames := await inbox.take():
            try:
                rules.check(frames[0])
                response = encoded.frame(*await self._recalled(call, frames[0].recall))
            except Exception as error:  # noqa: BLE001  told in the frame, and the stream goes on
                yield pb.RecallStreamResponse(failure=call.failure(error))
            else:
                yield response

    async def build_context(self, call: Call, request: pb.BuildContextRequest) -> pb.BuildContextResponse:
        """Puts a context together."""
        context, degraded = await self._memories.context(
            call.scope, request.query, session_id=request.session_id, token_budget=request.token_budget
        )
        return write.context(context, degraded)

    async def get_memory(self, call: Call, request: pb.GetMemoryRequest) -> pb.GetMemoryResponse:
        """One memory."""
        return pb.GetMemoryResponse(memory=write.memory(await self._memories.get(call.scope, request.memory_id)))

    async def list_memories(self, call: Call, request: pb.ListMemoriesRequest) -> pb.ListMemoriesResponse:
        """The user's memories."""
        found, token = await self._memories.list(call.scope, read.page(request), read.filter(request.filter))
        return pb.ListMemoriesResponse(memories=[write.memory(one) for one in found], next_page_token=token)

    async def update_memory(self, call: Call, request: pb.UpdateMemoryRequest) -> pb.UpdateMemoryResponse:
        """Changes a memory."""
        memory = await self._memories.update(
            call.scope,
            request.memory.id,
            read.memory_changes(request),
            etag=request.memory.etag,
            request_id=request.request_id,
        )
        return pb.UpdateMemoryResponse(memory=write.memory(memory))

    async def get_history(self, call: Call, request: pb.GetHistoryRequest) -> pb.GetHistoryResponse:
        """What a memory was."""
        found, token = await self._memories.history(call.scope, request.memory_id, read.page(request))
        return pb.GetHistoryResponse(versions=[write.version(one) for one in found], next_page_token=token)

    async def preview_forget(self, call: Call, request: pb.PreviewForgetRequest) -> pb.PreviewForgetResponse:
        """What would be forgotten."""
        preview = await self._memories.preview(
            call.scope,
            request.query,
            read.filter(request.filter),
            most=request.limit or _FORGET_MOST,
            keep_messages=request.keep_messages,
        )
        return write.preview(preview)

    async def forget(self, call: Call, request: pb.ForgetRequest) -> pb.ForgetResponse:
        """Forgets memories."""
        memories, messages = await self._memories.forget(
            call.scope,
            list(request.memory_ids),
            preview=request.preview,
            keep_messages=request.keep_messages,
            request_id=request.request_id,
        )
        return pb.ForgetResponse(memories_forgotten=memories, messages_redacted=messages)

    async def tidy_memories(self, call: Call, request: pb.TidyMemoriesRequest) -> pb.TidyMemoriesResponse:
        """Looks after the user's memories now."""
        return write.tidied(await self._keeper.visit(call.scope, verify=request.verify_index))

    async def give_feedback(self, call: Call, request: pb.GiveFeedbackRequest) -> pb.GiveFeedbackResponse:
        """Notes whether a recalled memory was of use."""
        await self._likings.give(
            call.scope,
            request.memory_id,
            helpful=request.usefulness == pb.USEFULNESS_HELPFUL,
            turn=request.turn_request_id,
            request_id=request.request_id,
        )
        return pb.GiveFeedbackResponse()

    async def get_preferences(self, call: Call, request: pb.GetPreferencesRequest) -> pb.GetPreferencesResponse:
        """What the user prefers."""
        return pb.GetPreferencesResponse(preferences=write.preferences(await self._profiles.get(call.scope)))

    async def update_preferences(
        self, call: Call, request: pb.UpdatePreferencesRequest
    ) -> pb.UpdatePreferencesResponse:
        """Changes what the user prefers."""
        preferred = await self._profiles.update(
            call.scope,
            read.preference_changes(request),
            version=read.preferences(request.preferences).version,
            request_id=request.request_id,
        )
        return pb.UpdatePreferencesResponse(preferences=write.preferences(preferred))
