"""A client of a server: the same words as the library, over gRPC.

    async with connect("unix:/path/of/alejo.sock") as client:
        answer = await client.chat(Ask("Hello"))

Every write carries a request id, so a call that did not reach the server is sent again without doing anything twice.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from google.rpc.status_pb2 import Status as RpcStatus

from alejo.errors import AlejoError, DeadlineExceeded, InvalidArgument, Status, Unavailable, Unimplemented
from alejo.types import (
    Accepted,
    Answer,
    Ask,
    Filter,
    Hit,
    Kept,
    Memory,
    MemoryDraft,
    Message,
    MessageDraft,
    Page,
    PluginStatus,
    Session,
    SessionState,
    Vacancy,
)
from alejo.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    chat_pb2,
    chat_pb2_grpc,
    memory_pb2,
    memory_pb2_grpc,
    plugins_pb2,
    plugins_pb2_grpc,
    sessions_pb2,
    sessions_pb2_grpc,
)
from alejo.wire import read, status, write

# What any client may use. Everything that writes carries a request id, so what failed as UNAVAILABLE may be sent again
# whether or not it was done.
SERVICE_CONFIG = Path(__file__).with_name("service_config.json")
_OPTIONS: tuple[tuple[str, str | int], ...] = (
    ("grpc.service_config", SERVICE_CONFIG.read_text()),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # A page of messages with pictures ends at 3 MiB, one message more may hold eight of them.
    ("grpc.max_receive_message_length", 32 * 1024 * 1024),
    ("grpc.use_local_subchannel_pool", 1),
)


NOT_REACHABLE = "NOT_REACHABLE"
_DETAILS = "grpc-status-details-bin"
_FIRST, _TEN, _ANY = Page(), Page(10), Filter()


def new_request_id() -> str:
    """A request id that nobody else makes."""
    return uuid.uuid4().hex


class Client:
    """The calls of one server for one user. Every method raises the errors of `alejo.errors`."""

    def __init__(self, channel: grpc.aio.Channel, target: str, metadata: Sequence[tuple[str, str]], timeout: float):
        self.target = target
        self._metadata = tuple(metadata)
        self._timeout = timeout
        self._chat = chat_pb2_grpc.ChatServiceStub(channel)
        self._sessions = sessions_pb2_grpc.SessionsServiceStub(channel)
        self._memory = memory_pb2_grpc.MemoryServiceStub(channel)
        self._plugins = plugins_pb2_grpc.PluginsServiceStub(channel)
        self._admin = admin_pb2_grpc.AdminServiceStub(channel)

    async def _call(self, method: Any, request: Any) -> Any:
        try:
            return await method(request, metadata=self._metadata, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            raise _error(error, self.target) from None

    async def chat(self, ask: Ask) -> Answer:
        """One turn."""
        return read.answer(await self._call(self._chat.Chat, _chat(ask)))

    async def stream(self, ask: Ask) -> AsyncGenerator[Accepted | str | Answer, None]:
        """One turn as it is answered. Closing the iterator cancels the turn."""
        call = self._chat.ChatStream(chat_pb2.ChatStreamRequest(chat=_chat(ask)), metadata=self._metadata)
        try:
            async for response in call:
                frame = response.WhichOneof("frame")
                if frame == "accepted":
                    yield read.accepted(response.accepted)
                elif frame == "delta":
                    yield response.delta
                elif frame == "done":
                    yield read.answer(response.done)
        except grpc.aio.AioRpcError as error:
            raise _error(error, self.target) from None
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
                if response.WhichOneof("result") == "failure":
                    failure = response.failure
                    yield status.error(failure.code, failure.message, failure.details)
                else:
                    yield read.kept(response.remembered)
        except grpc.aio.AioRpcError as error:
            raise _error(error, self.target) from None
        finally:
            call.cancel()

    async def recall(self, query: str, page: Page = _TEN, filter: Filter = _ANY) -> tuple[list[Hit], str]:  # noqa: A002 - the library's word
        """Memories that match, best first, and the token of the next page."""
        request = memory_pb2.RecallRequest(
            query=query, page_size=page.size, page_token=page.token, filter=write.filter(filter)
        )
        response = await self._call(self._memory.Recall, request)
        return [read.hit(hit) for hit in response.hits], response.next_page_token

    async def memories(self, page: Page = _FIRST, filter: Filter = _ANY) -> tuple[list[Memory], str]:  # noqa: A002 - the library's word
        """A page of the user's memories, newest first, and the token of the next."""
        request = memory_pb2.ListMemoriesRequest(
            page_size=page.size, page_token=page.token, filter=write.filter(filter)
        )
        response = await self._call(self._memory.ListMemories, request)
        return [read.memory(memory) for memory in response.memories], response.next_page_token

    async def forget(
        self, memory_ids: Sequence[str], *, keep_messages: bool = False, request_id: str = ""
    ) -> tuple[int, int]:
        """Forgets memories; returns how many went, and how many messages were redacted."""
        request = memory_pb2.ForgetRequest(
            request_id=request_id or new_request_id(), memory_ids=memory_ids, keep_messages=keep_messages
        )
        response = await self._call(self._memory.Forget, request)
        return response.memories_forgotten, response.messages_redacted

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


def _chat(ask: Ask) -> chat_pb2.ChatRequest:
    request = write.ask(ask)
    request.request_id = ask.request_id or new_request_id()
    return request


def _remember(request_id: str, item: MemoryDraft | MessageDraft) -> memory_pb2.RememberRequest:
    return write.remember(item, request_id or new_request_id())


def _error(error: grpc.aio.AioRpcError, target: str) -> AlejoError:
    """What a call to `target` that ended with a status means."""
    code = int(error.code().value[0])
    packed = next((value for name, value in error.trailing_metadata() or () if name == _DETAILS), b"")
    details = RpcStatus.FromString(packed if isinstance(packed, bytes) else b"").details
    if details:
        return status.error(code, error.details() or "", details)
    # The server gives details with every status of its own: this one was made on the way.
    if code in {Status.UNAVAILABLE, Status.CANCELLED}:
        return Unavailable(f"No server answers at {target}.", reason=NOT_REACHABLE)
    if code == Status.DEADLINE_EXCEEDED:
        return DeadlineExceeded(f"The server at {target} did not answer in time.")
    if code == Status.UNIMPLEMENTED:
        return Unimplemented(f"What answers at {target} does not offer this call.")
    return status.error(code, error.details() or "The call failed.")
