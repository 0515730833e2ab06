"""The `lmdb:` backend: one data file, one writer thread, and a group of batches for each sync of the disk.

Batches queue on the way in. The writer thread begins a transaction, the group is written into it, and the thread
commits it once: data synced, then the page that makes them valid (two flushes however many batches there are). LMDB's
defaults are kept on purpose: each of its faster flags loses or corrupts acknowledged records at a power cut.

Every record is stored as version (8 bytes) ‖ value under table ‖ NUL ‖ key, in one tree.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path

import lmdb
import structlog

from alejo.errors import Conflict, DataLoss, StartupError, StorageFull, Unavailable

from . import Append, Batch, Delete, Expect, Freeing, Put, Record
from .disk import NO_ROOM, sync
from .keys import PREFIXES, check_key, successor
from .mount import network_filesystem
from .presence import Presence
from .snapshot import Rewrite, data_file, full, reserve_lock

PAGE = 4096
GROUP_BATCHES = 256
GROUP_BYTES = 8 << 20
READER_CHECK_SECONDS = 60.0
KNOWN_VERSIONS = 16_384
SEQUENCE = b"\0sequence"  # no table begins with NUL
DELETED = b"\0deleted"  # when something was deleted first since the file was made anew, in µs
NEW = "anew-"  # what folders of a file that is made anew begin with
STEP = 256  # records that are copied at a time, half a millisecond
DAMAGED = 74  # EX_IOERR of sysexits(3)


class Pending:
    """A batch on its way to the disk, and what became of it: its sequence number or the error."""

    __slots__ = ("batch", "future", "loop", "outcome")

    def __init__(self, batch: Batch, future: asyncio.Future[int]) -> None:
        self.batch = batch
        self.future = future
        self.loop = future.get_loop()
        self.outcome: int | Exception = 0


class Group:
    """The batches of one write transaction."""

    def __init__(
        self, txn: lmdb.Transaction[bytes], source: deque[Pending], touched: set[bytes] | None, *, deletes_only: bool
    ) -> None:
        self.txn = txn
        self.touched = touched
        self.taken: list[Pending] = []
        self.written = 0
        self.last = 0
        self.versions: dict[bytes, int | None] = {}
        self._known: dict[bytes, int | None] = {}
        self._source = source
        self._deletes_only = deletes_only

    def fill(self, sequence: int, known: dict[bytes, int | None]) -> None:
        """Takes waiting batches in order until the group is full. Each is kept whole or fails alone.

        `sequence` is that of the last commit, `known` versions of rows as of then.
        """
        txn, source, taken, versions = self.txn, self._source, self.taken, self.versions
        self._known = known
        before = sequence
        put, delete, size, deleted = txn.put, txn.delete, 0, False
        while source and len(taken) < GROUP_BATCHES and size < GROUP_BYTES:
            pending = source.popleft()
            taken.append(pending)
            try:
                expected: set[bytes] = set()
                rows = self._stage(pending.batch, sequence + 1, expected)
            except lmdb.Error:
                raise
            except Exception as error:  # noqa: BLE001  # a batch that is wrong fails alone, whatever is wrong with it
                pending.outcome = error
                continue
            sequence += 1
            pending.outcome = sequence
            for key, data in rows.items():
                if data is None:
                    deleted |= delete(key)
                else:
                    put(key, data)
                    size += len(data)
                if key in expected or key in versions or key in known:
                    versions[key] = None if data is None else sequence
            if self.touched is not None:
                self.touched.update(rows)
        if sequence != before:
            put(SEQUENCE, sequence.to_bytes(8, "big"))
        if deleted:
            self._mark()
        self.written, self.last = sequence - before, sequence

    def _mark(self) -> None:
        """Notes since when the file holds what was deleted; one that is made anew meanwhile is to hold that too."""
        if self.touched is not None or self.txn.get(DELETED) is None:
            self.txn.put(DELETED, (time.time_ns() // 1000).to_bytes(8, "big"))
        if self.touched is not None:
            self.touched.add(DELETED)

    def _stage(self, batch: Batch, sequence: int, expected: set[bytes]) -> dict[bytes, bytes | None]:
        """What the batch writes, by stored key; None deletes. Raises Conflict, StorageFull, and what `seal` raises."""
        rows: dict[bytes, bytes | None] = {}
        stamp = sequence.to_bytes(8, "big")
        for place, operation in enumerate(batch):
            if isinstance(operation, Put):
                rows[PREFIXES[operation.table] + check_key(operation.key)] = stamp + operation.value
            elif isinstance(operation, Append):
                key = operation.prefix + stamp + place.to_bytes(2, "big")
                rows[PREFIXES[operation.table] + check_key(key)] = stamp + operation.seal(key)
            elif isinstance(operation, Delete):
                rows[PREFIXES[operation.table] + check_key(operation.key)] = None
            else:
                expected.add(self._expect(rows, operation))
        if self._deletes_only and not isinstance(batch, Freeing) and any(data is not None for data in rows.values()):
            raise no_room()
        return rows

    def _expect(self, rows: dict[bytes, bytes | None], expect: Expect) -> bytes:
        key = PREFIXES[expect.table] + check_key(expect.key)
        if key not in rows and key in self.versions:
            version = self.versions[key]
        elif key not in rows and key in self._known:
            version = self._known[key]
        else:
            stored = rows[key] if key in rows else self.txn.get(key)
            version = None if stored is None else int.from_bytes(stored[:8], "big")
        if version != expect.version:
            raise Conflict("The record changed since it was read.")
        return key


class LmdbStorage:
    """A data file shared by any number of processes; one object per path in each of them."""

    def __init__(self, path: Path, environment: lmdb.Environment, presence: Presence, *, max_size: int) -> None:
        self._path = path
        self._presence = presence
        self._touched: set[bytes] | None = None  # keys written since the file began to be made anew
        self._env = environment
        self._size = environment.info()["map_size"]
        self._max = max_size
        # The last part of the file is kept for deletes, which copy pages before they free any.
        self._soft = max_size - max(max_size // 16, 64 * PAGE) // PAGE * PAGE
        self._queue: deque[Pending] = deque()
        self._reading = threading.Lock()  # held while a read transaction is open, and to change the map
        self._writing = threading.Lock()  # held while a write transaction is open; taken before _reading
        self._wake = threading.Lock()
        self._wake.acquire()
        self._idle = False
        self._closing = False
        self._closed = False
        self._failed = False
        self._checked = time.monotonic()
        self._batches = self._groups = 0
        # The versions of rows that batches expect, as of the last commit: looking each up lets go of the interpreter,
        # which under load takes long to come back.
        self._versions: dict[bytes, int | None] = {}
        self._last = -1
        self._thread = threading.Thread(target=self._run, name="alejo-storage", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, path: Path, *, map_size: int, max_size: int) -> LmdbStorage:
        """Opens or makes the folder `path`. Sizes are in bytes. Raises StartupError, saying what helps."""
        if max_size < 256 * PAGE:
            raise StartupError("The storage needs at least 1 MiB.", hint="Raise data.max_size_mb.", exit_code=78)
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            presence = Presence(path)
            try:
                _make(path)
                opened = data_file(path, min(map_size, max_size - max(max_size // 16, 64 * PAGE)) // PAGE * PAGE)
                opened.reader_check()
            except BaseException:
                presence.close()
                raise
        except lmdb.VersionMismatchError as error:
            raise StartupError(
                f"The storage in {path} was written by another version of LMDB.",
                hint="Open it with the program that made it, or use another data folder.",
                exit_code=DAMAGED,
            ) from error
        except lmdb.Error as error:
            if "already open" in str(error):
                raise StartupError(
                    f"The storage in {path} is open in this process already.",
                    hint="Use the object that is open.",
                    exit_code=DAMAGED,
                ) from error
            raise StartupError(
                f"The storage in {path} cannot be opened ({error}).",
                hint="Check the folder's rights and the disk, or restore a backup: alejo restore FILE --to FOLDER.",
                exit_code=DAMAGED,
            ) from error
        except OSError as error:
            raise StartupError(
                f"The folder {path} cannot be made: {error.strerror}.", hint="Name another data folder.", exit_code=73
            ) from error
        if kind := network_filesystem(path):
            structlog.get_logger().warning("storage is on a network file system, where locks may fail", kind=kind)
        return cls(path, opened, presence, max_size=max_size // PAGE * PAGE)

    async def commit(self, batch: Batch) -> int:
        """See Storage. A cancelled caller stops waiting; the batch is committed all the same."""
        if self._closing:
            raise self._gone()
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._queue.append(Pending(batch, future))
        if self._failed:  # looked at after queueing: the writer thread looks at the queue after it sets this
            future.cancel()
            raise self._gone()
        if self._idle:  # behind what the loop is about to run: what that commits goes into the same group
            future.get_loop().call_soon(self._rouse)
        return await future

    async def get(self, table: str, key: bytes) -> Record | None:
        """See Storage."""
        stored = PREFIXES[table] + check_key(key)
        while True:
            try:
                with self._reading:
                    if self._closed:
                        raise self._gone()
                    # The transaction ends with its last reference, here; the library renews it for the next read.
                    data = self._env.begin().get(stored)
                break
            except lmdb.MapResizedError:
                self._adopt()
            except lmdb.Error as error:
                raise unreadable(error) from error
        return None if data is None else Record(key, data[8:], int.from_bytes(data[:8], "big"))

    async def many(self, table: str, keys: Sequence[bytes]) -> list[Record | None]:
        """See Storage."""
        name = PREFIXES[table]
        stored = [name + check_key(key) for key in keys]
        while True:
            try:
                with self._reading:
                    if self._closed:
                        raise self._gone()
                    with self._env.begin() as txn:
                        found = [*map(txn.get, stored)]
                break
            except lmdb.MapResizedError:
                self._adopt()
            except lmdb.Error as error:
                raise unreadable(error) from error
        return [
            None if data is None else Record(key, data[8:], int.from_bytes(data[:8], "big"))
            for key, data in zip(keys, found, strict=True)
        ]

    async def scan(
        self, table: str, prefix: bytes, *, after: bytes = b"", limit: int = 100, reverse: bool = False
    ) -> list[Record]:
        """See Storage."""
        if max(len(prefix), len(after)) > 400:
            raise ValueError("a prefix has at most 400 bytes")
        name = PREFIXES[table]
        walk = _falling if reverse else _rising
        while True:
            try:
                with self._reading:
                    if self._closed:
                        raise self._gone()
                    with self._env.begin() as txn, txn.cursor() as cursor:
                        return _records(walk(cursor, name, prefix, after), name + prefix, len(name), limit)
            except lmdb.MapResizedError:
                self._adopt()
            except lmdb.Error as error:
                raise unreadable(error) from error

    async def close(self) -> None:
        """See Storage. A second call does nothing."""
        self._closing = True
        self._rouse()
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)
        with self._reading:
            if not self._closed:
                self._closed = True
                self._env.close()
                self._presence.close()

    def alone(self) -> AbstractContextManager[None]:
        """Keeps every other process out for the block. Raises FailedPrecondition if one has the file open."""
        return self._presence.alone()

    def residue(self) -> int | None:
        """Since when, in µs, the file holds what was deleted or replaced by a deletion; None if it holds nothing."""
        since = self._own(DELETED)
        return None if since is None else int.from_bytes(since, "big")

    def _own(self, key: bytes) -> bytes | None:
        """A record that is of no table."""
        while True:
            try:
                with self._reading:
                    if self._closed:
                        raise self._gone()
                    return self._env.begin().get(key)
            except lmdb.MapResizedError:
                self._adopt()
            except lmdb.Error as error:
                raise unreadable(error) from error

    async def compact(self) -> tuple[int, int]:
        """Makes the file anew, so that nothing that was deleted before is in it; returns its bytes before and after.

        Reads and writes go on beside it; it takes the room of the records once more for as long. A process that is
        killed leaves the old file or the new one. Raises FailedPrecondition if another process has the file open,
        StorageFull, Unavailable.
        """
        return await asyncio.to_thread(self._compact)

    def _compact(self) -> tuple[int, int]:
        with self._presence.alone():
            return self._made_anew()

    def _made_anew(self) -> tuple[int, int]:
        data, place = self._path / "data.mdb", self._path / f"{NEW}{os.getpid()}"
        for left in self._path.glob(f"{NEW}*"):
            shutil.rmtree(left)  # of a process that was killed
        before = data.stat().st_size
        rewrite: Rewrite | None = None
        try:
            rewrite = Rewrite(place, 2 * self._size)
            with self._writing:
                self._touched = {SEQUENCE}
            self._copy(rewrite)
            self._swap(rewrite, place)
        except OSError as error:
            raise no_room() if error.errno in NO_ROOM else Unavailable("The disk failed.", retry_after=30.0) from error
        finally:
            self._touched = None
            if rewrite is not None:
                rewrite.close()
            shutil.rmtree(place, ignore_errors=True)
        return before, data.stat().st_size

    def _copy(self, rewrite: Rewrite) -> None:
        """Copies the records little by little; what is written meanwhile is noted as touched."""
        after = b""
        while rows := self._following(after):
            rewrite.append((key, value) for key, value in rows if key != DELETED)
            after = rows[-1][0]

    def _following(self, after: bytes) -> list[tuple[bytes, bytes]]:
        while True:
            try:
                with self._reading:
                    if self._closed:
                        raise self._gone()
                    with self._env.begin() as txn, txn.cursor() as cursor:
                        if not (cursor.set_range(after) if after else cursor.first()):
                            return []
                        if cursor.key() == after and not cursor.next():
                            return []
                        return list(islice(cursor.iternext(), STEP))
            except lmdb.MapResizedError:
                self._adopt()
            except lmdb.Error as error:
                raise unreadable(error) from error

    def _swap(self, rewrite: Rewrite, place: Path) -> None:
        """Puts the new file in the place of the old one, with all that was written meanwhile."""
        with self._writing, self._reading:
            if self._closed or self._failed:
                raise self._gone()
            with self._env.begin() as txn:
                rewrite.correct((key, txn.get(key)) for key in sorted(self._touched or ()))
            rewrite.finish()
            reserve_lock(place)
            self._env.close()
            try:
                os.rename(place / "lock.mdb", self._path / "lock.mdb")  # the old one counts the old file's transactions
                os.rename(place / "data.mdb", self._path / "data.mdb")
                sync(self._path)
            finally:
                try:
                    self._env = data_file(self._path, self._size)
                except (lmdb.Error, OSError):
                    self._failed = self._closed = True
                    raise

    def stats(self) -> dict[str, int]:
        """Counts since the start: batches committed, groups they went in, flushes of the disk; records and bytes now.

        A group flushes twice: fdatasync of the data, then a write of the meta page through an O_DSYNC descriptor.
        """
        with self._reading:
            if self._closed:
                raise self._gone()
            entries, live, own = self._env.stat()["entries"], live_bytes(self._env), len((SEQUENCE, DELETED))
            with contextlib.suppress(lmdb.MapResizedError):  # to count is no reason to follow a map that was grown
                own = sum(self._env.begin().get(key) is not None for key in (SEQUENCE, DELETED))
        return {
            "commits": self._batches,
            "groups": self._groups,
            "syncs": 2 * self._groups,
            "records": max(entries - own, 0),
            "live_bytes": live,
            "map_bytes": self._size,
        }

    def _gone(self) -> Unavailable:
        if self._closing:
            return Unavailable("The storage is closed.")
        return Unavailable("The disk failed; the storage must be opened again.", retry_after=30.0)

    def _rouse(self) -> None:
        if self._idle:
            self._idle = False
            with contextlib.suppress(RuntimeError):  # another thread was first, and once is enough
                self._wake.release()

    def _run(self) -> None:
        try:
            while True:
                self._rest()
                if self._queue:
                    self._write(self._queue)
                elif self._closing:
                    return
        finally:
            self._failed = True
            self._settle(self._drain(self._queue), self._gone)

    def _rest(self) -> None:
        """Waits for work; once a minute clears the reader slots of processes that were killed."""
        self._idle = True
        if not self._queue and not self._closing:
            self._wake.acquire(timeout=READER_CHECK_SECONDS)
        self._idle = False
        if time.monotonic() - self._checked > READER_CHECK_SECONDS:
            self._checked = time.monotonic()
            with self._reading:
                self._env.reader_check()

    @staticmethod
    def _drain(source: deque[Pending]) -> list[Pending]:
        return [source.popleft() for _ in range(len(source))]

    def _write(self, source: deque[Pending]) -> None:
        """Commits one group and settles it, making room if it has to."""
        taken, error = self._attempt(source)
        if error is None:
            self._settle(taken)
        elif isinstance(error, lmdb.MapFullError) and self._grow(self._soft):
            source.extendleft(reversed(taken))
        elif full(error, self._path):
            for pending in taken:
                self._write_alone(pending)
        else:
            self._fail(taken, error)

    def _write_alone(self, pending: Pending) -> None:
        """Commits a batch by itself when there is hardly any room."""
        _, error = self._attempt(deque([pending]))
        batch = pending.batch
        frees = isinstance(batch, Freeing) or all(isinstance(operation, (Delete, Expect)) for operation in batch)
        if isinstance(error, lmdb.MapFullError) and (frees or not self._crowded()):
            self._grow(self._max)
            self._turn()
            _, error = self._attempt(deque([pending]))
        if error is None:
            self._settle([pending])
        elif full(error, self._path):
            self._settle([pending], no_room)
        else:
            self._fail([pending], error)

    def _turn(self) -> None:
        """Commits nothing new: pages that one transaction freed serve only from the next but one on."""
        with self._writing, contextlib.suppress(lmdb.Error), self._begin() as txn:
            txn.put(SEQUENCE, txn.get(SEQUENCE) or bytes(8))

    def _fail(self, taken: list[Pending], error: Exception) -> None:
        """Stops all writing: after a failed sync nobody knows what the disk holds until the file is read again."""
        if not self._failed:
            self._failed = True
            structlog.get_logger().error("storage failed", error=type(error).__name__, code=getattr(error, "code", 0))
        self._settle(taken, self._gone)

    def _attempt(self, source: deque[Pending]) -> tuple[list[Pending], Exception | None]:
        """Writes one group from `source` in one transaction; an error means nothing of it is kept."""
        if self._failed:
            return self._drain(source), lmdb.PanicError("failed before")
        with self._writing:
            try:
                txn = self._begin()
            except lmdb.Error as error:
                return self._drain(source), error
            # Once deletes live on what is kept for them, writes wait until a tenth of their room is free.
            group = Group(txn, source, self._touched, deletes_only=self._size > self._soft and self._crowded())
            sequence = int.from_bytes(txn.get(SEQUENCE) or b"", "big")
            if sequence != self._last:  # another process wrote
                self._versions.clear()
            try:
                group.fill(sequence, self._versions)
                if group.written:
                    txn.commit()
                    self._groups += 1
                    self._remember(group)
                    self._batches += group.written
            except Exception as error:  # noqa: BLE001  # handed to the caller, which tells every waiting task
                return group.taken, error
            finally:
                txn.abort()  # nothing to do after a commit
        return group.taken, None

    def _remember(self, group: Group) -> None:
        if len(self._versions) > KNOWN_VERSIONS:
            self._versions.clear()
        self._versions.update(group.versions)
        self._last = group.last

    def _begin(self) -> lmdb.Transaction[bytes]:
        while True:
            try:
                return self._env.begin(write=True)
            except lmdb.MapResizedError:
                with self._reading:
                    self._remap(0)

    def _remap(self, size: int) -> None:
        """Changes the map to `size` bytes, 0 for what another process made it. No transaction may be open."""
        self._env.set_mapsize(size)
        self._size = self._env.info()["map_size"]

    def _adopt(self) -> None:
        """Follows a map that another process has grown, before a read is tried again."""
        with self._writing, self._reading:
            if self._closed:
                raise self._gone()
            try:
                self._remap(0)
            except lmdb.Error as error:
                raise unreadable(error) from error

    def _grow(self, limit: int) -> bool:
        """Doubles the map up to `limit` bytes; False if that is not possible."""
        with self._writing, self._reading:
            if self._size >= limit:
                return False
            try:
                self._remap(min(self._size * 2, limit))
            except lmdb.Error:  # such as no address space; the library gives the file up
                self._failed = True
            return not self._failed

    def _crowded(self) -> bool:
        """Whether live pages fill nine tenths of the room that writes have."""
        return live_bytes(self._env) > self._soft * 9 // 10

    @staticmethod
    def _settle(taken: list[Pending], error: Callable[[], Exception] | None = None) -> None:
        """Tells the waiting tasks, with one call into each event loop."""
        loops: dict[asyncio.AbstractEventLoop, list[Pending]] = {}
        for pending in taken:
            if error is not None:
                pending.outcome = error()
            loops.setdefault(pending.loop, []).append(pending)
        for loop, pendings in loops.items():
            try:
                loop.call_soon_threadsafe(_resolve, pendings)
            except RuntimeError:  # that loop is closed: nobody waits there
                continue


def _make(path: Path) -> None:
    """Makes the data file unless there is one. LMDB does not sync a new file, and cannot open half of one."""
    if (path / "data.mdb").exists():
        return
    with tempfile.TemporaryDirectory(prefix="new-", dir=path) as place:
        with data_file(Path(place), 16 * PAGE) as made:
            made.sync(True)
        with contextlib.suppress(FileExistsError):  # another process was first
            os.link(Path(place, "data.mdb"), path / "data.mdb")
    for folder in (path, path.parent):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _resolve(pendings: list[Pending]) -> None:
    for pending in pendings:
        future, outcome = pending.future, pending.outcome
        if future.done():  # cancelled
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def _rising(cursor: lmdb.Cursor[bytes], name: bytes, prefix: bytes, after: bytes) -> Iterator[tuple[bytes, bytes]]:
    start = name + max(prefix, after)
    if not cursor.set_range(start):
        return iter(())
    rows = cursor.iternext()
    if after and cursor.key() == name + after:
        next(rows)
    return rows


def _falling(cursor: lmdb.Cursor[bytes], name: bytes, prefix: bytes, after: bytes) -> Iterator[tuple[bytes, bytes]]:
    end = successor(name + prefix)
    if after:
        end = min(end, name + after)
    if not (cursor.prev() if cursor.set_range(end) else cursor.last()):
        return iter(())
    return cursor.iterprev()


def _records(rows: Iterator[tuple[bytes, bytes]], begin: bytes, cut: int, limit: int) -> list[Record]:
    found: list[Record] = []
    for key, data in rows:
        if len(found) >= limit or not key.startswith(begin):
            break
        found.append(Record(key[cut:], data[8:], int.from_bytes(data[:8], "big")))
    return found


def live_bytes(environment: lmdb.Environment) -> int:
    """What the records take, in whole pages; the rest of the file is free."""
    stat = environment.stat()
    return (stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]) * stat["psize"]


def no_room() -> StorageFull:
    """The error of a write that does not fit."""
    return StorageFull("There is no room for writes; reads and deletes still work.", retry_after=30.0)


def unreadable(error: lmdb.Error) -> DataLoss | Unavailable:
    """The error of a read that failed."""
    if isinstance(error, (lmdb.CorruptedError, lmdb.PageNotFoundError)):
        return DataLoss("The storage is damaged.")
    return Unavailable("The storage cannot be read now.")
