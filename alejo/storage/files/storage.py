"""The `files:` backend: sessions and memories as folders that people read, edit and put under version control.

All that is stored is plain, in memory while the storage is open, and on disk in two kinds of files: those of `pages`,
and the log, which holds all else and says which file is which record. Any number of processes may have the folder open:
each takes the lock to write, and reads what the others added to the log before it does anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import structlog

from alejo.clock import Clock, SystemClock
from alejo.errors import AlejoError, FailedPrecondition, StartupError, StorageFull, Unavailable
from alejo.ids import Ids
from alejo.storage import Append, Batch, Delete, Freeing, Put, Record
from alejo.storage.disk import NO_ROOM, sync
from alejo.storage.keyring import PREFIX_BYTES
from alejo.storage.keys import PREFIXES, check_key
from alejo.storage.presence import Presence
from alejo.storage.tables import CHANGES, MEMORIES_BY_TIME, SCOPES, TOPICS, TURNS, VERSIONS
from alejo.types import Scope

from . import pages
from .edits import Edits, Refusal, batches
from .group import USUAL, Group
from .log import DAMAGED, Entry, Files, Line, Log
from .outside import Outside
from .rows import Rows
from .text import Wrong
from .tree import OWN, USERS, Place, Tree

T = TypeVar("T")
GROUP_BATCHES = 256
_WATCHED = frozenset({*pages.PEOPLE, CHANGES.name, MEMORIES_BY_TIME.name})
_REST = 10.0  # a look at a user's files is followed by so many times its length without one
_GARBAGE = 1000  # rows of the log that count no more, before it is written anew at the end
_WORDY = frozenset({TOPICS.name, TURNS.name, VERSIONS.name})  # the tables of the log that tell what was felt or said
_IGNORED = "# What ALEJO keeps for itself; without it, all that stands in users/ is taken anew.\n" + "".join(
    f"/{name}\n"
    for name in (
        *(OWN + "/", "alejo.json", "alejo.relay", "alejo.sock", "cache/", "indexes/", "plugins.json", "server.lock"),
        "workers/",
    )
)
_ATTRIBUTES = "# A text is what it is to the byte.\n* -text\n"


class FilesStorage:
    """A folder of files; see Storage. Edits may go unseen for `rest` times the length of a look.

    `versions` is how many former versions of a memory that people edit are kept.
    """

    versions = 100

    def __init__(self, root: Path, *, clock: Clock | None = None, rest: float = _REST) -> None:
        """Opens or makes the folder. Raises StartupError."""
        clock = clock or SystemClock()
        self.root = root
        self._clock = clock
        self._ids = Ids(clock)
        self.rest = rest
        self._reading = threading.Lock()  # held to change what reads see
        self._thread = ThreadPoolExecutor(1, "alejo-files")
        self._waiting: list[tuple[Batch, asyncio.Future[int]]] = []
        self._flight: asyncio.Task[None] | None = None
        self._closing = self._closed = self._failed = self._current = False
        self._due: dict[bytes, float] = {}
        self._commits = self._groups = 0
        self._entries = 0  # of the log
        self._stale = 0  # since when the log has words of a record that is gone, in µs
        try:
            self._prepare()
            with self._locked():
                self._load()
                for prefix in list(self._tree.homes):
                    self._look(prefix)
        except OSError as error:
            raise StartupError(
                f"The folder {root} cannot be used: {error.filename or root}: {error.strerror}.",
                hint="Name a folder you may write, on a local disk with room.",
                exit_code=DAMAGED,
            ) from error

    @classmethod
    def open(cls, path: Path) -> FilesStorage:
        """Opens or makes the folder `path`. Raises StartupError, saying what helps."""
        return cls(path)

    # Storage

    async def commit(self, batch: Batch) -> int:
        """See Storage. A cancelled caller stops waiting; the batch is committed all the same."""
        if self._closing or self._failed:
            raise self._gone()
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, future))
        if self._flight is None or self._flight.done():
            self._flight = asyncio.create_task(self._fly())
        return await future

    async def get(self, table: str, key: bytes) -> Record | None:
        """See Storage."""
        stored = PREFIXES[table] + check_key(key)
        await self._catch_up(table, key)
        with self._reading:
            return self._rows.get(stored)

    async def many(self, table: str, keys: Sequence[bytes]) -> list[Record | None]:
        """See Storage."""
        stored = [PREFIXES[table] + check_key(key) for key in keys]
        for prefix in {key[:PREFIX_BYTES] for key in keys}:
            await self._catch_up(table, prefix)
        with self._reading:
            return [self._rows.get(each) for each in stored]

    async def scan(
        self, table: str, prefix: bytes, *, after: bytes = b"", limit: int = 100, reverse: bool = False
    ) -> list[Record]:
        """See Storage."""
        if max(len(prefix), len(after)) > 400:
            raise ValueError("a prefix has at most 400 bytes")
        await self._catch_up(table, prefix)
        with self._reading:
            return self._rows.scan(table, prefix, after, limit, reverse=reverse)

    async def close(self) -> None:
        """See Storage. A second call does nothing."""
        self._closing = True
        while self._flight is not None and not self._flight.done():
            await asyncio.wait([self._flight])
        if not self._closed:
            self._closed = True
            await self._run(self._end)
            self._thread.shutdown()

    # Beyond Storage

    async def look(self) -> None:
        """Takes up now what people did to the files, of every user."""
        await self._run(self._look_at_all)

    def residue(self) -> int | None:
        """Since when, in µs, the log tells of what was deleted; None if it does not."""
        return self._stale or None

    async def compact(self) -> tuple[int, int]:
        """Writes the log anew without what counts no more; returns its bytes before and after.

        Raises StorageFull, Unavailable; then it is as it was.
        """
        return await self._run(self._compact)

    def alone(self) -> AbstractContextManager[None]:
        """Keeps every other process out for the block. Raises FailedPrecondition if one has the folder open."""
        return self._presence.alone()

    def stats(self) -> dict[str, int]:
        """Counts since the start: batches committed, and the groups they went in; records now."""
        return {"commits": self._commits, "groups": self._groups, "records": len(self._rows)}

    @property
    def refused(self) -> list[Refusal]:
        """The files that are no records as they are; they are left alone."""
        return sorted(self._outside.refused.values())

    @property
    def users(self) -> dict[bytes, Scope]:
        """The users whose folders are known, by tenant and user as keys begin."""
        with self._reading:
            rows = self._rows.scan(SCOPES.name, b"", b"", len(self._rows), reverse=False)
            return {row.key: pages.decode(SCOPES.name, row.value) for row in rows}

    @property
    def strangers(self) -> list[Scope]:
        """Whose folders in users/ are not known yet; their files are taken once the user has a record of SCOPES."""
        return list(self._strangers())

    # In the thread, one at a time

    def _prepare(self) -> None:
        own = self.root / OWN
        (own / "new").mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.root / USERS).mkdir(exist_ok=True, mode=0o700)
        for name, text in ((".gitignore", _IGNORED), (".gitattributes", _ATTRIBUTES)):
            with contextlib.suppress(FileExistsError), (self.root / name).open("x", encoding="utf-8") as file:
                file.write(text)
        self._presence = Presence(own)
        self._lock = os.open(own / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for folder in (own, self.root, self.root.parent):
            sync(folder)
        self._log = Log(own / "log.jsonl")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """The right to write, against every other process."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            self._current = False
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _load(self) -> None:
        """Reads the whole log, and every file it names. What is not as it says is left for a look."""
        self._rows, self._tree = Rows(), Tree(self.root)
        self._outside = Outside(self._tree, self._ids, self._clock.now, self._holds)
        self._entries = 0
        self._due.clear()
        lines = self._log.read()
        versions = self._replay(lines)
        self._tree.recover()
        for place, version in versions.items():
            self._read(place, version)

    def _holds(self, place: Place) -> bool:
        return self._rows.get(_stored(place)) is not None

    def _replay(self, lines: list[Line]) -> dict[Place, int]:
        """Takes up lines of the log; returns the records among them that are in files, with their versions."""
        found: dict[Place, int] = {}
        last = 0
        for line in lines:
            if line.settled >= last:
                self._tree.forget_leaving()
            last = line.sequence
            self._entries += len(line.entries)
            for entry in line.entries:
                place = (entry.table, entry.key)
                self._note_stale([place])
                self._tree.note(place, entry.files, line.sequence)
                found.pop(place, None)
                if entry.files is not None:
                    found[place] = line.sequence
                elif entry.value is not None:
                    self._rows.put(_stored(place), Record(entry.key, entry.value, line.sequence))
                else:
                    self._rows.remove(_stored(place))
        return found

    def _read(self, place: Place, version: int) -> None:
        """Reads a record from its files, if they are as the log says."""
        page = self._outside.read(place)
        if page is None:
            self._rows.remove(_stored(place))
        else:
            self._rows.put(_stored(place), Record(place[1], pages.encode(page), version))

    def _follow(self) -> None:
        """Takes up what other processes wrote. The lock is held."""
        with self._reading:
            if self._log.replaced():
                self._load()
            elif self._log.behind():
                versions = self._replay(self._log.read())
                self._tree.forget_leaving()
                for place, version in versions.items():
                    self._read(place, version)
        self._current = True

    def _look(self, prefix: bytes) -> None:
        """Takes up what was done to a user's files. The lock is held, and the log followed."""
        began = time.perf_counter()
        edits = self._outside.look(prefix)
        try:
            self._take_over(prefix, edits)
        except BaseException as error:
            self._tree.unsee(edit.files for edit in edits.put)  # the next look finds them again
            if not isinstance(error, OSError) or error.errno not in NO_ROOM:
                raise
            structlog.get_logger().warning("edits wait until there is room", folder=str(self.root))
        ended = time.perf_counter()
        self._due[prefix] = ended + (ended - began) * self.rest

    def _take_over(self, prefix: bytes, edits: Edits) -> None:
        if edits.put or edits.gone:
            ready = {edit.place: edit.files for edit in edits.put}
            for error in self._write(batches(edits, self._rows, prefix, self._clock.now(), self.versions), ready):
                if isinstance(error, Exception):
                    raise error

    def _look_at_all(self) -> None:
        with self._locked():
            self._follow()
            for prefix in list(self._tree.homes):
                self._look(prefix)

    def _look_if_due(self, prefix: bytes) -> None:
        with self._locked():
            self._follow()
            if self._is_due(prefix):
                self._look(prefix)

    def _is_due(self, prefix: bytes) -> bool:
        return prefix in self._tree.homes and time.perf_counter() >= self._due.get(prefix, 0.0)

    def _attempt(self, batches: list[Batch]) -> list[int | Exception]:
        """Commits batches; what each came to."""
        if self._failed:
            return [self._gone()] * len(batches)
        try:
            with self._locked():
                self._follow()
                if error := self._look_at_touched(batches):
                    return [error] * len(batches)
                try:
                    return self._write(batches)
                except OSError as error:
                    if error.errno not in NO_ROOM:
                        raise
                return [self._write_alone(each) for each in batches]
        except Exception as error:  # noqa: BLE001  # what is on the disk now is not known: only a new start can tell
            self._failed = True
            structlog.get_logger().error("the storage stopped", folder=str(self.root), why=str(error))
            return [self._gone()] * len(batches)

    def _write_alone(self, batch: Batch) -> int | Exception:
        """Commits a batch by itself when there is hardly any room."""
        frees = isinstance(batch, Freeing) or not any(isinstance(operation, (Put, Append)) for operation in batch)
        try:
            return self._write([batch], reserve=frees)[0]
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            return self._no_room()

    def _look_at_touched(self, batches: list[Batch]) -> Exception | None:
        """Takes up what was done to the files of records that are about to be written: the edit comes first."""
        try:
            self._look_at(step for batch in batches for step in batch if isinstance(step, (Put, Delete)))
        except OSError as error:
            return Unavailable(f"The files cannot be read: {error.strerror}.", retry_after=30.0)
        return None

    def _look_at(self, steps: Iterator[Put | Delete]) -> None:
        for step in steps:
            files = self._tree.places.get((step.table, step.key))
            if files and not self._tree.untouched(files):
                self._look(step.key[:PREFIX_BYTES])

    def _write(
        self, batches: list[Batch], ready: Mapping[Place, Files] | None = None, *, reserve: bool = False
    ) -> list[int | Exception]:
        """Writes a group: its files under names for now, the log, and then the names. Raises OSError as Log.append.

        `ready` are records that people wrote the files of, if it was they who wrote.
        """
        group = Group(self._rows, self._tree, self._strangers)
        base = sequence = self._log.sequence
        settled = base if self._tree.settled else 0
        outcomes: list[int | Exception] = []
        lines: list[Line] = []
        brought: dict[str, Path] = {}
        written: list[Path] = []
        try:
            for each in batches:
                try:
                    staged = group.stage(each, sequence + 1, ready or {})
                    if ready is None:
                        self._check_refused(staged.rows)
                except Exception as error:  # noqa: BLE001  # a batch that is wrong fails alone, whatever is wrong with it
                    outcomes.append(error)
                    continue
                for path, content in staged.contents.items():
                    brought[path] = self._tree.bring(path, content)
                    written.append(brought[path])
                group.keep(staged)
                sequence += 1
                outcomes.append(sequence)
                lines.append(Line(sequence, base, settled, staged.entries))
            if written:
                self._tree.sync_new(written)
            if lines:
                self._log.append(lines, reserve=reserve)
                self._commits += len(lines)
                self._groups += 1
        except BaseException:
            for temporary in written:
                temporary.unlink(missing_ok=True)
            raise
        self._take(group, lines, brought, written)
        return outcomes

    def _take(self, group: Group, lines: list[Line], brought: dict[str, Path], written: list[Path]) -> None:
        """Makes a group seen that is on the disk, and gives its files their names."""
        self._note_stale(group.rows)
        with self._reading:
            for line in lines:
                self._entries += len(line.entries)
                for entry in line.entries:
                    self._tree.note((entry.table, entry.key), entry.files, line.sequence)
            for place, record in group.rows.items():
                if record is None:
                    self._rows.remove(_stored(place))
                else:
                    self._rows.put(_stored(place), record)
        for path, temporary in brought.items():
            if path in self._tree.owners:
                self._tree.arrive(path, temporary)
            else:  # a later batch of the group removed it
                temporary.unlink()
        for temporary in set(written) - set(brought.values()):
            temporary.unlink()
        for path, error in self._tree.settle():
            structlog.get_logger().warning("a file cannot be written yet", file=path, why=error.strerror)

    def _note_stale(self, places: Iterable[Place]) -> None:
        """Notes if a row with words, in the log, counts no more once these records are written."""
        if not self._stale and any(place[0] in _WORDY and self._rows.get(_stored(place)) for place in places):
            self._stale = self._clock.now()

    def _check_refused(self, rows: Mapping[Place, Record | None]) -> None:
        for place in rows:
            refusal = self._outside.refusal(place)
            if refusal is not None:
                raise FailedPrecondition(f"The file was changed by hand and cannot be read: {refusal}.")

    def _strangers(self) -> dict[Scope, str]:
        """The folders in users/ that belong to nobody yet, by whose they say they are."""
        found: dict[Scope, str] = {}
        known = {scope: self._tree.homes.get(prefix, "") for prefix, scope in self.users.items()}
        for home in self._tree.strangers():
            path = f"{home}/{pages.USER}"
            try:
                scope = self._whose(home)
                if others := known.get(scope) or found.get(scope):
                    raise Wrong(1, f"says that it is the folder of who has {others}")
                found[scope] = home
            except (Wrong, OSError) as error:
                self._outside.refuse(path, error)
        return found

    def _whose(self, home: str) -> Scope:
        """The user that a folder in users/ says it belongs to. Raises Wrong, OSError."""
        try:
            return pages.parse_user(self._tree.read(f"{home}/{pages.USER}")[0])
        except FileNotFoundError:
            return Scope(USUAL, home.rpartition("/")[2])

    def _compact(self) -> tuple[int, int]:
        with self._locked():
            self._follow()
            before = self._log.end
            try:
                self._rewrite()
            except OSError as error:
                raise self._no_room() if error.errno in NO_ROOM else self._gone() from error
            return before, self._log.end

    def _rewrite(self) -> None:
        """Writes the log anew. The lock is held, and the log followed."""
        if not self._tree.settled:
            return
        self._tree.sync_names()  # the new log does not know what a file was before
        entries: dict[int, list[Entry]] = {}
        for place, files in self._tree.places.items():
            entries.setdefault(self._tree.versions[place], []).append(Entry(*place, None, files))
        for stored, record in self._rows.all():
            place = (stored.partition(b"\0")[0].decode(), record.key)
            if place not in self._tree.places:
                entries.setdefault(record.version, []).append(Entry(*place, record.value))
        self._log.rewrite(
            (Line(each, each - 1, each - 1, entries[each]) for each in sorted(entries)), self._log.sequence
        )
        self._entries, self._stale = len(self._rows), 0

    def _tidy(self) -> None:
        """Writes the log anew if it can be. The lock is held."""
        try:
            self._follow()
            self._rewrite()
        except (OSError, AlejoError) as error:
            structlog.get_logger().warning("the log was not written anew", folder=str(self.root), why=str(error))

    def _end(self) -> None:
        try:
            with self._locked():
                if not self._failed and (self._stale or self._entries > 2 * len(self._rows) + _GARBAGE):
                    self._tidy()
        finally:
            self._log.close()
            self._presence.close()
            os.close(self._lock)

    # On the loop

    async def _catch_up(self, table: str, key: bytes) -> None:
        """Before a read: follows other processes, and looks at the files if it is about them."""
        if self._closed or self._closing:
            raise self._gone()
        prefix = key[:PREFIX_BYTES]
        try:
            if table in _WATCHED and self._is_due(prefix):
                await self._run(self._look_if_due, prefix)
            elif not self._current and self._log.behind():
                await self._run(self._follow_locked)
        except OSError as error:
            raise Unavailable(f"The files cannot be read: {error.strerror}.", retry_after=30.0) from error

    def _follow_locked(self) -> None:
        with self._locked():
            self._follow()

    async def _fly(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting[:GROUP_BATCHES], self._waiting[GROUP_BATCHES:]
            outcomes = await self._run(self._attempt, [batch for batch, _ in taken])
            for (_, future), outcome in zip(taken, outcomes, strict=True):
                if future.done():  # cancelled
                    continue
                if isinstance(outcome, Exception):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)

    async def _run(self, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    @staticmethod
    def _no_room() -> StorageFull:
        return StorageFull("There is no room for writes; reads and deletes still work.", retry_after=30.0)

    def _gone(self) -> Unavailable:
        if self._closing:
            return Unavailable("The storage is closed.")
        return Unavailable("The disk failed; the storage must be opened again.", retry_after=30.0)


def _stored(place: Place) -> bytes:
    return PREFIXES[place[0]] + place[1]
