"""A chat at a terminal, typed into a pseudo-terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from .home import Home, Terminal

CTRL_C, CTRL_D, UP, ENTER = "\x03", "\x04", "\x1b[A", "\r"
Open = Callable[..., Terminal]


@pytest.fixture
def terminal(home: Home) -> Iterator[Open]:
    opened: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        one = Terminal(home, *arguments)
        opened.append(one)
        one.prompt()
        return one

    yield start
    for one in opened:
        one.close()


def test_a_conversation_at_a_terminal(terminal: Open) -> None:
    """An answer comes after its prompt, /why shows its evidence, and Ctrl-D leaves with exit code 0."""
    chat = terminal()
    chat.type(f"My dog is called Luna.{ENTER}")
    chat.expect("alejo >")
    chat.prompt()
    chat.type(f"What is my dog called?{ENTER}")
    assert "Luna" in chat.prompt()
    assert b"\x1b[32m" in chat.raw
    chat.type(f"/why{ENTER}")
    shown = chat.prompt()
    assert "My dog is called Luna." in shown
    assert "lexical" in shown
    assert "covers" in shown
    chat.type(CTRL_D)
    assert chat.end() == 0


def test_ctrl_c_stops_an_answer_and_not_the_chat(home: Home, terminal: Open) -> None:
    """An answer is shown while it comes; Ctrl-C stops it, and the next question is answered in the same session."""
    gate = home.slow_brain()
    chat = terminal()
    chat.type(f"first{ENTER}")
    chat.expect("One.")
    chat.type(CTRL_C)
    chat.expect("(stopped)")
    chat.prompt()
    gate.touch()
    chat.type(f"second{ENTER}")
    chat.expect("One. two")
    chat.prompt()
    chat.type(f"/session{ENTER}")
    # Two questions and one answer: what was stopped left no partial answer.
    chat.expect("3 messages")
    chat.type(f"/quit{ENTER}")
    assert chat.end() == 0


def test_ctrl_c_at_the_prompt_clears_the_line(terminal: Open) -> None:
    """Ctrl-C drops what was typed; what is typed next is all that is said."""
    chat = terminal()
    chat.type(f"rubbish{CTRL_C}")
    chat.prompt()
    chat.type(f"/session list{ENTER}")
    assert "rubbish" not in chat.prompt().split("/session list")[1]
    chat.type(CTRL_D)
    assert chat.end() == 0


def test_the_up_arrow_brings_earlier_words_from_the_server(home: Home, terminal: Open) -> None:
    """The user's own earlier lines come back in a new chat, newest first, and no file holds them in clear."""
    # No letter stands at the same place in both: the terminal is only told of those that change.
    home.run("chat", lines="DOGS-BARK-AT-NIGHT-AND-DAY\nthe cat sleeps on the oven\n")
    chat = terminal()
    chat.type(UP)
    chat.expect("the cat sleeps on the oven")
    chat.type(UP)
    chat.expect("DOGS-BARK-AT-NIGHT-AND-DAY")
    files = [path for path in home.folder.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if b"sleeps on the oven" in path.read_bytes()] == []


def test_an_answer_cannot_steer_the_terminal(home: Home, terminal: Open) -> None:
    """Escape sequences within an answer are not written to the terminal."""
    home.plugin(
        "loud",
        "alejo",
        """
        from alejo.hooks import hookimpl

        class Loud:
            async def respond(self, turn):
                yield "before\\x1b[2J\\x1b]0;owned\\x07after"

        @hookimpl
        def alejo_register_brain(settings):
            return Loud()
        """,
    )
    home.environment["ALEJO_PLUGINS_DISABLED"] = "brain"
    chat = terminal()
    chat.type(f"hello{ENTER}")
    chat.expect("before[2J]0;ownedafter")
    assert b"\x1b[2J" not in chat.raw
    assert b"\x1b]0;owned" not in chat.raw


def test_a_server_that_goes_away_is_replaced(home: Home, terminal: Open) -> None:
    """When the server is killed while an answer comes, the chat says so, starts its own, and answers anew."""
    gate = home.slow_brain()
    server, _ = home.serve()
    chat = terminal()
    chat.type(f"count{ENTER}")
    chat.expect("One.")
    server.kill()
    chat.expect("asking again")
    gate.touch()
    chat.expect("One. two")
    chat.prompt()
    chat.type(CTRL_D)
    assert chat.end() == 0
