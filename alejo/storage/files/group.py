"""Batches on their way to the disk together: what each would write, as those behind it see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from alejo.errors import Conflict
from alejo.storage import Append, Batch, Delete, Expect, Put, Record
from alejo.storage.keyring import PREFIX_BYTES
from alejo.storage.keys import PREFIXES, check_key
from alejo.storage.tables import MEMORIES, MESSAGES, SCOPES, SESSIONS
from alejo.types import Scope, Session

from . import pages
from .log import Entry, Files
from .names import alike, safe
from .rows import Rows
from .tree import USERS, Place, Tree, digest, folder_of, name_of

USUAL = "local"  # the tenant that a user's folder does not name
_ORDER = (SCOPES.name, SESSIONS.name, MESSAGES.name, MEMORIES.name)  # as the places of the later depend on the earlier


class Staged(msgspec.Struct):
    """What one batch writes: to the log, and the contents of files by their paths."""

    entries: list[Entry]
    contents: dict[str, bytes]
    rows: dict[Place, Record | None]


class Group:
    """Batches that share a sync. `strangers` tells the folders of users not known yet, by whose they are."""

    def __init__(self, rows: Rows, tree: Tree, strangers: Callable[[], Mapping[Scope, str]]) -> None:
        self.rows: dict[Place, Record | None] = {}
        self.places: dict[Place, Files | None] = {}
        self._rows = rows
        self._tree = tree
        self._strangers = strangers
        self._homes: dict[bytes, str] = {}
        self._folders: dict[bytes, str] = {}
        self._paths: dict[str, Place] = {}

    def record(self, place: Place) -> Record | None:
        """A record as the batches so far leave it."""
        return self.rows[place] if place in self.rows else self._rows.get(PREFIXES[place[0]] + place[1])

    def files(self, place: Place) -> Files | None:
        """A record's files as the batches so far leave them."""
        return self.places[place] if place in self.places else self._tree.places.get(place)

    def stage(self, batch: Batch, sequence: int, ready: Mapping[Place, Files]) -> Staged:
        """What a batch writes as commit `sequence`. `ready` are records whose files are there already.

        Raises Conflict, ValueError, and what `seal` raises; then nothing is noted of it.
        """
        rows: dict[Place, Record | None] = {}
        for number, operation in enumerate(batch):
            self._do(rows, operation, sequence, number)
        entries: list[Entry] = []
        contents: dict[str, bytes] = {}
        for place in sorted(rows, key=_order):
            record = rows[place]
            if record is None:
                entries.append(Entry(*place))
                continue
            files = ready.get(place)
            if files is None and place[0] in pages.PEOPLE:
                files = self._page(place, record, contents)
            entries.append(Entry(*place, None if files else record.value, files))
        return Staged(entries, contents, rows)

    def keep(self, staged: Staged) -> None:
        """Lets the batches behind see what this one writes."""
        self.rows.update(staged.rows)
        for entry in staged.entries:
            place = (entry.table, entry.key)
            self.places[place] = entry.files
            for path, _ in entry.files.files if entry.files else ():
                self._paths[path] = place
            if entry.files and entry.table == SESSIONS.name:
                self._folders[entry.key] = folder_of(entry.files.files[0][0])
            elif entry.files and entry.table == SCOPES.name:
                self._homes[entry.key] = folder_of(entry.files.files[0][0])

    def _do(self, rows: dict[Place, Record | None], operation: Any, sequence: int, number: int) -> None:
        PREFIXES[operation.table]  # raises for what is no name
        if isinstance(operation, Append):
            key = check_key(operation.prefix + sequence.to_bytes(8, "big") + number.to_bytes(2, "big"))
            rows[operation.table, key] = Record(key, operation.seal(key), sequence)
            return
        place = (operation.table, check_key(operation.key))
        if isinstance(operation, Put):
            rows[place] = Record(operation.key, operation.value, sequence)
        elif isinstance(operation, Delete):
            rows[place] = None
        elif isinstance(operation, Expect):
            record = rows[place] if place in rows else self.record(place)
            if (None if record is None else record.version) != operation.version:
                raise Conflict("The record changed since it was read.")

    def _page(self, place: Place, record: Record, contents: dict[str, bytes]) -> Files | None:
        """The files of a record for people; None if they would not give back exactly it, and it stays in the log."""
        try:
            value = pages.decode(place[0], record.value)
            prefix = place[1][:PREFIX_BYTES]
            home = self._home(prefix, value)
            if not home or prefix + pages.key_of(value) != place[1]:
                return None
            path = self._path(place, value, home)
            if not path or self._tree.leads_away(path):
                return None
            before = self.files(place)
            found = pages.contents(value, path)
            if isinstance(value, Scope) and self._tree.taken(path, place):
                found = [(path, self._tree.read(path)[0])]  # whose folder it is stands there
            if not _gives_back(value, path, found):
                return None
        except (ValueError, OverflowError):  # such as a lone surrogate; msgspec's errors are ValueErrors
            return None
        known = dict(before.files) if before else {}
        files = Files(tuple((name, digest(content)) for name, content in found))
        stays = isinstance(value, Scope) and self._tree.taken(path, place)
        contents |= {name: content for name, content in found if known.get(name) != digest(content) and not stays}
        self._note(place, value, files)
        return files

    def _note(self, place: Place, value: Any, files: Files) -> None:
        folder = folder_of(files.files[0][0])
        if isinstance(value, Session):
            self._folders[place[1]] = folder
        elif isinstance(value, Scope):
            self._homes[place[1]] = folder

    def _home(self, prefix: bytes, value: Any) -> str:
        """A user's folder; "" for what belongs to no user."""
        known = self._homes.get(prefix) or self._tree.homes.get(prefix)
        if known or not isinstance(value, Scope) or not value.user:
            return known or ""
        strangers = self._strangers()
        if value in strangers:
            return strangers[value]
        name = safe(value.user) or "user"
        if value.tenant != USUAL:
            name = f"{name}@{safe(value.tenant)}"
        others = {alike(each) for each in (*self._tree.homes.values(), *self._homes.values(), *self._tree.strangers())}
        home = f"{USERS}/{name}"
        return home if alike(home) not in others else f"{home} {prefix.hex()[-16:]}"

    def _path(self, place: Place, value: Any, home: str) -> str:
        """Where the record's own file shall be: where it is, if a person named it, and else as it is named now."""
        folder = self._folder(place, value, home)
        if not folder:
            return ""
        known = self.files(place)
        wanted = [pages.place(value, home, folder, whole=whole) for whole in (False, True)]
        if known is not None:
            path = known.files[0][0]
            record = self.record(place)
            before = pages.decode(place[0], record.value) if record else value
            if path not in {pages.place(before, home, folder, whole=whole) for whole in (False, True)}:
                return pages.kept(path, before, value)
            if path in wanted:
                return path
        if isinstance(value, Scope) and value in self._strangers():
            return wanted[0]
        for path in wanted:
            if path in self._paths and self._paths[path] != place:
                continue
            if not self._tree.taken(path, place):
                return path
        return ""

    def _folder(self, place: Place, value: Any, home: str) -> str:
        """The folder of the session that the value is or lies in; the user's own for all else. "" if there is none."""
        if place[0] in {MEMORIES.name, SCOPES.name}:
            return home
        key = place[1][: PREFIX_BYTES + 16]
        known = self._folders.get(key) or self._tree.folders.get(key)
        if known or not isinstance(value, Session):
            return known or ""
        for whole in (False, True):
            folder = pages.session_folder(value, home, whole=whole)
            if folder not in self._folders.values() and not self._tree.taken(folder, place):
                return folder
        return ""


def _gives_back(value: Any, path: str, found: pages.Contents) -> bool:
    """Whether what is read from these files is the value."""
    if isinstance(value, Scope):
        return pages.parse_user(found[0][1]) == value
    beside = {name_of(name): content for name, content in found}
    page = pages.parse(path, found[0][1], {}, beside.__getitem__, getattr(value, "session_id", ""))
    return page is not None and page.value == value


def _order(place: Place) -> tuple[int, str, bytes]:
    return _ORDER.index(place[0]) if place[0] in _ORDER else len(_ORDER), *place
