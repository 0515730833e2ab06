"""A context keeps its budget, its order and its best item, and says what it left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alejo.memory.context import build, estimate_tokens
from alejo.types import Evidence, Hit, Layer, Memory, Message, Role


def message(number: int, text: str, *, redacted: bool = False) -> Message:
    """A message of the user."""
    return Message(f"m{number}", "s", number, Role.USER, text, number, number, redacted=redacted)


def hit(number: int, text: str, message_id: str = "") -> Hit:
    """A hit."""
    memory = Memory(f"h{number}", Layer.EPISODIC, "statement", text, number, number, message_id=message_id)
    return Hit(memory, 10.0 - number, 1.0, (Evidence("lexical", 10.0 - number, "word"),))


texts = st.lists(st.text(max_size=200), max_size=12)


@given(texts, texts, texts, st.integers(min_value=0, max_value=400))
def test_never_exceeds_its_budget(said: list[str], recalled: list[str], pinned: list[str], budget: int) -> None:
    """Whatever goes in, the pieces' estimates add up to the total, the total is within the budget, nothing is lost."""
    messages = [message(number, text) for number, text in enumerate(said)]
    hits = [hit(number, text) for number, text in enumerate(recalled)]
    pins = [hit(100 + number, text).memory for number, text in enumerate(pinned)]
    context = build(messages, hits, pins, budget)
    assert sum(item.tokens for item in context.items) == context.tokens <= budget
    assert all(item.tokens == estimate_tokens(item.text) for item in context.items)
    assert len(context.items) + len(context.dropped) == len(messages) + len(hits) + len(pins)


def test_order_and_sections() -> None:
    """Pinned comes first, recalled next best first, the last messages at the end in the order they were said."""
    context = build(
        [message(1, "one"), message(2, "two")], [hit(1, "best"), hit(2, "next")], [hit(9, "pin").memory], 500
    )
    assert [item.section for item in context.items] == ["pinned", "recalled", "recalled", "immediate", "immediate"]
    assert [item.message_id for item in context.items[-2:]] == ["m1", "m2"]
    assert "best" in context.items[1].text


def test_a_long_best_item_is_not_lost_to_many_short_ones() -> None:
    """With room for the one long best hit or many short messages, the best hit stays."""
    best = "x" * 600
    messages = [message(number, "short message") for number in range(10)]
    context = build(messages, [hit(1, best)], [], estimate_tokens(best) + 40)
    assert any(best in item.text for item in context.items)
    assert {drop.reason for drop in context.dropped} == {"budget"}


def test_what_is_said_and_recalled_shows_once() -> None:
    """A memory of one of the last messages is left out as a duplicate."""
    context = build([message(1, "My dog is Luna")], [hit(1, "My dog is Luna", "m1")], [], 500)
    assert [item.section for item in context.items] == ["immediate"]
    assert [(drop.id, drop.reason) for drop in context.dropped] == [("h1", "duplicate")]


def test_redacted_messages_are_not_shown() -> None:
    """A redacted message has no place in a context."""
    assert build([message(1, "", redacted=True)], [], [], 500).items == ()


def test_the_hits_that_score_most_together_are_shown() -> None:
    """What the best hit leaves of the budget goes to two short hits rather than to a long one of a better score."""
    hits = [hit(1, "best"), hit(2, "x" * 600), hit(3, "y" * 280), hit(4, "z" * 280)]
    context = build([], hits, [], estimate_tokens(_line("best")) + 2 * estimate_tokens(_line("y" * 280)))
    assert [item.memory_id for item in context.items] == ["h1", "h3", "h4"]
    assert [(drop.id, drop.reason) for drop in context.dropped] == [("h2", "budget")]


def _line(text: str) -> str:
    return f"Remembered from 1 January 1970, the user said: {text}"


def test_the_same_words_are_shown_once() -> None:
    """Of two memories that say the same the better one is shown."""
    context = build([], [hit(1, "I like tea"), hit(2, "I like tea")], [], 500)
    assert [item.memory_id for item in context.items] == ["h1"]
    assert [(drop.id, drop.reason) for drop in context.dropped] == [("h2", "duplicate")]
