"""What is kept, where, how much it matters, and how a recall is weighed."""

from __future__ import annotations

import pytest
from alejo_memory import Judgement
from alejo_memory.importance import importance_of
from alejo_memory.strategy import IMPORTED_AFTER, kind_of
from hypothesis import given
from hypothesis import strategies as st

from alejo.types import Image, Layer, MemoryDraft, Message, Role

AT = 1_683_640_980_000_000


def message(
    text: str, role: Role = Role.USER, *, speaker: str = "", later: int = 0, captions: tuple[str, ...] = ()
) -> Message:
    images = tuple(Image(b"x", caption=caption) for caption in captions)
    return Message("m", "s", 1, role, text, AT, AT + later, speaker, images, {"dia_id": "D1:3"})


KEPT = [
    ("My dog is called Luna.", Layer.SEMANTIC, "fact"),
    ("I live in Bonn", Layer.SEMANTIC, "fact"),
    ("I'm allergic to nuts", Layer.SEMANTIC, "fact"),
    ("I prefer tea to coffee.", Layer.SEMANTIC, "preference"),
    ("My favourite colour is blue", Layer.SEMANTIC, "preference"),
    ("I can\u2019t stand loud music", Layer.SEMANTIC, "preference"),
    ("call me Al", Layer.PROCEDURAL, "instruction"),
    ("From now on answer in German.", Layer.PROCEDURAL, "instruction"),
    ("Please never call me sir", Layer.PROCEDURAL, "instruction"),
    ("We went to the lake yesterday and it rained.", Layer.EPISODIC, "statement"),
    ("Mein Hund hei\u00dft Luna.", Layer.EPISODIC, "statement"),
    ("What is my dog called?", Layer.WORKING, "question"),
    ("dice 2d6", Layer.WORKING, "remark"),
]


@pytest.mark.parametrize(("text", "layer", "kind"), KEPT)
async def test_a_users_words_find_their_layer(text: str, layer: Layer, kind: str) -> None:
    """Each statement becomes one memory of its own words, in the layer of its kind."""
    (draft,) = await Judgement().keep(message(text))
    assert (draft.text, draft.layer, draft.kind) == (text, layer, kind)


async def test_a_memory_carries_its_messages_place() -> None:
    """Session, message, time, speaker and labels come from the message."""
    (draft,) = await Judgement().keep(message("I moved to Bonn.", speaker="Ada"))
    assert (draft.session_id, draft.message_id, draft.sent_at, draft.speaker) == ("s", "m", AT, "Ada")
    assert draft.metadata == {"dia_id": "D1:3"}


@pytest.mark.parametrize(
    "text", ["hello", "Thanks!", "ok", "remember that I am here", "/list", "what time is it?", "", "!?"]
)
async def test_courtesies_and_commands_are_not_kept(text: str) -> None:
    """Greetings, thanks and commands leave no memory."""
    assert not await Judgement().keep(message(text))


async def test_a_caption_is_part_of_the_memory() -> None:
    """Captions follow the words, and are kept even without words or beside a greeting."""
    (draft,) = await Judgement().keep(message("Look!", captions=("a dog on a beach", "")))
    assert draft.text == "Look! [photo: a dog on a beach]"
    (draft,) = await Judgement().keep(message("", captions=("a cat",)))
    assert draft.text == "[photo: a cat]"
    assert not await Judgement().keep(message("hello", captions=("",)))


async def test_a_brains_own_answers_are_not_kept() -> None:
    """What the assistant says in live chat is no memory; imported or named words of it are."""
    answer = "Your dog is called Luna."
    assert not await Judgement().keep(message(answer, Role.ASSISTANT))
    assert not await Judgement().keep(message(answer, Role.ASSISTANT, later=IMPORTED_AFTER))
    assert not await Judgement().keep(message(answer, Role.SYSTEM, later=10 * IMPORTED_AFTER))
    (draft,) = await Judgement().keep(message(answer, Role.ASSISTANT, later=IMPORTED_AFTER + 1))
    assert draft.speaker == "Assistant"
    (draft,) = await Judgement().keep(message(answer, Role.ASSISTANT, speaker="Nova"))
    assert draft.speaker == "Nova"


async def test_a_redacted_message_is_not_kept() -> None:
    """What was forgotten does not come back."""
    redacted = Message("m", "s", 1, Role.USER, "My dog is called Luna.", AT, AT, redacted=True)
    assert not await Judgement().keep(redacted)


async def test_a_draft_is_completed_where_it_is_open() -> None:
    """Layer and importance are chosen; what was given stays as it is."""
    strategy = Judgement()
    note = await strategy.complete(MemoryDraft("The key is under the mat"))
    assert (note.layer, note.kind) == (Layer.SEMANTIC, "note")
    assert note.importance is not None
    assert note.importance > importance_of("The key is under the mat", "statement")
    assert (await strategy.complete(MemoryDraft("call me Al"))).layer is Layer.PROCEDURAL
    given_ = MemoryDraft("x", layer=Layer.EPISODIC, importance=0.0, kind="own")
    assert await strategy.complete(given_) == given_


async def test_a_plan_weighs_by_the_fitted_weights() -> None:
    """Questions weigh little, recency hardly at all for a question of fact, and settings change single weights."""
    plan = await Judgement().plan("What is my dog called?")
    assert plan.weights["question"] < 0
    assert plan.weights["recency"] <= 0.2
    other = await Judgement({"pieces": 0.0}).plan("What is my dog called?")
    assert other.weights == plan.weights | {"pieces": 0.0}


@pytest.mark.parametrize("query", ["What did I do yesterday?", "my latest recipe", "Where was I last week?"])
async def test_recency_counts_when_asked_for(query: str) -> None:
    """Words such as "latest" make what is new weigh as much as what fits."""
    plan = await Judgement().plan(query)
    assert plan.weights["recency"] >= 1.0
    assert plan.recency_half_life < 30 * 86400


def test_importance_grows_with_evidence() -> None:
    """First person, names, dates and feelings each add; a question stays low."""
    plain = importance_of("the weather changes", "statement")
    assert plain < importance_of("I saw how the weather changes", "statement")
    assert plain < importance_of("the weather changes in Bonn on Monday", "statement")
    assert importance_of("My father died in May", "statement") > 0.5
    assert importance_of("Did my father live in Bonn in May?", "question") < plain


@given(st.text(max_size=200), st.sampled_from(["question", "fact", "statement", "own"]))
def test_importance_is_a_share(text: str, kind: str) -> None:
    """Importance is between 0 and 1 for any text, and any text is of a kind."""
    assert 0.0 <= importance_of(text, kind) <= 1.0
    assert kind_of(text)


@given(st.text(max_size=200))
async def test_any_text_can_be_kept(text: str) -> None:
    """A message never makes more than one memory, and that one holds the message's words."""
    for draft in await Judgement().keep(message(text)):
        assert draft.text == text.strip()
