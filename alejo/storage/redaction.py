"""Taking words out of what was said: the message a memory came from, the answers that quoted it, and the answers that
quoted those. What a message asked to be reminded of goes with it.

A redaction belongs to a batch. Everything it rewrites is expected to be as it was read, and the row of each session
it touches is written anew: so a turn that goes on beside it, and every copy of the session in any process, must look
again. An answer that quotes writes what it quotes into QUOTED in its own commit; a redaction expects those rows as they
were before it looked for quotes: so an answer that is committed in between makes it a conflict.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence

import msgspec

from alejo.storage import audit, impressions
from alejo.storage.journal import Journal, message_key
from alejo.storage.rows import remove_reminder
from alejo.storage.store import Row, Store, Writer
from alejo.storage.tables import (
    FEEDBACK,
    MESSAGES,
    QUOTED,
    QUOTES,
    REMINDERS,
    REMINDERS_OF,
    SESSIONS,
    TOPICS,
    TURNS,
)
from alejo.types import Memory, Message, Reminder, Scope

FORGOTTEN = "[forgotten]"
_STEP = 1000
_TELLING = 4  # letters of a word
_WORDS = re.compile(r"[^\W_]+")


class Redaction:
    """What one batch takes the words out of. Collect with `memory` and `phrases`, then `apply` once.

    `at` is the time, in µs; `sessions` are those it writes in, as far as `apply` has found them.
    """

    def __init__(self, store: Store, journal: Journal, scope: Scope, writer: Writer, at: int) -> None:
        self._at = at
        self._store = store
        self._journal = journal
        self._scope = scope
        self._writer = writer
        self._wholly: list[bytes] = []
        self._partly: list[tuple[bytes, Sequence[str]]] = []
        self._subjects: set[str] = set()
        self._done: set[bytes] = set()
        self.sessions: set[str] = set()
        self._bare: set[str] = set()  # ids of messages that lose all words
        self._turns: set[bytes] = set()

    async def memory(self, memory: Memory) -> None:
        """Adds the message a memory came from, and every answer that quoted the memory."""
        if memory.message_seq:
            self._wholly.append(message_key(memory.session_id, memory.sent_at, memory.message_seq))
        self._wholly += await self._quoting(memory.id, whole=True)

    def phrases(self, message: Message, phrases: Sequence[str]) -> None:
        """Adds a message of which only these phrases go: the one that asks to forget them."""
        self._partly.append((message_key(message.session_id, message.sent_at, message.seq), phrases))

    async def apply(self) -> int:
        """Rewrites it all in the batch, with the answers that quote it; returns how many messages lose all words."""
        count = 0
        while self._wholly:
            count += await self._rewrite(self._wholly.pop(), None)
        while self._partly:
            await self._rewrite(*self._partly.pop())
        for turn in sorted(self._turns - {b""}):
            await self._turn(turn)
        await impressions.take_out(self._store, self._scope, self._writer, self._turns - {b""})
        for session_id in sorted(self.sessions):
            await self._touch(session_id)
            await self._topics(bytes.fromhex(session_id))
        return count

    async def _rewrite(self, place: bytes, phrases: Sequence[str] | None) -> bool:
        """Takes the phrases, or with None all words, out of a message; notes the answers that quote it to be next."""
        if place in self._done:
            return False
        self._done.add(place)
        row = await self._store.get(self._scope, MESSAGES, place)
        if row is None or row.value.redacted:
            return False
        self._writer.expect(MESSAGES, place, row.version)
        self._writer.put(MESSAGES, place, _bare(row.value) if phrases is None else _without(row.value, phrases))
        self.sessions.add(row.value.session_id)
        self._turns.add(row.value.request_key)
        self._bare.add(row.value.id)
        quoting = await self._quoting(row.value.id, whole=phrases is None)
        if phrases is None:
            self._wholly += quoting
            await self._reminders(row.value)
        else:
            self._partly += [(each, phrases) for each in quoting]
        return True

    async def _reminders(self, message: Message) -> None:
        """Deletes what a message asked to be reminded of; the batch expects that there is nothing more."""
        place = bytes.fromhex(message.id)
        mark = await self._store.get(self._scope, REMINDERS_OF, place)  # before the others: see above
        self._writer.expect(REMINDERS_OF, place, mark.version if mark else None)
        after = place
        while mark and (rows := await self._store.scan(self._scope, REMINDERS_OF, place, after=after, limit=_STEP)):
            for row in await self._store.many(self._scope, REMINDERS, [each.key[len(place) :] for each in rows]):
                if row is not None:
                    await self.reminder(row)
            after = rows[-1].key
        self._writer.delete(REMINDERS_OF, place)

    async def reminder(self, row: Row[Reminder]) -> None:
        """Deletes a reminder, and adds every answer that quoted it."""
        self._writer.expect(REMINDERS, row.key, row.version)
        remove_reminder(self._writer, row.value)
        self._wholly += await self._quoting(row.value.id, whole=True)
        audit.record(self._writer, "reminder.forget", row.value.id, self._at)

    async def _quoting(self, subject: str, *, whole: bool) -> list[bytes]:
        """Where the answers are that quote a memory or message, by its id. `whole`: they will no longer."""
        if subject in self._subjects:
            return []
        self._subjects.add(subject)
        place = bytes.fromhex(subject)
        last = await self._store.get(self._scope, QUOTED, place)  # before the quotes: see above
        self._writer.expect(QUOTED, place, last.version if last else None)
        if whole:
            return await take_quotes(self._store, self._scope, self._writer, subject)
        return [row.value async for row in _quotes(self._store, self._scope, place)]

    async def _turn(self, place: bytes) -> None:
        """Takes out of a turn's row what it keeps of its messages' words, and how what it recalled was liked."""
        self._writer.delete(FEEDBACK, place)
        row = await self._store.get(self._scope, TURNS, place)
        if row is not None:
            bare = msgspec.structs.replace(row.value, recalled=(), appraisal=None, percepts=(), workspace=None)
            self._writer.expect(TURNS, place, row.version)
            self._writer.put(TURNS, place, bare)

    async def _topics(self, place: bytes) -> None:
        """Takes out of what a session was about what only these messages say."""
        row = await self._store.get(self._scope, TOPICS, place)
        if row is not None:
            self._writer.expect(TOPICS, place, row.version)
            self._writer.put(TOPICS, place, row.value.without(self._bare))

    async def _touch(self, session_id: str) -> None:
        place = bytes.fromhex(session_id)
        row = await self._store.get(self._scope, SESSIONS, place)
        self._journal.forget_hot(self._scope, session_id)
        if row is not None:
            self._writer.expect(SESSIONS, place, row.version)
            self._writer.put(SESSIONS, place, row.value)


def note_quote(writer: Writer, subject: str, answer: Message) -> None:
    """Notes in the batch of an answer that it quotes a memory or message, by its id."""
    place = bytes.fromhex(subject)
    writer.put(QUOTES, place + answer.request_key, message_key(answer.session_id, answer.sent_at, answer.seq))
    writer.put(QUOTED, place, b"")


async def take_quotes(store: Store, scope: Scope, writer: Writer, subject: str) -> list[bytes]:
    """Deletes in a batch what is noted of the quotes of a memory or message; returns where those answers are."""
    place = bytes.fromhex(subject)
    places: list[bytes] = []
    async for row in _quotes(store, scope, place):
        places.append(row.value)
        writer.delete(QUOTES, row.key)
    writer.delete(QUOTED, place)
    return places


async def _quotes(store: Store, scope: Scope, place: bytes) -> AsyncIterator[Row[bytes]]:
    after = b""
    while rows := await store.scan(scope, QUOTES, place, after=after, limit=_STEP):
        for row in rows:
            yield row
        after = rows[-1].key


def _bare(message: Message) -> Message:
    return msgspec.structs.replace(message, text="", images=(), metadata={}, redacted=True)


def _without(message: Message, phrases: Sequence[str]) -> Message:
    return msgspec.structs.replace(message, text=scrub(message.text, phrases))


def scrub(text: str, phrases: Sequence[str]) -> str:
    """The text without the phrases, whatever their case; the longest first, so that none hides in another's trace."""
    for phrase in sorted({each.strip().rstrip(".!?") for each in phrases}, key=len, reverse=True):
        if phrase:
            text = re.sub(re.escape(phrase), FORGOTTEN, text, flags=re.IGNORECASE)
    return text


def shared(text: str, others: Sequence[str]) -> list[str]:
    """The longest runs of words of a text that stand in any of others, as far as a word of them may tell something."""
    words = list(_WORDS.finditer(text))
    known = [f" {' '.join(_WORDS.findall(each.casefold()))} " for each in others]
    found: list[str] = []
    place = 0
    while place < len(words):
        end, run = place, " "
        for word in words[place:]:
            longer = f"{run}{word[0].casefold()} "
            if not any(longer in each for each in known):
                break
            end, run = end + 1, longer
        if any(map(_tells, words[place:end])):
            found.append(text[words[place].start() : words[end - 1].end()])
        place = max(end, place + 1)
    return found


def holds(text: str, phrase: str) -> bool:
    """Whether a text has a phrase as whole words, in whatever case."""
    return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, re.IGNORECASE) is not None


def _tells(word: re.Match[str]) -> bool:
    """Whether a word may tell something: it is long, has a digit, is a name, or of a script without small letters."""
    said = word[0]
    named = len(said) > 1 and not said[0].islower() and word.start() > 0
    return len(said) >= _TELLING or any(map(str.isdigit, said)) or named


def lost(before: str, after: str) -> list[str]:
    """What a text has lost from one reading to the next: the whole, and the words that marks stand for now."""
    phrases, rest = [before], before
    for part in filter(None, after.split(FORGOTTEN)):
        phrase, _, rest = rest.partition(part)
        phrases.append(phrase)
    return [*phrases, rest]
