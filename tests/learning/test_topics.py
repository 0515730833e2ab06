"""Topics: what a session was about, in the user's words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alejo.learning.topics import MOST, topics
from alejo.storage.tables import SessionTopics
from alejo.types import Message, Role


def said(*texts: str, role: Role = Role.USER) -> list[Message]:
    return [Message(f"{seq:032x}", "1" * 32, seq, role, text, seq, seq) for seq, text in enumerate(texts, 1)]


def said_of(*texts: str) -> list[str]:
    return [topic.text for topic in topics(said(*texts))]


def test_what_many_messages_say_is_a_topic() -> None:
    """Words that several messages say come before those that few say; words of grammar and of one message do not."""
    found = topics(
        said(
            "How do I prune tomato plants?",
            "My tomato plants have yellow leaves.",
            "Which soil do tomatoes want?",
            "And what about the soil for roses?",
            "Thanks, that was about everything.",
        )
    )
    assert [topic.text for topic in found] == ["tomato plants", "soil"]
    assert found[0].message_ids == ("1".zfill(32), "2".zfill(32))


def test_languages_have_their_own_words_of_grammar() -> None:
    """German and Spanish words of grammar are no topics either."""
    assert said_of("Ich möchte über den Garten sprechen.")[0] != "über"
    assert said_of("Quiero hablar sobre la guitarra", "¿Qué cuerdas para la guitarra?")[0] == "guitarra"


def test_an_assistants_own_words_are_no_topic() -> None:
    """What only the assistant says is not what the user is about."""
    assert topics(said("Certainly, certainly.", role=Role.ASSISTANT)) == ()


def test_what_only_redacted_messages_say_goes() -> None:
    """A topic stays as long as another message says it."""
    row = SessionTopics("1" * 32, topics(said("Luna barks.", "Luna sleeps.")))
    assert {topic.text for topic in row.without({"1".zfill(32)}).topics} <= {"Luna", "Luna sleeps", "sleeps"}
    assert row.without({"1".zfill(32), "2".zfill(32)}).topics == ()


@given(st.lists(st.text(max_size=200), max_size=12))
def test_any_text_has_few_topics_that_it_says(texts: list[str]) -> None:
    """Whatever is said, there are at most eight topics, each once, each of messages that there are."""
    messages = said(*texts)
    found = topics(messages)
    assert len(found) <= MOST
    assert len({topic.text for topic in found}) == len(found)
    assert all({*topic.message_ids} <= {message.id for message in messages} for topic in found)
