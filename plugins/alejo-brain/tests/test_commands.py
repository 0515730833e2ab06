"""The commands, through the brain as a user says them."""

from __future__ import annotations

from typing import Any

from alejo.types import Layer


async def test_remember_keeps_the_words(desk: Any, say: Any) -> None:
    """What is to be remembered is kept as said, with a capital, tied to its message."""
    assert await say("remember that my dog is called Luna") == 'I will remember: "My dog is called Luna"'
    assert [(memory.text, memory.kind, memory.message_id) for memory in desk.kept] == [
        ("My dog is called Luna", "note", "now")
    ]
    assert desk.ran == [("remember", '{"text":"my dog is called Luna"}')]


async def test_what_was_remembered_answers_the_next_question(desk: Any, say: Any) -> None:
    """A remembered note is quoted when it is asked for."""
    await say("Note: the spare key is under the mat.")
    answer = await say("Where is the spare key?", message_id="later")
    assert answer == 'The mat. You told me today, 9 May 2023: "The spare key is under the mat"'


async def test_a_thing_to_do_keeps_its_verb(desk: Any, say: Any) -> None:
    """ "Remember to" stays part of the memory."""
    await say("don't forget to call mum")
    assert desk.kept[0].text == "Remember to call mum"


async def test_recall_quotes_with_source_and_date(desk: Any, say: Any) -> None:
    """Recall names everything relevant, each with its source."""
    desk.add("Luna is a beagle.", days_ago=2)
    desk.add("I met Luna!", speaker="Ada", days_ago=3)
    desk.add("I live in Bonn.")
    assert await say("what do you remember about Luna?") == (
        'You told me on 7 May 2023: "Luna is a beagle."; Ada said on 6 May 2023: "I met Luna!"'
    )
    assert await say("recall Paris") == "I remember nothing about Paris."


async def test_forget_says_exactly_what(desk: Any, say: Any) -> None:
    """The one clear match is forgotten and quoted; the others stay."""
    desk.add("My dog is called Luna.", days_ago=1)
    desk.add("I live in Bonn.")
    assert await say("forget that my dog is called Luna") == 'I forgot: "My dog is called Luna." (8 May 2023)'
    assert [memory.text for memory in desk.kept] == ["I live in Bonn."]


async def test_forget_in_other_words(desk: Any, say: Any) -> None:
    """A single good match is enough without its exact words."""
    desk.add("My dog is called Luna.")
    desk.add("I live in Bonn.")
    await say("forget about Luna")
    assert [memory.text for memory in desk.kept] == ["I live in Bonn."]


async def test_an_unclear_forget_forgets_nothing(desk: Any, say: Any) -> None:
    """Several candidates are listed, and all of them stay."""
    desk.add("Luna is a beagle.", days_ago=1)
    desk.add("Luna is three.", speaker="Ada", days_ago=2)
    assert await say("forget about Luna") == (
        "I forgot nothing yet; which do you mean? Repeat the words of one: "
        '1) "Luna is a beagle." (8 May 2023); 2) "Luna is three." (Ada, 7 May 2023)'
    )
    assert len(desk.kept) == 2


async def test_a_request_to_forget_is_never_what_is_meant(desk: Any, say: Any) -> None:
    """It is no candidate, whoever kept it, and goes along with what it quotes; one for something else stays."""
    desk.add("My dog Luna loves the park.")
    desk.add("Luna was afraid of the thunder.")
    desk.add("Vergiss alles \u00fcber Luna")
    desk.add("Erase everything about Luna.")
    stays = desk.add("Erase everything about Paris.")
    listed = await say("forget about Luna")
    assert "park" in listed
    assert "thunder" in listed
    assert "alles" not in listed
    assert "everything" not in listed
    await say("forget that my dog Luna loves the park")
    await say("forget about Luna")
    assert desk.kept == [stays]


async def test_what_only_reads_like_a_request_can_be_forgotten(desk: Any, say: Any) -> None:
    """What is quoted is what is meant, whatever it reads like."""
    stays = desk.add("The new sofa is blue.")
    desk.add("The old sofa has to go.")
    await say("forget that the old sofa has to go")
    assert desk.kept == [stays]


async def test_a_vague_or_unknown_forget_forgets_nothing(desk: Any, say: Any) -> None:
    """ "Everything", nothing and a thing never told leave all as it is."""
    desk.add("Luna is a beagle.")
    for text in ("/forget it", "forget everything", "/forget", "forget about Paris"):
        assert (await say(text)).startswith("I forgot nothing")
    assert len(desk.kept) == 1


async def test_list_names_the_newest(desk: Any, say: Any) -> None:
    """At most ten memories, newest first, questions left out, and how many more there are."""
    assert await say("list memories") == "I remember nothing yet."
    desk.add("Why?", kind="question", days_ago=0)
    for number in range(12):
        desk.add(f"Thing {number}.", days_ago=1 + number)
    answer = await say("show me all your memories")
    assert answer.startswith('I remember: 1) "Thing 0." (8 May 2023); 2) "Thing 1." (7 May 2023); ')
    assert answer.endswith("; and 2 more")


async def test_help_names_every_command(desk: Any, say: Any) -> None:
    """Help lists the brain's own and those of other plugins, one line each way."""
    answer = await say("what can you do?")
    for usage in (
        "remember that",
        "recall <",
        "forget that",
        "list memories",
        "help (",
        "remind me",
        "what day is in 45 days?",
        "dice 2d6 (Rolls dice)",
    ):
        assert usage in answer


async def test_time_is_the_turns_own(say: Any) -> None:
    """The time comes from the turn, in UTC, with the day's name."""
    assert await say("What time is it?") == "It is 14:03 UTC on Tuesday, 9 May 2023."


async def test_another_plugins_command_runs_by_its_first_word(desk: Any, say: Any) -> None:
    """With or without a slash, the command gets the words after its name."""
    assert await say("dice 2d6") == "rolled 2d6"
    assert await say("/dice") == "rolled one"
    assert desk.ran == [("dice", "2d6"), ("dice", "")]


async def test_an_unknown_slash_command_is_named(say: Any) -> None:
    """A mistyped command is no statement to be noted."""
    assert await say("/dcie 2d6") == "I know no command dcie; say help to see those I know."


async def test_empty_arguments_ask_back(desk: Any, say: Any) -> None:
    """Without words, remember and recall say how they are used, and keep nothing."""
    assert "for example" in await say("/remember")
    assert "for example" in await say("/recall")
    assert desk.kept == []


def test_the_desk_is_of_the_real_types(desk: Any) -> None:
    """The list this desk keeps holds memories as the host's do."""
    assert desk.add("x").layer is Layer.EPISODIC
