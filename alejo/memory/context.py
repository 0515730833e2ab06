"""The context: what a brain should know to answer, in sections, within a token budget, every piece explained."""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterable, Sequence

from alejo import _core
from alejo.types import Context, ContextDrop, ContextItem, Evidence, Hit, Memory, Message, Role

DEFAULT_BUDGET = 2048
_BY_SCORE = _core.Ranker({"lexical": 1.0})  # whatever a score is made of: this evidence has no upper end


def estimate_tokens(text: str) -> int:
    """About how many tokens a model counts in a line of a context; see `alejo._core.estimate_tokens`."""
    return _core.estimate_tokens(text) + 1


def date(moment: int) -> str:
    """A moment in µs as a date people read, in UTC."""
    return time.strftime("%d %B %Y", time.gmtime(moment // 1_000_000)).lstrip("0")


def build(immediate: Sequence[Message], recalled: Sequence[Hit], pinned: Iterable[Memory], budget: int) -> Context:
    """The context of a turn: pinned memories, then recalled ones, then the session's last messages in order.

    Pieces are chosen by worth (pinned, the best hit, the newest messages) and shown by section, so that a long early
    piece never costs the best one its place. What is left of the budget goes to those of the other hits that together
    score most. A memory whose message is among the last messages, or that says what the same speaker said already,
    is shown once.
    `budget` is in tokens; the sum of the pieces' estimates is at most that.
    """
    said = {message.id for message in immediate}
    dropped: list[ContextDrop] = []
    candidates: list[tuple[str, ContextItem]] = [(memory.id, _pinned(memory)) for memory in pinned]
    held = {identifier for identifier, _ in candidates}
    told: set[tuple[str, str]] = set()
    hits: list[tuple[str, ContextItem]] = []
    scores = array("f")
    for hit in recalled:
        memory = hit.memory
        words = memory.speaker, memory.text
        if memory.id in held or memory.message_id in said or words in told:
            dropped.append(ContextDrop(memory.id, "duplicate", estimate_tokens(memory.text)))
        else:
            told.add(words)
            hits.append((memory.id, _recalled(hit)))
            scores.append(max(hit.score, 0.0))
    messages = [(message.id, _said(message)) for message in reversed(immediate) if not message.redacted]
    chosen: dict[str, ContextItem] = {}
    used = 0
    for identifier, item in [*candidates, *hits[:1], *messages]:
        if used + item.tokens <= budget:
            chosen[identifier] = item
            used += item.tokens
        else:
            dropped.append(ContextDrop(identifier, "budget", item.tokens))
    others = hits[1:]
    tokens = array("I", (item.tokens for _, item in others))
    selection = _BY_SCORE.rank(
        array("Q", range(len(others))), {"lexical": scores[1:]}, tokens=tokens, budget=budget - used
    )
    chosen.update(others[place] for place, _, _ in selection.chosen)
    used += selection.tokens
    dropped += (ContextDrop(others[place][0], reason, tokens[place]) for place, reason, _ in selection.left_out)
    shown = [*candidates, *hits, *reversed(messages)]
    items = tuple(chosen[identifier] for identifier, _ in shown if identifier in chosen)
    return Context(items, used, tuple(dropped))


def _pinned(memory: Memory) -> ContextItem:
    text = f"Pinned: {memory.text}"
    return ContextItem("pinned", text, estimate_tokens(text), memory.id, memory.message_id, (Evidence("pinned", 1.0),))


def _recalled(hit: Hit) -> ContextItem:
    memory = hit.memory
    text = f"Remembered from {date(memory.sent_at)}, {memory.speaker or 'the user'} said: {memory.text}"
    return ContextItem("recalled", text, estimate_tokens(text), memory.id, memory.message_id, hit.evidence)


def _said(message: Message) -> ContextItem:
    speaker = message.speaker or ("Assistant" if message.role is Role.ASSISTANT else "User")
    line = f"{speaker}: {message.text}"
    evidence = (Evidence("immediate", 1.0, "one of the session's last messages"),)
    return ContextItem("immediate", line, estimate_tokens(line), message_id=message.id, evidence=evidence)
