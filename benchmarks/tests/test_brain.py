"""How answers are scored, and whom questions are put to."""

from __future__ import annotations

import pytest
from alejo_bench import brain
from alejo_bench.corpora import Conversation, Question, Session, Turn

from alejo.types import Role


@pytest.mark.parametrize(
    ("said", "gold", "score"),
    [
        ("A red kite.", "the red kites", 1.0),
        ("Red kite and a boat", "a boat", 2 / 4),
        ("", "a boat", 0.0),
        ("Not there", "there", 2 / 3),
    ],
)
def test_words_in_common_are_counted_as_locomo_does(said: str, gold: str, score: float) -> None:
    """Case, marks, articles and endings do not count; what is said too much and too little does."""
    assert brain.token_f1(said, gold) == pytest.approx(score)


def test_a_user_is_asked_what_only_another_told() -> None:
    """Of users with an assistant each is also asked the questions of the next, and has no name; others stay."""
    made = []
    for name in ("a", "b", "c"):
        roles = (Role.USER, Role.USER if name == "c" else Role.ASSISTANT)
        turns = tuple(Turn(f"{name}{number}", "Hi.", "Mia", role, number) for number, role in enumerate(roles))
        made.append(Conversation(name, (Session(turns),), (Question(name, frozenset({f"{name}0"}), ("all",)),)))
    first, second, third = brain.foreign(made)
    assert [(each.text, each.cases) for each in first.questions] == [("a", ("all",)), ("b", (brain.FOREIGN,))]
    assert [each.text for each in second.questions] == ["b", "a"]
    assert {turn.speaker for turn in first.turns.values()} == {""}
    assert third == made[2]


def test_a_question_about_one_is_also_asked_of_the_other() -> None:
    """Of two speakers each is asked for what the other told; a question that names both or none is not turned."""
    turns = tuple(Turn(f"t{number}", "Hi.", name, Role.USER, number) for number, name in enumerate(("Mia", "Karl")))
    asked = [Question(text, frozenset({"t0"}), ("all",)) for text in ("Where is Mia?", "Do Mia and Karl sing?", "Who?")]
    conversation = Conversation("c", (Session(turns),), tuple(asked))
    added = brain.swapped(conversation).questions[len(asked) :]
    assert [(each.text, each.cases) for each in added] == [("Where is Karl?", (brain.SWAPPED,))]
