"""The server: started, announced, drained."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import secrets
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

from alejo import log
from alejo._core import give_back
from alejo.app import Part
from alejo.cache import NAMESPACES, Cache
from alejo.errors import AlejoError
from alejo.metrics import Metrics, Scrape

from . import compacting, listen
from .admin import AdminCalls
from .chat import ChatCalls
from .connections import Connections
from .facts import FactsCalls
from .gate import Gate
from .health import Health
from .jobs import JobsCalls
from .learning import LearningCalls
from .limits import Limits
from .memory import MemoryCalls
from .methods import HEALTH, OWN_SERVICES, REFLECTION, Method, methods
from .moods import MoodsCalls
from .ownership import OwnershipCalls
from .plugins import PluginsCalls
from .reflection import Reflection
from .reminders import RemindersCalls
from .sessions import SessionsCalls
from .vision import VisionCalls
from .workers import Workers

if TYPE_CHECKING:
    from alejo.app import Assistant
    from alejo.plugins import PluginHost
    from alejo.storage.disk import ServerLock

# What remains of the drain for telling those that did not finish.
_LAST_SECONDS = 0.5
# So long no call has come before the ports close: gRPC would end those that wait to be accepted as CANCELLED, which no
# client retries, where the gate says UNAVAILABLE.
_QUIET_SECONDS = 0.05


class _Doors(grpc.GenericRpcHandler):
    """All methods behind one dictionary: methods registered with gRPC cost half a microsecond each in every call."""

    def __init__(self, gate: Gate, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]) -> None:
        self.handlers = handlers
        self.probe = f"/{secrets.token_hex(16)}"  # known to this process alone
        self._unknown: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(gate.unknown())
        self._began = gate.backlog.began

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler of a call, or None, to gRPC's own refusal, for a probe: that it came is all that it is for."""
        handler = self.handlers.get(handler_call_details.method)
        if handler is None and handler_call_details.method == self.probe:
            self._began()
            return None
        return handler or self._unknown


class Server:
    """An assistant on the network. `port`, `socket_path` and `metrics_port` are None where it does not listen."""

    def __init__(self, assistant: Assistant, *, tcp: bool = True, socket: bool = True, metrics: bool = True) -> None:
        self._assistant = assistant
        self._wanted = (tcp, socket, metrics)
        self.port: int | None = None
        self.socket_path: Path | None = None
        self.metrics_port: int | None = None
        self.address: listen.Address | None = None
        self.tls = False
        self.metrics = Metrics()
        self._gate: Gate | None = None
        self._health: Health | None = None
        self._server: grpc.aio.Server | None = None
        self._scrape: Scrape | None = None
        self._lock: ServerLock | None = None
        self._connections: Connections | None = None
        self._channel: grpc.aio.Channel | None = None
        self._sent: deque[object] = deque(maxlen=1)  # a call whose object is gone would be cancelled
        self._hurry = asyncio.Event()
        self._stopped = asyncio.Event()
        self._draining: asyncio.Task[None] | None = None
        self._chores: list[asyncio.Task[None]] = []
        self._workers: Workers | None = None

    async def start(self) -> None:
        """Opens every port and serves. Raises StartupError, leaving nothing open."""
        try:
            await self._open()
        except BaseException:
            await self._close()
            raise

    async def _open(self) -> None:
        tcp, socket, metrics = self._wanted
        assistant, settings = self._assistant, self._assistant.settings
        self._lock = assistant.folder.lock_server()
        where = listen.address(settings, "server.address")
        if tcp:
            listen.admit(settings, where, keys=await assistant.keys.any())
        tls = listen.credentials(settings) if tcp else None
        server = self._server = grpc.aio.server(options=listen.options(settings["limits.stream_seconds"]))
        doors = self._doors(where)
        server.add_generic_rpc_handlers((doors,))
        # gRPC has a queue for each method that is registered with it: so looks at health wait for nothing else.
        server.add_registered_method_handlers(
            HEALTH, {name: doors.handlers[f"/{HEALTH}/{name}"] for name in ("Check", "List")}
        )
        if tcp:
            self.port = listen.bind(server, where, tls)
            self.address = listen.Address(where.host, self.port)
            self.tls = tls is not None
        if socket:
            listen.bind_socket(server, assistant.folder.socket_path)
            self.socket_path = assistant.folder.socket_path
            self._probe(doors.probe)
        indexes = assistant.indexes
        self.metrics.gauge(
            "alejo_index_bytes", "What the indexes of all users take in memory.", lambda: float(indexes.held)
        )
        if metrics and settings["server.metrics_address"]:
            self._open_metrics()
        with contextlib.suppress(AlejoError):  # it is looked at again and again, and then told
            await assistant.reflection.status.look()
        await server.start()
        if self.port is not None:
            self._connections = Connections(self.port, settings["limits.connections_per_address"])
            self.metrics.gauge(
                "alejo_connections_closed",
                "Connections that were closed because their address had too many.",
                self._closed_connections,
            )
        hours = settings["data.compact_hours"]
        self._chores = [asyncio.create_task(compacting.rounds(assistant, hours))]
        self._workers = Workers(assistant, own=assistant.part is Part.SERVER)
        self._workers.observe(self.metrics)
        await self._workers.open()
        # What stands now stands until the end: the collector need not look at it again with every sweep.
        if gc.isenabled():  # in a process that did other things before, whose garbage must not stand
            gc.collect()
        gc.freeze()
        gc.enable()
        give_back()

    def _closed_connections(self) -> float:
        return float(self._connections.closed) if self._connections is not None else 0.0

    def _probe(self, path: str) -> None:
        """Lets the backlog call this server, as others do."""
        assert self._gate is not None  # noqa: S101  made with the doors
        channel = self._channel = grpc.aio.insecure_channel(f"unix:{self.socket_path}")
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
        backlog = self._gate.backlog

        def send(number: int) -> None:
            sent = call(b"")
            sent.add_done_callback(lambda _: backlog.ended(number))
            self._sent.append(sent)

        backlog.send = send

    def _open_metrics(self) -> None:
        where = listen.address(self._assistant.settings, "server.metrics_address")
        try:
            self._scrape = Scrape(self.metrics, where.host, where.port)
        except OSError as error:
            raise listen.unusable(where, "server.metrics_address", error) from None
        self.metrics_port = self._scrape.port

    def _doors(self, where: listen.Address) -> _Doors:
        assistant, settings = self._assistant, self._assistant.settings
        # A proxy on this machine makes strangers look like loopback; behind an open address only the socket is trusted.
        kinds = {"unix", "loopback"} if where.loopback else {"unix"}
        gate = self._gate = Gate(
            assistant.keys,
            self.metrics,
            limits=Limits.of(settings),
            local=frozenset(kinds) if settings["server.local_user"] else frozenset(),
            anyone=not where.loopback and settings["server.allow_insecure"] == listen.INSECURE,
        )
        self._health = Health(assistant.plugins, assistant.reflection)
        self._count_plugins(assistant.plugins)
        self._count_cache(assistant.cache)
        assistant.reflection.status.observe(self.metrics)
        assistant.models.observe(self.metrics)
        assistant.attention.observe(self.metrics)
        assistant.prediction.observe(self.metrics)
        text = "Events that observers of a plugin missed."
        self.metrics.counter("alejo_events_dropped", text, "plugin", assistant.events.dropped)
        answers = services(assistant) | {HEALTH: self._health}
        if settings["server.reflection"]:
            reflection = Reflection((*OWN_SERVICES, HEALTH, *REFLECTION))
            answers |= dict.fromkeys(REFLECTION, reflection)
        return doors(gate, answers, reflection=settings["server.reflection"])

    def _count_plugins(self, plugins: PluginHost) -> None:
        def by_plugin(field: str) -> Callable[[], Mapping[str, float]]:
            return lambda: {status.name: getattr(status, field) for status in plugins.statuses()}

        for name, field, text in (
            ("alejo_plugin_calls", "calls", "Calls of a plugin."),
            ("alejo_plugin_failures", "failures", "Calls of a plugin that failed or ran out of time."),
            ("alejo_plugin_call_seconds", "call_seconds", "How long the calls of a plugin took."),
            ("alejo_plugin_loop_stall_seconds", "stall_seconds", "How long a plugin held up its event loop."),
        ):
            self.metrics.counter(name, text, "plugin", by_plugin(field))

    def _count_cache(self, cache: Cache) -> None:
        def by_tier(field: str) -> Callable[[], Mapping[str, float]]:
            return lambda: {name: getattr(counts, field) for name, counts in cache.counts().items()}

        for name, field, text in (
            ("alejo_cache_hits", "hits", "Values that a tier of the cache had."),
            ("alejo_cache_misses", "misses", "Values that a tier of the cache did not have."),
            ("alejo_cache_evictions", "evictions", "Entries that had to make room in a tier of the cache."),
            ("alejo_cache_expired", "expired", "Entries that outlived their time in a tier of the cache."),
            ("alejo_cache_loads", "loads", "Values that were made as no tier had them."),
            ("alejo_cache_load_failures", "failures", "Values that could not be made, or on disk not be kept."),
            ("alejo_cache_load_seconds", "load_seconds", "How long values took to be made."),
        ):
            self.metrics.counter(name, text, "tier", by_tier(field))
        for name, tiers, text in (
            ("alejo_cache_memory_bytes", NAMESPACES, "What the caches hold in memory."),
            ("alejo_cache_disk_bytes", ("disk",), "What the caches hold on disk."),
        ):
            self.metrics.gauge(name, text, partial(_held, cache, tiers))

    async def drain(self, seconds: float | None = None) -> None:
        """Refuses new calls, lets those under way finish for at most `seconds` (server.drain_seconds), and stops.

        Returns when the server has stopped. Called again while it drains, it stops at once.
        """
        if self._draining is None:
            budget = self._assistant.settings["server.drain_seconds"] if seconds is None else seconds
            self._draining = asyncio.create_task(self._drain(budget))
        else:
            self._hurry.set()
        await asyncio.shield(self._draining)

    async def _drain(self, seconds: float) -> None:
        gate, health = self._gate, self._health
        end = time.monotonic() + seconds
        try:
            if gate is not None and health is not None:
                health.drain()
                gate.close()
                if self._workers is not None:
                    self._workers.stop()  # beside the calls that finish
                await self._emptied(gate, max(0.0, seconds - _LAST_SECONDS))
                unfinished = gate.end()
                await self._emptied(gate, _LAST_SECONDS / 2)
                await self._quieted(gate, end)
                log.get().info("drained", seconds=round(seconds - (end - time.monotonic()), 3), unfinished=unfinished)
            if self._server is not None:
                hurried = self._hurry.is_set()
                await self._server.stop(None if hurried else min(_LAST_SECONDS, max(0.1, end - time.monotonic())))
        finally:
            await self._close()

    async def _emptied(self, gate: Gate, seconds: float) -> None:
        """Waits until no call is under way, for so long or until there is a hurry."""
        waiting = [asyncio.ensure_future(gate.empty.wait()), asyncio.ensure_future(self._hurry.wait())]
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    async def _quieted(self, gate: Gate, end: float) -> None:
        """Waits until no more calls come, at most until `end`."""
        while not self._hurry.is_set():
            now = time.monotonic()
            rest = min(gate.last_seen + _QUIET_SECONDS, end) - now
            if rest <= 0:
                return
            await asyncio.sleep(rest)

    async def _close(self) -> None:
        for chore in self._chores:
            chore.cancel()
        if self._gate is not None:
            self._gate.stop()
        if self._channel is not None:
            await self._channel.close()
        if self._connections is not None:
            self._connections.stop()
        if self._server is not None:
            await self._server.stop(None)
        if self._workers is not None:
            await self._workers.close()
        if self._scrape is not None:
            scrape, self._scrape = self._scrape, None
            await asyncio.to_thread(scrape.close)
        if self.socket_path is not None:
            with contextlib.suppress(FileNotFoundError):
                self.socket_path.unlink()
        if self._lock is not None:
            self._lock.close()
        self._stopped.set()

    async def wait(self) -> None:
        """Returns when the server has stopped."""
        await self._stopped.wait()

    def lines(self) -> list[str]:
        """What to tell who starts it: where it listens, who may come, and a call to try."""
        settings = self._assistant.settings
        told = []
        if self.address is not None:
            told.append(f"Listening on {self.address}{' with TLS' if self.tls else ''}.")
        if self.socket_path is not None:
            told.append(f"Listening on unix:{self.socket_path}.")
        if self.metrics_port is not None:
            told.append(f"Metrics on http://127.0.0.1:{self.metrics_port}/metrics.")
        dead = sum(depth.dead for depth in self._assistant.reflection.status.last.depths)
        if dead:
            told.append(f"! {dead} job{'' if dead == 1 else 's'} failed for good. Try: alejo jobs list --state dead")
        if settings["server.local_user"]:
            told.append("Callers on this machine need no key; they are the user local/me.")
        if self.address is not None and not self.address.loopback and settings["server.allow_insecure"]:
            told.append(f"As server.allow_insecure says: {listen.INSECURE}, while there are no keys.")
        if self.address is not None:
            told.append(f"Try it: {self._curl()}")
        return told

    def _curl(self) -> str:
        host = "127.0.0.1" if self.address is None or self.address.host in {"0.0.0.0", "::"} else self.address.host  # noqa: S104
        where = listen.Address(host, self.port or 0)
        how = f"https://{where}" if self.tls else f"--http2-prior-knowledge http://{where}"
        key = "" if self.address is None or self.address.loopback else " -H 'authorization: Bearer YOUR_KEY'"
        return f"""buf curl --protocol grpc{key} -d '{{"text": "Hello"}}' {how}/alejo.v1.ChatService/Chat"""


def _held(cache: Cache, tiers: Sequence[str]) -> float:
    counts = cache.counts()
    return float(sum(counts[tier].bytes for tier in tiers if tier in counts))


def services(assistant: Assistant) -> dict[str, object]:
    """What answers for each of ALEJO's own services."""
    return {
        "alejo.v1.ChatService": ChatCalls(assistant.conversation, assistant.reminders),
        "alejo.v1.MemoryService": MemoryCalls(
            assistant.memories, assistant.keeper, assistant.profiles, assistant.learning.likings
        ),
        "alejo.v1.OwnershipService": OwnershipCalls(assistant),
        "alejo.v1.FactsService": FactsCalls(assistant.facts),
        "alejo.v1.SessionsService": SessionsCalls(assistant.sessions),
        "alejo.v1.EmotionService": MoodsCalls(assistant.moods),
        "alejo.v1.RemindersService": RemindersCalls(assistant.reminders),
        "alejo.v1.LearningService": LearningCalls(assistant.learning),
        "alejo.v1.JobsService": JobsCalls(assistant.reflection, assistant.clock),
        "alejo.v1.VisionService": VisionCalls(assistant.uploads),
        "alejo.v1.PluginsService": PluginsCalls(assistant.plugins),
        "alejo.v1.AdminService": AdminCalls(assistant),
    }


def doors(gate: Gate, answers: Mapping[str, object], *, reflection: bool) -> _Doors:
    """Every method behind the gate. Raises AttributeError for a method that nothing answers."""
    handlers = {f"/{one.label}": _handler(gate, one, answers[one.service]) for one in methods(reflection=reflection)}
    return _Doors(gate, handlers)


def _handler(gate: Gate, method: Method, answers: object) -> grpc.RpcMethodHandler[Any, Any]:
    answer = getattr(answers, method.attribute)
    # To gRPC every request is a stream, which looks the same on the wire: so the gate reads it, after it has seen who
    # calls, and within limits.first_message_seconds.
    if method.gives_many or method.asks_many:  # nor can a client tell one response from a stream of one
        return grpc.stream_stream_rpc_method_handler(gate.stream(method, answer))
    return grpc.stream_unary_rpc_method_handler(gate.unary(method, answer))


async def serve(assistant: Assistant, *, announce: Callable[[Server], None] | None = None) -> None:
    """Serves until SIGTERM or SIGINT, then drains; a second signal stops at once. Raises StartupError."""
    listen.widen()
    server = Server(assistant)
    await server.start()
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    hurried = asyncio.Event()

    def heard() -> None:
        (hurried if asked.is_set() else asked).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, heard)
    try:
        if announce is not None:
            announce(server)
        await asked.wait()
        draining = asyncio.create_task(server.drain())
        hurry = asyncio.create_task(hurried.wait())
        await asyncio.wait([draining, hurry], return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not draining.done():
            await server.drain()
        await draining
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        await server.drain(0.0)
