"""The assistant: every room, put together in one place. The server serves this object; a program may use it too."""

from __future__ import annotations

import asyncio
import enum
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from importlib.metadata import EntryPoint
from os import PathLike
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import structlog

from alejo import log
from alejo import settings as settings_room
from alejo._core import CacheDisk, InvalidValue
from alejo.cache import Cache
from alejo.clock import Clock, SystemClock, time_zone
from alejo.conversation import Conversation
from alejo.conversation.desk import Rooms
from alejo.conversation.looking import Looking
from alejo.conversation.moods import Moods
from alejo.conversation.turns import Turns
from alejo.conversation.uploads import Uploads
from alejo.conversation.workspace import Attention
from alejo.conversation.workspace import Policy as AttentionPolicy
from alejo.errors import FailedPrecondition, StartupError, StorageFull, Unavailable
from alejo.events import Events
from alejo.identity import LOCAL, Keys
from alejo.ids import Ids
from alejo.learning import Learning, Track, tracking
from alejo.memory import Correcting, Facts, Memories, vectors
from alejo.memory.activity import Activity
from alejo.memory.context import QUOTAS
from alejo.memory.indexes import Indexes
from alejo.memory.keeper import Keeper
from alejo.memory.layers import Layers
from alejo.memory.prediction import Prediction
from alejo.memory.remember import Remember
from alejo.memory.weights import Weights
from alejo.models import Accounts, Gauge, LanguageModels, Policy, exact
from alejo.models.accounts import prices
from alejo.models.answers import Answers
from alejo.outcomes import Receipt
from alejo.ownership import Erasures, Ownership
from alejo.plugins import SWITCHES, Candidate, PluginHost
from alejo.profiles import Profiles
from alejo.queue.presence import Presence
from alejo.queue.promises import LEARNING, REFLECTION
from alejo.reflection import Processing, Reflection
from alejo.reflection.crew import first
from alejo.reflection.processors import Reflecting
from alejo.reflection.reflection import Patience
from alejo.reflection.statistics import Statistics
from alejo.reminders import Reminders
from alejo.sessions import Sessions
from alejo.settings import Settings
from alejo.storage import Storage
from alejo.storage.blobs import Blobs
from alejo.storage.files import FilesStorage
from alejo.storage.folder import Folder
from alejo.storage.journal import Journal
from alejo.storage.lmdb import LmdbStorage
from alejo.storage.opener import open_store
from alejo.storage.relayed import Relayed, admitted
from alejo.storage.requests import Requests
from alejo.storage.store import Store
from alejo.storage.versions import Versions
from alejo.types import Answer, Ask, Event, Hit, Memory, MemoryDraft, Page, Scope, Session
from alejo.zones import Zones

_MIB = 1 << 20
_CLEARING_SECONDS = 10.0
_MODES = ("background", "synchronous")


class Part(enum.Enum):
    """What of the work on a data folder an assistant does."""

    WHOLE = "whole"
    SERVER = "server"  # all but reflection, which is its workers'
    WORKER = "worker"  # reflection alone, beside the folder's server if there is one


class Assistant:
    """What `alejo.open` gives: conversation, sessions, memories, keys and plugins over one data folder.

    The rooms take a scope with every call. `chat`, `stream`, `remember` and `recall` are the short way for a program
    with one user.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        folder: Folder,
        storage: Storage,
        store: Store,
        plugins: PluginHost,
        presence: Presence | None = None,
        part: Part = Part.WHOLE,
    ) -> None:
        self.part = part
        self.cleared: Callable[[], AbstractAsyncContextManager[None]] = nullcontext  # keeps workers out of the folder
        self.settings = settings
        self.clock = clock
        self.folder = folder
        self.storage = storage
        self.storage_name = settings.storage_url.partition(":")[0]
        self.plugins = plugins
        self.started_at = clock.now()
        self.events = Events(plugins, settings["plugins.events"])
        self.ids = ids = Ids(clock)
        self.store = store
        layers = Layers.of(settings)
        journal = Journal(store, ids, clock, immediate=layers.immediate_messages)
        requests = Requests(store, clock)
        self.activity = activity = Activity()
        self.cache = cache = _cache(store, settings, clock, folder)
        self.keys = Keys(store, ids, clock)
        versions = Versions(store, settings["memory.versions"])
        self.profiles = Profiles(store, requests, clock)
        self._journal = journal
        self._blobs = blobs = Blobs(store, folder.indexes_path)
        self.indexes = Indexes(
            store,
            cache,
            blobs,
            room=settings["memory.index_mb"] * _MIB,
            idle=settings["memory.idle_seconds"],
            plugins=plugins,
            kind=settings["memory.vector_index"],
        )
        weights = Weights(
            store,
            requests,
            clock,
            shared=settings["learning.shared"],
            sharing=settings["learning.sharing_tenants"],
        )
        self.learning = Learning(
            store, self.indexes, plugins, requests, weights, clock, personal=settings["learning.personal"]
        )
        self.zones = Zones(store, self.profiles.get, _zone(settings))
        self.facts = Facts(store, self.indexes, requests, plugins, versions, ids, clock, self.zones)
        self.models = LanguageModels(
            plugins,
            Policy.of(settings),
            _accounts(store, settings, clock),
            Answers.of(settings, cache),
            Gauge(store, exact(settings["model.tokenizers"])),
            clock,
        )
        self.reflection = Reflection(
            store,
            ids,
            clock,
            self.processors(),
            presence=presence,
            batch=settings["reflection.batch"],
            timeout=settings["reflection.timeout_seconds"],
            concurrency=settings["reflection.concurrency"],
            failed=lambda job: self.events.tell("job_failed", job.session_id, job),
            patience=_patience(settings),
            linger=settings["reflection.linger_seconds"] if part is Part.SERVER else 0.0,
        )
        promises = self.reflection.promises
        self.sessions = Sessions(store, journal, requests, versions, promises, ids, clock, cache, self._session_ended)
        remembering = Remember(store, journal, requests, plugins, activity, self.facts, promises, ids, clock)
        self.memories = Memories(
            store,
            journal,
            requests,
            self.indexes,
            plugins,
            remembering,
            versions,
            activity,
            cache,
            clock,
            self.events,
            self.zones,
            _quotas(settings),
            weights,
        )
        self.keeper = Keeper(
            store,
            journal,
            self.indexes,
            activity,
            self._layers_of,
            layers.immediate_idle_seconds,
            ids,
            clock,
            self.memories.forget,
            self.facts,
        )
        self.ownership = Ownership(store, clock)
        self.erasures = Erasures(storage, store, folder.keyring, clock)
        self.moods = Moods(store, requests, plugins, self.profiles.get, clock, _half_lives(settings))
        turns = Turns(store, journal, self.sessions, requests, remembering, promises, self.moods, ids, clock)
        correcting = Correcting(store, journal, self.indexes, self.memories, self.facts, clock)
        self.reminders = Reminders(store, journal, requests, ids, clock, self.moods.promise_kept)
        self.prediction = Prediction(store, self.indexes, clock, enabled=settings["prediction.enabled"])
        self.attention = Attention(turns, self.memories, plugins, self.events, AttentionPolicy.of(settings), clock)
        looking = Looking(plugins, self.models, self.memories)
        self.uploads = Uploads(plugins, looking, self.memories)
        self.conversation = Conversation(
            turns,
            Rooms(self.memories, self.facts, correcting, self.profiles, self.sessions, self.reminders, turns),
            plugins,
            ids,
            clock,
            settings["context.tokens"],
            self.models,
            self.events,
            self.reflection,
            self.attention,
            self.moods,
            self.prediction,
            looking,
        )
        self.asked_to_leave = asyncio.Event()  # by the server of the folder, see `work`
        self._layers = layers
        self._compacting = asyncio.Lock()
        self._clearing: set[asyncio.Task[bool]] = set()

    def processors(self) -> dict[str, Sequence[Processing]]:
        """What works through each kind of job."""
        reflectors = [
            Reflecting(
                slot.object.name,
                self.store,
                self.indexes,
                self.facts,
                self.plugins,
                self.profiles.get,
                self.ids,
                self.clock,
                self.zones,
                models=self.models,
            )
            for slot in self.plugins.every("reflector")
        ]
        return {REFLECTION: (Statistics(self.store), *reflectors), LEARNING: self.learning.processors}

    async def chat(self, text: str, *, session_id: str = "", request_id: str = "", scope: Scope = LOCAL) -> Answer:
        """Says something and returns the answer, on disk."""
        return await self.conversation.chat(scope, Ask(text, session_id, request_id))

    def stream(
        self, text: str, *, session_id: str = "", request_id: str = "", scope: Scope = LOCAL
    ) -> AsyncGenerator[Event, None]:
        """Says something and yields Accepted, pieces of text or the Replacement of them, and the Answer."""
        return self.conversation.stream(scope, Ask(text, session_id, request_id))

    async def start(self, title: str = "", *, origin: str = "", scope: Scope = LOCAL) -> Track:
        """Begins a session that is held elsewhere: `log` what is said in it, then `end` it."""
        return await tracking.start(self.sessions, self.memories, scope, title, origin)

    def pairs(self, form: str = "plain", *, personal: bool = True, scope: Scope = LOCAL) -> AsyncIterator[bytes]:
        """Questions and answers of sessions that have ended, as lines of JSON; `form` is plain or openai."""
        return self.learning.export(scope, form, personal=personal)

    async def remember(self, text: str, *, scope: Scope = LOCAL) -> Memory:
        """Remembers something, on disk."""
        return (await self.memories.remember(scope, MemoryDraft(text))).memories[0]

    async def recall(self, query: str, *, limit: int = 10, scope: Scope = LOCAL) -> list[Hit]:
        """The memories that match, best first."""
        return (await self.memories.recall(scope, query, Page(limit)))[0]

    async def _layers_of(self, scope: Scope) -> Layers:
        """The policy of the layers, with what a user prefers."""
        days = (await self.profiles.get(scope)).episodic_days
        return msgspec.structs.replace(self._layers, episodic_days=days) if days else self._layers

    def residue(self) -> int | None:
        """Since when, in µs, the files hold something that was deleted; None if they hold nothing."""
        return self.storage.residue() if isinstance(self.storage, LmdbStorage | FilesStorage) else None

    async def compact(self) -> tuple[int, int]:
        """Takes out of the files what was deleted; returns the bytes of the records' file before and after.

        Calls go on meanwhile. Raises FailedPrecondition if another process has the folder open, or if the records are
        kept in a way that has nothing to take out, StorageFull, Unavailable.
        """
        storage = self.storage
        if not isinstance(storage, LmdbStorage | FilesStorage):
            raise FailedPrecondition(f"The records are kept in {self.storage_name}:, which is not made anew by this.")
        async with self._compacting, self.cleared():
            sizes = await storage.compact()
            with storage.alone():
                await self.cache.renew(self._fresh_disk)
        return sizes

    async def erase(self, scope: Scope, token: str) -> tuple[Receipt, bool]:
        """Erases the user of a preview's token (`erasures.preview`); the receipt, and whether the files are clear too.

        They are not where they cannot be made anew now, or not within ten seconds: then with the next time they are.
        """
        vault = await self.store.vault(scope)
        receipt = await self.erasures.erase(scope, token)
        self.activity.take(scope)
        self._journal.cool(0)
        self.prediction.forget(scope)
        self.indexes.drop(scope)
        await self._blobs.sweep()
        if vault is not None:
            self.cache.erase(vault.name)
        if not self.residue():
            return receipt, True
        clearing = asyncio.get_running_loop().create_task(self._cleared())
        self._clearing.add(clearing)
        clearing.add_done_callback(self._clearing.discard)
        done, _ = await asyncio.wait({clearing}, timeout=_CLEARING_SECONDS)
        return receipt, bool(done) and clearing.result()

    async def _cleared(self) -> bool:
        try:
            await self.compact()
        except (FailedPrecondition, StorageFull, Unavailable):
            return False
        return True

    def _fresh_disk(self) -> CacheDisk | None:
        shutil.rmtree(self.folder.cache_path, ignore_errors=True)
        return _cache_disk(self.settings, self.folder)

    def _session_ended(self, scope: Scope, session: Session) -> None:
        self.activity.ended(scope, session.id)
        self.events.tell("session_ended", session.id, session)

    async def close(self) -> None:
        """Waits for what is under way, then closes plugins and storage."""
        await self.keeper.close()
        if self._clearing:
            await asyncio.wait(self._clearing)
        await self.reminders.bell.close()
        await self.conversation.close()
        await self.prediction.close()
        await self.reflection.close()
        await self.events.close()
        await self.plugins.close()
        await self.indexes.close()
        await self.cache.close()
        await self.store.close()


@asynccontextmanager
async def open_assistant(
    data: str | PathLike[str] | None = None,
    *,
    settings: Settings | None = None,
    clock: Clock | None = None,
    overrides: Mapping[str, Any] | None = None,
    entry_points: Iterable[EntryPoint] | None = None,
    given_plugins: Sequence[Candidate] = (),
    part: Part = Part.WHOLE,
) -> AsyncIterator[Assistant]:
    """Opens a data folder (made if it is new) and everything around it; closes it all at the end.

    `overrides` are settings by name, such as {"context.tokens": 4096}. `entry_points`
    replaces the plugins that are installed; `given_plugins` come beside them. A server and its workers each open
    their `part`. Raises StartupError with what helps.
    """
    log.hand_over()
    given = {**(overrides or {}), **({"data.path": str(data)} if data is not None else {})}
    chosen = settings if settings is not None else settings_room.read(overrides=given)
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        state = chosen.data_path / SWITCHES
        vectors.check(chosen["memory.vector_index"])
        plugins = await PluginHost.start(chosen, clock, entry_points=entry_points, given=given_plugins, state=state)
        stack.push_async_callback(plugins.close)
        url = chosen.storage_url
        brought = url.startswith("files:")
        folder = Folder.open(chosen.data_path, chosen.key_file, create=part is not Part.WORKER, brought=brought)
        presence = _presence(folder)
        stack.callback(presence.close)
        relayed = Relayed(folder.relay_path, presence.owner)
        storage, store = await open_store(
            folder,
            url,
            _openers(plugins),
            relayed=relayed if part is Part.WORKER else None,
            map_size=chosen["data.map_size_mb"] * _MIB,
            max_size=chosen["data.max_size_mb"] * _MIB,
        )
        plugins.hold("storage", chosen["data.storage"].partition(":")[0])
        if isinstance(storage, FilesStorage):
            storage.versions = chosen["memory.versions"]
            structlog.get_logger().warning("records are kept as plain text, as the owner chose", storage=url)
        assistant = Assistant(chosen, clock, folder, storage, store, plugins, presence, part)
        if part is Part.WORKER:
            await relayed.join(store)
            assistant.asked_to_leave = relayed.asked_to_leave
        else:
            assistant.keeper.start(chosen["memory.keeper_seconds"])
            assistant.reflection.watch()
        if part is Part.WORKER or (part is Part.WHOLE and chosen["reflection.workers"]):
            assistant.reflection.start()
        stack.pop_all()
        try:
            await assistant.erasures.resume()
            yield assistant
        finally:
            await assistant.close()


async def work(settings: Settings, stopping: asyncio.Event, began: Callable[[], None]) -> None:
    """Works through the jobs of a data folder until told to stop. Raises StartupError.

    When the folder's server makes its files anew it asks every worker to close them: then this opens them again.
    """
    while not stopping.is_set():
        async with open_assistant(settings=settings, part=Part.WORKER) as assistant:
            began()
            await first([stopping.wait(), assistant.asked_to_leave.wait()])
        await first([stopping.wait(), admitted(assistant.folder.relay_path)])


def _patience(settings: Settings) -> Patience:
    """How long reflection may take. Raises StartupError for a mode that is none."""
    mode = settings["reflection.mode"]
    if mode not in _MODES:
        why = f"reflection.mode must be {' or '.join(_MODES)}, not {mode}."
        raise StartupError(why, hint="alejo config show", exit_code=78)
    return Patience(
        settings["reflection.heard_seconds"],
        settings["reflection.late_seconds"],
        settings["reflection.lent_seconds"],
        mode == "synchronous",
    )


def _presence(folder: Folder) -> Presence:
    try:
        return Presence(folder.workers_path)
    except OSError as error:
        why = f"The folder {folder.workers_path} cannot be made: {error.strerror}."
        raise StartupError(why, hint="Name another data folder.", exit_code=73) from None


def _quotas(settings: Settings) -> dict[str, float]:
    """The quotas of a context's sections. Raises StartupError for one that is no part."""
    quotas = {section: float(settings[f"context.quotas.{section}"]) for section in QUOTAS}
    for section, quota in quotas.items():
        if not 0 <= quota <= 1:
            raise StartupError(
                f"context.quotas.{section} is a part, from 0 to 1, not {quota}.", hint="alejo config show", exit_code=78
            )
    return quotas


def _half_lives(settings: Settings) -> tuple[int, int]:
    """How long the mood and what is usual take to fade by half, in µs. Raises StartupError for no time at all."""
    hours, days = settings["emotion.mood_hours"], settings["emotion.usual_days"]
    for name, value in (("mood_hours", hours), ("usual_days", days)):
        if not 0 < value < 1e6:
            why = f"emotion.{name} must be more than 0, and less than a million, not {value}."
            raise StartupError(why, hint="alejo config show", exit_code=78)
    return max(1, round(hours * 3_600_000_000)), max(1, round(days * 86_400_000_000))


def _zone(settings: Settings) -> ZoneInfo:
    name = settings.time_zone
    zone = time_zone(name)
    if zone is None:
        why = f"context.time_zone: there is no time zone {name!r}."
        raise StartupError(why, hint='Name one as "Europe/Vienna".', exit_code=78)
    return zone


def _accounts(store: Store, settings: Settings, clock: Clock) -> Accounts:
    """The accounts as they are set. Raises StartupError for a price that is none."""
    known = prices(settings["model.prices"])
    return Accounts(store, clock, settings["model.daily_tokens"], settings["model.daily_cost"], known)


def _cache(store: Store, settings: Settings, clock: Clock, folder: Folder) -> Cache:
    """The caches as they are set, over the disk unless it cannot be used."""
    try:
        return Cache(
            store,
            clock,
            _cache_disk(settings, folder),
            entries=settings["cache.entries"],
            ttl=settings["cache.ttl_seconds"],
            idle=settings["cache.idle_seconds"],
            trace=Path(settings["cache.trace"]) if settings["cache.trace"] else None,
        )
    except (InvalidValue, OverflowError) as error:
        raise StartupError(f"The cache's settings: {error}.", hint="alejo config show", exit_code=78) from None
    except OSError as error:
        raise StartupError(f"cache.trace: {error}.", hint="Name a file you may write.", exit_code=73) from None


def _cache_disk(settings: Settings, folder: Folder) -> CacheDisk | None:
    try:
        if settings["cache.disk_mb"]:
            return CacheDisk(folder.cache_path, size=settings["cache.disk_mb"] * _MIB)
    except OSError as error:
        structlog.get_logger().warning("the caches are in memory only", folder=str(folder.cache_path), why=str(error))
    except InvalidValue as error:
        raise StartupError(f"cache.disk_mb: {error}.", hint="alejo config show", exit_code=78) from None
    return None


def _openers(plugins: PluginHost) -> dict[str, Callable[[str], Storage]]:
    """The storage openers by URL scheme: our own and those of plugins."""
    openers: dict[str, Callable[[str], Storage]] = {}
    for slot in plugins.every("storage"):
        openers.update(slot.object)
    return openers
