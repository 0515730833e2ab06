"""Commands about what is remembered: keep, find, forget, correct."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from alejo.errors import InvalidArgument
from alejo.roles import Turn
from alejo.types import Memory, MemoryDraft

from ..choosing import answers, clear
from ..interpreting import interpret
from ..languages import agreed
from ..phrases import here, numbered, quoted, sentence
from ..tongues import tongues
from ..words import bare, within
from .describing import described, given
from .replies import heard

RECALLED = 5
SEEN = 200  # memories that are looked through for words
_REQUEST = 200  # characters of the longest that is read as a request
_VAGUE = re.compile(
    r"^(?:(?:it|that|this|all|all of it|everything|alles|todo)"
    r"(?:\s+(?:that\s+)?you\s+\w+(?:\s+(?:about|of)\s+(?:me|us))?|,?\s+was\s+du\s.{0,40}|\s+lo\s+que\s.{0,40})?)?$",
    re.IGNORECASE,
)


class Remember:
    """Keeps the user's words."""

    spec = described(
        "remember",
        "keeps something in your own words",
        "remember that <something>",
        ("remember that {text}", "keep in mind that {text}", "note: {text}"),
        writes=True,
        text="What to keep, in the user's own words.",
    )

    async def run(self, arguments: str, turn: Turn) -> str:
        """Remembers the words as they are, with a capital at the beginning."""
        words, locale = given(arguments).get("text", ""), await heard(turn)
        if not words:
            return locale.say("remember_what")
        if words.lower().startswith("to "):
            words = f"remember {words}"
        text = words[0].upper() + words[1:]
        memory = await turn.desk.remember(
            MemoryDraft(text=text, session_id=turn.session.id, message_id=turn.message.id, sent_at=turn.message.sent_at)
        )
        return locale.say("remembered", quote=quoted(memory))


class Recall:
    """Quotes what is remembered about something."""

    spec = described(
        "recall",
        "says what I remember about something",
        "recall <something>",
        ("what do you remember about {query}", "recall {query}", "what did i tell you about {query}"),
        query="What the memories shall be about.",
    )

    async def run(self, arguments: str, turn: Turn) -> str:
        """Up to five memories, best first, with source and date."""
        query, locale = given(arguments).get("query", ""), await heard(turn)
        if not query:
            return locale.say("recall_what")
        found = await turn.desk.recall(query, 2 * RECALLED)
        hits = list(answers(found, query, turn.message.id))[:RECALLED]
        if not hits:
            return locale.say("recall_none", query=query)
        tongue = tongues().get(locale.language)
        return "; ".join(sentence(hit.memory, turn.now, here(turn), tongue) for hit in hits)


class Forget:
    """Forgets one thing, when it is clear which."""

    spec = described(
        "forget",
        "forgets one memory and says which",
        "forget that <something>",
        ("forget that {query}", "forget about {query}", "delete what you know about {query}"),
        writes=True,
        query="What is to be forgotten, in the words of the memory.",
    )

    async def run(self, arguments: str, turn: Turn) -> str:
        """Forgets the one clear match; otherwise names the candidates and forgets nothing."""
        words, locale = given(arguments).get("query", "").strip('"'), await heard(turn)
        if _VAGUE.match(words):
            return locale.say("forget_what")
        is_sure = agreed(turn.message.text) is True  # to a question that said whom all is forgotten of
        found = await turn.desk.recall(words, SEEN if is_sure else 4 * RECALLED)
        found = [hit for hit in found if hit.memory.kind != "question" and hit.memory.message_id != turn.message.id]
        exactly = bare(words)  # what is quoted is what is meant, and so is what only reads like a request and is alone
        requests = [hit for hit in found if bare(hit.memory.text) != exactly and _forgets(hit.memory.text)]
        hits = [hit for hit in found if hit not in requests]
        if not any(answers(hits, words)):
            hits, requests = found, []
        meant = clear(hits, words) or ([hit for hit in hits if _says(hit.memory.text, words)] if is_sure else [])
        if meant:
            await turn.desk.forget([hit.memory.id for hit in (*meant, *answers(requests, words))])
            shown = list({bare(hit.memory.text): locale.dated(hit.memory) for hit in meant}.values())
            return locale.say("forgot", quote=shown[0] if len(shown) == 1 else numbered(shown))
        candidates = list(answers(hits, words))[:RECALLED]
        if not candidates:
            return locale.say("forget_none", query=words)
        return locale.say("forget_which", listed=numbered([locale.dated(hit.memory) for hit in candidates]))


def _says(text: str, words: str) -> bool:
    """Whether a text has words as they stand, a name with its capital."""
    return within(words, text if words != words.lower() else text.lower())


def _forgets(text: str) -> bool:
    """Whether a text asks for something to be forgotten: it quotes that, goes with it, and is never what is meant."""
    return len(text) <= _REQUEST and interpret(text, (Forget.spec,)) is not None


class Correct:
    """Puts right what is remembered wrongly, when it is clear where."""

    spec = described(
        "correct",
        "corrects what I remember wrongly",
        "it is <right>, not <wrong>",
        ("it is {new}, not {old}", "correct {old} to {new}", "replace {old} with {new}"),
        writes=True,
        old="The words that are wrong, as they are remembered.",
        new="The words that are right instead.",
    )

    async def run(self, arguments: str, turn: Turn) -> str:
        """Replaces the words in the one memory that has them; otherwise names the candidates and changes nothing."""
        wanted, locale = given(arguments), await heard(turn)
        old, new = wanted.get("old", "").strip('"'), wanted.get("new", "").strip('"')
        if not old or not new:
            return locale.say("correct_what")
        wrong = await having(old, new, turn)
        if not wrong:
            return locale.say("correct_none", old=old)
        if len({bare(memory.text) for memory in wrong}) > 1:
            listed = numbered([locale.dated(memory) for memory in wrong[:RECALLED]])
            return locale.say("correct_which", listed=listed)
        try:
            corrected = [await turn.desk.correct(memory.id, _replaced(memory.text, old, new)) for memory in wrong]
        except InvalidArgument as refused:
            return locale.say("correct_refused", why=refused.message)
        return locale.say("corrected", quote=quoted(corrected[0]))


async def having(old: str, new: str, turn: Turn) -> Sequence[Memory]:
    """The memories that have the wrong words; of those that share as many words with the message, the most."""
    found = [hit.memory for hit in await turn.desk.recall(old, 4 * RECALLED)] + [*await turn.desk.memories(SEEN)]
    having = {
        memory.id: memory
        for memory in found
        if memory.message_id != turn.message.id and memory.kind != "question" and _pattern(old).search(memory.text)
    }
    told = [memory for memory in having.values() if having.keys().isdisjoint(memory.sources)]
    hint = _content(turn.message.text) - _content(old) - _content(new)
    shared = {memory.id: len(hint & _content(memory.text)) for memory in told}
    most = max(shared.values(), default=0)
    return [memory for memory in told if shared[memory.id] == most]


def _content(text: str) -> set[str]:
    return {word for word in bare(text).split() if len(word) > 2}


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(words)}(?!\w)", re.IGNORECASE)


def _replaced(text: str, old: str, new: str) -> str:
    return _pattern(old).sub(lambda _: new, text)


def told(memories: Iterable[Memory], turn: Turn) -> list[Memory]:
    """The memories that tell something: no questions, and nothing that is just being said."""
    return [each for each in memories if each.kind != "question" and each.message_id != turn.message.id]
