"""An export as a folder to read: a file for each session, the memories by layer, facts, pictures as files.

    README.md                                  what this is
    sessions/2026-11-20 A walk (90d1c2e3).md   one conversation, in the order it was said
    images/ID-1.png                            the pictures of the message ID
    memories/semantic.md …                     what is remembered, by layer
    facts.md, history.md, turns.md, audit.md   what is held true, what memories were, how turns went, what was done
    reminders.md                               what to be reminded of

What was said stands in block quotes, so that it is told from what is told about it. It is for people; to bring a user
in elsewhere, take the lines.
"""

from __future__ import annotations

import datetime
import os
import re
import unicodedata
from pathlib import Path
from typing import IO, Any

from alejo.storage.tables import AuditEntry, TurnRow
from alejo.types import Memory, Message, Reminder, Session, Version

from .lines import Header

_UNSAFE = re.compile(r"[^\w .,'-]+")
_SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}
_README = """# What ALEJO keeps about you

Taken out at {when} by ALEJO {alejo}. **It is in clear**: whoever can read this folder can read all of it.

- `sessions/`: what was said, a file for each conversation, by date
- `memories/`: what is remembered, by layer; `facts.md`: what of it is held true; `history.md`: what memories were
- `images/`: the pictures that were shown
- `reminders.md`: what to be reminded of, and when
- `turns.md`: what was felt and seen; `audit.md`: what was done, and when
"""


class Folder:
    """Writes the folder `path`, which is new, as the lines come. Files are readable by their owner alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: dict[str, IO[str]] = {}
        self._session: IO[str] | None = None
        path.mkdir(mode=0o700, parents=True)
        for name in ("sessions", "images", "memories"):
            (path / name).mkdir(mode=0o700)

    def write(self, value: Any) -> None:
        """Writes what is for people of a line's value. Raises OSError."""
        if isinstance(value, Header):
            self._file("README.md").write(_README.format(when=moment(value.at), alejo=value.alejo))
        elif isinstance(value, Session):
            self._begin(value)
        elif isinstance(value, Message):
            self._message(value)
        elif isinstance(value, Memory):
            self._memory(value)
        elif isinstance(value, Version):
            about = f"{moment(value.until)}, {value.change} {value.number} of `{value.memory.id}`, until then:"
            self._file("history.md").write(f"{about}\n\n{quoted(value.memory.text)}\n\n")
        elif isinstance(value, TurnRow):
            self._turn(value)
        elif isinstance(value, Reminder):
            about = ", ".join(filter(None, [moment(value.due), value.state.name.lower(), value.recurrence]))
            self._file("reminders.md").write(f"{about}\n\n{quoted(value.text)}\n\n")
        elif isinstance(value, AuditEntry):
            by = f" by {value.actor}" if value.actor else ""
            self._file("audit.md").write(f"- {moment(value.at)} {value.action} `{one_line(value.subject)}`{by}\n")

    def close(self) -> None:
        """Ends every file."""
        for file in [*self._open.values(), *filter(None, [self._session])]:
            file.close()

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _file(self, name: str) -> IO[str]:
        if name not in self._open:
            self._open[name] = _new(self._path / name)
            if name != "README.md":
                self._open[name].write(f"# {Path(name).stem.capitalize()}\n\n")
        return self._open[name]

    def _begin(self, session: Session) -> None:
        if self._session is not None:
            self._session.close()
        title = one_line(session.title) or "Conversation"
        name = f"{moment(session.created_at)[:10]} {safe(title)} ({session.id[-8:]}).md"
        self._session = _new(self._path / "sessions" / name)
        about = {"id": session.id, "state": session.state.name.lower(), "continues": session.parent_id}
        told = "".join(f"- {key}: {one_line(each)}\n" for key, each in (about | session.metadata).items() if each)
        self._session.write(f"# {title}\n\n{told}\n")

    def _message(self, message: Message) -> None:
        assert self._session is not None  # noqa: S101  a session's line stands before its messages
        who = one_line(message.speaker) or message.role.name.capitalize()
        self._session.write(f"**{who}**, {moment(message.sent_at)}\n\n{quoted(message.text)}\n\n")
        for number, image in enumerate(message.images, 1):
            name = f"{message.id}-{number}.{_SUFFIXES.get(image.media_type, 'bin')}"
            with _create(self._path / "images" / name, "wb") as file:
                file.write(image.data)
            self._session.write(f"![{one_line(image.caption)}](../images/{name})\n\n")

    def _memory(self, memory: Memory) -> None:
        marks = [memory.kind, *(["pinned"] if memory.pinned else []), *(["archived"] if memory.archived else [])]
        about = f"**{moment(memory.sent_at)}** {one_line(memory.speaker)} ({', '.join(marks)}) `{memory.id}`"
        file = self._file(f"memories/{memory.layer.name.lower()}.md")
        file.write(f"{about}\n\n{quoted(memory.text)}\n\n")
        if (fact := memory.fact) is not None:
            spans = [moment(each) if each is not None else "…" for each in (fact.valid_from, fact.valid_to)]
            said = " ".join(one_line(each) for each in (fact.subject, fact.relation, fact.object))
            no = "not: " if fact.negated else ""
            self._file("facts.md").write(f"- {no}{said} ({spans[0]} to {spans[1]}, {fact.standing.name.lower()})\n")

    def _turn(self, turn: TurnRow) -> None:
        told = [f"commands: {', '.join(turn.commands)}"] if turn.commands else []
        if (felt := turn.appraisal) is not None:
            names = ", ".join(f"{each.name} {each.strength:.2f}" for each in felt.emotions)
            told.append(f"felt: valence {felt.valence:.2f}, arousal {felt.arousal:.2f} {names}".rstrip())
        told += [f"seen: {one_line(each.summary)}" for each in turn.percepts]
        about = f"- {moment(turn.at)} {turn.state}, message {turn.user_seq} of `{turn.session_id}`"
        self._file("turns.md").write("; ".join([about, *told]) + "\n")


def moment(time: int) -> str:
    """A time as date, hour and minute in UTC; beyond the calendar as it is."""
    try:
        return (datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=time)).strftime("%Y-%m-%d %H:%M")
    except OverflowError:
        return f"{time} µs"


def quoted(text: str) -> str:
    """A text as a block quote."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines()) or ">"


def one_line(text: str) -> str:
    """A text that ends no line."""
    return " ".join(text.split())


def safe(title: str) -> str:
    """A part of a file name that every system takes."""
    kept = " ".join(_UNSAFE.sub(" ", unicodedata.normalize("NFC", title)).split())
    return kept.encode()[:100].decode(errors="ignore").strip(" .") or "Conversation"


def _create(path: Path, mode: str) -> IO[Any]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), mode, **_text(mode))


def _text(mode: str) -> dict[str, Any]:
    return {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}


def _new(path: Path) -> IO[str]:
    return _create(path, "w")
