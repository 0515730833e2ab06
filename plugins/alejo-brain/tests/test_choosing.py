"""Which hits are good enough to speak of."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from alejo_brain.choosing import answers, best, clear, told

from alejo.types import Hit, Layer, Memory


def hit(text: str, score: float, coverage: float, *, kind: str = "statement", message_id: str = "") -> Hit:
    return Hit(Memory(text, Layer.EPISODIC, kind, text, 0, 0, "", "s", message_id), score, coverage)


def texts(hits: Iterable[Hit]) -> list[str]:
    return [each.memory.text for each in hits]


def test_questions_and_the_message_itself_are_no_answers() -> None:
    """A question that was asked before and the very message being answered are never quoted."""
    hits = [hit("Q?", 9, 1, kind="question"), hit("now", 8, 1, message_id="m"), hit("told", 7, 1)]
    assert texts(told(hits, "m")) == ["told"]


def test_a_memory_of_another_thing_is_no_answer() -> None:
    """Sharing only a word such as "called" is not enough, however well the host thinks the question is covered."""
    luna = hit("My dog is called Luna.", 3, 0.9)
    assert not list(answers([luna], "What is my cat called?"))
    assert list(answers([luna], "What is my dog called?"))


def test_among_few_memories_shared_words_count() -> None:
    """Where rarity makes a word never heard weigh most, the share of telling words decides."""
    assert list(answers([hit("My dog is called Luna.", 1, 0.17)], "What is my dog's name?"))
    assert not list(answers([hit("My dog is called Luna.", 1, 0.17)], "Which dog won the show in Paris?"))


def test_a_question_of_general_words_goes_by_coverage() -> None:
    """ "Where do I live?" has no telling word; the host's coverage decides alone."""
    assert list(answers([hit("I live in Bonn.", 1, 1.0)], "Where do I live?"))
    assert not list(answers([hit("I like Bonn.", 1, 0.3)], "Where do I live?"))


def test_the_same_words_are_quoted_once() -> None:
    """Memories that differ only in case and punctuation count as one."""
    assert texts(told([hit("I like tea.", 3, 1), hit("i like tea!", 3, 1)], "")) == ["I like tea."]


def test_what_was_derived_tells_nothing_beside_its_source() -> None:
    """A fact is quoted where what somebody said is not found, and not beside it."""
    said = hit("My dog is called Luna.", 3, 1)
    memory = msgspec.structs.replace(said.memory, id="fact", text="The user's dog is Luna.", sources=(said.memory.id,))
    fact = msgspec.structs.replace(said, memory=memory)
    assert list(told([said, fact], "")) == list(told([fact, said], "")) == [said]
    assert list(told([fact], "")) == [fact]


def test_weak_seconds_are_dropped() -> None:
    """Beside the first, at most two hits are quoted, and only those nearly as good."""
    assert texts(best([hit("a", 10, 1), hit("b", 7.5, 1), hit("c", 6.5, 1)])) == ["a", "b"]
    assert len(best([hit(name, 10, 1) for name in "abcd"])) == 3
    assert best([]) == []


def test_an_exact_wording_is_clear_whatever_else_matches() -> None:
    """All memories that say exactly the words are meant, others are not."""
    hits = [hit("My dog is called Luna.", 5, 1), hit("my dog is called Luna", 5, 1), hit("My dog barks", 5, 1)]
    assert texts(clear(hits, "my dog is called luna")) == ["My dog is called Luna.", "my dog is called Luna"]


def test_two_equal_candidates_are_unclear() -> None:
    """Nothing is meant when a second hit is nearly as good, or when none is about it."""
    assert clear([hit("Luna barks", 5, 1), hit("Luna sleeps", 4.9, 1)], "Luna") == []
    assert clear([hit("Rex barks", 5, 0.3)], "Luna") == []
    assert texts(clear([hit("Luna barks", 5, 0.9), hit("a moon", 4.9, 0.4)], "Luna")) == ["Luna barks"]
