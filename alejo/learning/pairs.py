"""Questions and the answers they got: found when a session ends, and read back as lines to train a model with.

What is kept of a pair is where its messages are. So its words are in one place, sealed; whoever forgets them there, or
deletes the session, has taken them out of every pair and of all that is written later.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from heapq import nsmallest
from itertools import pairwise

import msgspec

from alejo.reflection import Piece
from alejo.storage.journal import message_key
from alejo.storage.store import Store, Writer
from alejo.storage.tables import MESSAGES, PAIRS, PairRow
from alejo.types import Message, Pair, Role, Scope

from .stages import Made

FORMS = ("plain", "openai")
_STEP = 256
_MOST_MESSAGES = 16  # of a question or an answer
_SIGNATURE = 32  # hashes of a text
_ALIKE = 0.8  # of what two texts say together, which both say
_WORDS = re.compile(r"\w+")
Reword = Callable[[str], Awaitable[str]]


class Pairs:
    """Finds pairs, and reads them back."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def learn(self, scope: Scope, pieces: Sequence[Piece]) -> Made:
        """The stage's work."""
        found = {job.session_id: find(messages) for job, messages in pieces}

        async def effects(writer: Writer) -> None:
            for session_id, rows in found.items():
                for seq, row in rows:
                    writer.put(PAIRS, bytes.fromhex(session_id) + seq.to_bytes(8, "big"), row)

        return Made(effects, {each: len(rows) for each, rows in found.items()})

    async def read(self, scope: Scope, *, newest: bool = False) -> AsyncIterator[Pair]:
        """The pairs that still have their words, without near duplicates, oldest session first or last.

        Of those that are alike the first that comes stays.
        """
        seen = Seen()
        after = b""
        while rows := await self._store.scan(scope, PAIRS, after=after, limit=_STEP, reverse=newest):
            for row in rows:
                pair = await self._pair(scope, row.key[:16].hex(), row.value)
                if pair is not None and seen.new(pair):
                    yield pair
            after = rows[-1].key

    async def _pair(self, scope: Scope, session_id: str, row: PairRow) -> Pair | None:
        question = [await self._store.get(scope, MESSAGES, key) for key in row.question]
        answer = [await self._store.get(scope, MESSAGES, key) for key in row.answer]
        said = [each.value for each in question if each is not None]
        got = [each.value for each in answer if each is not None]
        if len(said) < len(row.question) or len(got) < len(row.answer) or any(each.redacted for each in (*said, *got)):
            return None
        texts = (_text(said), _text(got))
        return Pair(*texts, session_id, said[0].id, said[0].sent_at) if all(texts) else None


def find(messages: Sequence[Message]) -> list[tuple[int, PairRow]]:
    """Each run of a user's messages that an assistant's follow, with these; by the number of the first.

    What begins with a slash is a command, not a question, and what was taken back or is only a picture is neither.
    """
    found: list[tuple[int, PairRow]] = []
    question: list[Message] = []
    answer: list[Message] = []

    def close() -> None:
        if question and answer:
            keys = [tuple(_key(each) for each in several[-_MOST_MESSAGES:]) for several in (question, answer)]
            found.append((question[-_MOST_MESSAGES:][0].seq, PairRow(*keys)))

    for message in messages:
        if message.role is Role.USER:
            if answer:
                close()
                question, answer = [], []
            if _said(message):
                question.append(message)
            elif message.text.startswith("/"):
                question = []
        elif message.role is Role.ASSISTANT and _said(message) and question:
            answer.append(message)
    close()
    return found


def _said(message: Message) -> bool:
    return bool(message.text.strip()) and not message.redacted and not message.text.startswith("/")


def _key(message: Message) -> bytes:
    return message_key(message.session_id, message.sent_at, message.seq)


def _text(messages: Sequence[Message]) -> str:
    return "\n".join(message.text.strip() for message in messages)


async def reworded(pair: Pair, reword: Reword) -> Pair:
    """A pair with its texts changed."""
    return msgspec.structs.replace(pair, question=await reword(pair.question), answer=await reword(pair.answer))


def line(pair: Pair, form: str) -> bytes:
    """A pair as a line of JSON: plain, or as OpenAI fine-tunes chat models."""
    value: dict[str, object]
    if form == "openai":
        messages = [{"role": "user", "content": pair.question}, {"role": "assistant", "content": pair.answer}]
        value = {"messages": messages}
    else:
        value = {"instruction": pair.question, "output": pair.answer, "context": pair.session_id}
    return msgspec.json.encode(value) + b"\n"


class Seen:
    """Knows pairs again: the same words, or nearly the same.

    Texts are compared by the smallest hashes of the words and pairs of neighbours they have (Broder, "On the
    resemblance and containment of documents", 1997), which tells how much of what either says both say; exactly, for
    short ones.
    """

    def __init__(self) -> None:
        self._exact: set[int] = set()
        self._signatures: list[tuple[int, ...]] = []
        self._having: dict[int, list[int]] = {}  # the signatures that begin with a hash, by it

    def new(self, pair: Pair) -> bool:
        """Whether nothing like it was seen; from here on it was."""
        question, answer = _plain(pair.question), _plain(pair.answer)
        exact = hash((tuple(question), tuple(answer)))
        if exact in self._exact:
            return False
        own = signature(question, answer)
        places = {place for each in own for place in self._having.get(each, ())}
        if any(alike(own, self._signatures[place]) >= _ALIKE for place in places):
            return False
        self._exact.add(exact)
        # Of two that are alike, one's few smallest are among the other's smallest: enough to find it by.
        for each in own[: max(1, round(len(own) * (1 - _ALIKE)) + 1)]:
            self._having.setdefault(each, []).append(len(self._signatures))
        self._signatures.append(own)
        return True


def _plain(text: str) -> list[str]:
    return _WORDS.findall(unicodedata.normalize("NFKC", text).casefold())


def signature(question: Sequence[str], answer: Sequence[str]) -> tuple[int, ...]:
    """The smallest hashes of what a pair says, question and answer apart, in order."""
    parts = {f"{side} {one} {two}" for side, words in (("q", question), ("a", answer)) for one, two in pairwise(words)}
    parts |= {f"{side} {word}" for side, words in (("q", question), ("a", answer)) for word in words}
    return tuple(nsmallest(_SIGNATURE, {zlib.crc32(part.encode()) for part in parts}))


def alike(one: tuple[int, ...], two: tuple[int, ...]) -> float:
    """About which part of what either says both say, 0 to 1."""
    both = set(one) & set(two)
    smallest = nsmallest(_SIGNATURE, set(one) | set(two))
    return sum(each in both for each in smallest) / len(smallest) if smallest else 1.0
