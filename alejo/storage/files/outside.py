"""What people did to the files: changed, added, moved, removed. What makes no record is told, and left alone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import structlog

from alejo.ids import Ids
from alejo.storage.keyring import PREFIX_BYTES
from alejo.storage.tables import MEMORIES, SCOPES, SESSIONS

from . import pages
from .edits import Edit, Edits, Refusal
from .log import Files
from .text import Wrong
from .tree import Place, Stamp, Tree, digest, folder_of, name_of


class Outside:
    """Looks at the files of a user. `refused` are those that are no records as they are, by path."""

    def __init__(self, tree: Tree, ids: Ids, now: Callable[[], int], held: Callable[[Place], bool]) -> None:
        """`held` tells whether a record is in storage: not so one whose file was wrong, or missing, at the start."""
        self.refused: dict[str, Refusal] = {}
        self._held = held
        self._tree = tree
        self._ids = ids
        self._now = now
        self._marks: dict[str, Stamp] = {}  # of what is refused, and of files that are no records

    def refusal(self, place: Place) -> Refusal | None:
        """Why a record's files are not it, if they were changed so."""
        files = self._tree.places.get(place)
        return next((self.refused[path] for path, _ in files.files if path in self.refused), None) if files else None

    def read(self, place: Place) -> Any | None:
        """The value of a record from its files; None if they are not as the log says, which a look will see."""
        tree, files = self._tree, self._tree.places[place].files
        marks: dict[str, Stamp] = {}
        contents: dict[str, bytes] = {}
        try:
            for path, wanted in files:
                contents[path], marks[path] = self._as_wanted(path, wanted)
            path = files[0][0]
            if place[0] == SCOPES.name:
                value: Any = pages.parse_user(contents[path])
            else:
                beside = {name_of(each): content for each, content in contents.items()}
                session = tree.sessions.get(folder_of(path), "")
                page = pages.parse(path, contents[path], self._known(place, marks[path]), beside.__getitem__, session)
                value = page.value if page else None
        except FileNotFoundError:
            return None
        except (Wrong, OSError) as error:
            self.refuse(files[0][0], error)
            return None
        tree.stamps.update(marks)
        return value

    def _as_wanted(self, path: str, wanted: str) -> tuple[bytes, Stamp]:
        """A file that the log names, as it says. Raises FileNotFoundError if it is not there, or another."""
        with contextlib.suppress(FileNotFoundError):
            content, mark = self._tree.read(path)
            if digest(content) == wanted:
                return content, mark
        if self._tree.await_arrival(path, wanted):
            return self._tree.read(path)
        raise FileNotFoundError(2, "it was changed by hand", path)

    def look(self, prefix: bytes) -> Edits:
        """What was done to this user's files since they were last looked at. Raises OSError."""
        tree, home = self._tree, self._tree.homes[prefix]
        if not os.path.isdir(tree.root / home):
            self.refuse(home, Wrong(1, "is missing; nothing in it is forgotten as long as all of it is"))
            return Edits([], [])
        self.refused.pop(home, None)
        found = dict(tree.walk(home))
        missing = {path for path in tree.owners if path.startswith(f"{home}/") and path not in found}
        missing = {path for path in missing if not tree.waits(path)}
        missing.discard(f"{home}/{pages.USER}")
        for path in list(self.refused):
            if path.startswith(f"{home}/") and path not in found and path not in tree.owners:
                del self.refused[path]
        changed = {path: None for path in sorted(found, key=_order) if not self._holds(path, found[path])}
        changed = {path: None for path in changed if not tree.waits(path)}
        for path in missing:  # whose picture is gone is another message
            place = tree.owners[path]
            own = tree.places[place].files[0][0]
            if own in found:
                changed[own] = None
        return self._edits(prefix, changed, missing)

    def _holds(self, path: str, status: os.stat_result) -> bool:
        mark = self._tree.stamps.get(path) or self._marks.get(path)
        return mark is not None and mark.holds(status)

    def _edits(self, prefix: bytes, changed: dict[str, None], missing: set[str]) -> Edits:
        put: list[Edit] = []
        for path in (waiting := list(changed)):
            try:
                message = self._see(prefix, path, missing, put)
            except FileNotFoundError:
                continue  # it went while we looked; the next look sees that
            except (Wrong, OSError) as error:
                self.refuse(path, error)
            except (ValueError, OverflowError) as error:  # a value that no record can have
                self.refuse(path, Wrong(1, str(error)))
            else:
                if message and message not in waiting:
                    waiting.append(message)
        kept = {edit.place for edit in put} | {edit.before for edit in put}
        return Edits(put, [place for place in self._gone(missing) if place not in kept])

    def _see(self, prefix: bytes, path: str, missing: set[str], put: list[Edit]) -> str | None:
        """Reads a file that may have changed; returns the message whose picture it is, if that changed."""
        tree = self._tree
        content, mark = tree.read(path)
        owner = tree.owners.get(path)
        seen = digest(content)
        if owner is not None and tree.places[owner].files[0][0] != path:
            tree.stamps[path] = mark
            return None if (path, seen) in tree.places[owner].files else tree.places[owner].files[0][0]
        if owner is not None and self._same(owner, path, seen) and self._held(owner):
            tree.stamps[path] = mark
            self.refused.pop(path, None)
            return None
        self._marks[path] = mark
        origin = owner or self._origin(prefix, seen, missing)
        files = [(path, seen)]
        page = pages.parse(
            path, content, self._known(origin, mark), self._reader(path, files), self._session(path, put)
        )
        if page is None:
            return None
        place = (page.table, prefix + page.key)
        self._check(place, owner, missing, put)
        before = origin or (place if place in tree.places else None)
        put.append(Edit(before, place, page.value, Files(tuple(files), page.given)))
        self.refused.pop(path, None)
        self._marks.pop(path, None)
        tree.stamps[path] = mark
        return None

    def _same(self, owner: Place, path: str, seen: str) -> bool:
        """Whether a record's own file and its pictures are as the log says."""
        files = self._tree.places[owner].files
        return (path, seen) in files and all(os.path.exists(self._tree.root / each) for each, _ in files)

    def _check(self, place: Place, owner: Place | None, missing: set[str], put: list[Edit]) -> None:
        """Refuses a second file of the same record."""
        files = self._tree.places.get(place)
        others = [edit.files.files[0][0] for edit in put if edit.place == place]
        if files and owner != place and files.files[0][0] not in missing:
            others.append(files.files[0][0])
        if others:
            raise Wrong(1, f"says it is what {others[0]} is: remove its id")

    def _origin(self, prefix: bytes, seen: str, missing: set[str]) -> Place | None:
        """The memory that a new file was before it was moved, by its content."""
        for path in missing:
            place = self._tree.owners[path]
            if (
                place[0] == MEMORIES.name
                and place[1].startswith(prefix)
                and (path, seen) in self._tree.places[place].files
            ):
                return place
        return None

    def _known(self, place: Place | None, mark: Stamp) -> dict[str, Any]:
        """What a memory's file need not tell: of one that is new, when the file was last changed."""
        if place is None:
            return {"id": self._ids.new(), "kind": "note", "sent_at": mark.modified // 1000, "recorded_at": self._now()}
        identifier = place[1][PREFIX_BYTES:]
        made = int.from_bytes(identifier[:6], "big") * 1000  # as its identifier says
        told = {"id": identifier.hex(), "kind": "note", "sent_at": made, "recorded_at": made}
        return told | self._tree.places[place].given

    def _session(self, path: str, put: list[Edit]) -> str:
        """The session whose folder a path lies in."""
        folder = folder_of(path)
        for edit in put:
            if edit.place[0] == SESSIONS.name and edit.files.files[0][0] == f"{folder}/{pages.SESSION}":
                return str(edit.value.id)
        return self._tree.sessions.get(folder, "")

    def _reader(self, path: str, files: list[tuple[str, str]]) -> pages.Reader:
        def read(name: str) -> bytes:
            beside = f"{folder_of(path)}/{name}"
            try:
                content, mark = self._tree.read(beside)
            except OSError:
                raise Wrong(1, f"the picture {name} is missing") from None
            files.append((beside, digest(content)))
            self._tree.stamps[beside] = mark
            return content

        return read

    def _gone(self, missing: set[str]) -> Iterator[Place]:
        """The records whose own files are gone. A session stays as long as its folder holds a message."""
        for path in sorted(missing):
            place = self._tree.owners[path]
            if self._tree.places[place].files[0][0] != path:
                continue
            folder = f"{folder_of(path)}/"
            if place[0] == SESSIONS.name and any(
                each.startswith(folder) and each not in missing for each in self._tree.owners
            ):
                self.refuse(path, Wrong(1, "is missing; the session stays until its folder is removed"))
            else:
                self.refused.pop(path, None)
                yield place

    def refuse(self, path: str, error: Wrong | OSError) -> None:
        """Notes that a file is no record as it is, and says so once."""
        wrong = error if isinstance(error, Wrong) else Wrong(1, str(error.strerror))
        refusal = Refusal(path, wrong.line, wrong.reason)
        if self.refused.get(path) != refusal:
            self.refused[path] = refusal
            structlog.get_logger().warning("a file is no record and is left alone", file=path, why=str(wrong))


def _order(path: str) -> tuple[bool, str]:
    """Sessions before their messages."""
    return not path.endswith(f"/{pages.SESSION}"), path
