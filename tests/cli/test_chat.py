"""A chat through a pipe."""

from __future__ import annotations

import subprocess
import sys

from .home import Home, said


def test_what_was_said_is_remembered_after_a_kill(home: Home) -> None:
    """A chat that is killed right after an answer has kept everything that was said."""
    first = home.start("chat")
    said(first, "My dog is called Luna.")
    first.kill()
    answer = home.run("chat", lines="What is my dog called?\n")
    assert "Luna" in answer.stdout
    assert answer.stdout.count("\n") == 1


def test_a_second_chat_joins_the_first(home: Home) -> None:
    """A second chat speaks to the first one's server, hears what was said there, and takes over when it is killed."""
    first = home.start("chat")
    said(first, "My dog is called Luna.")
    holder = (home.data / "server.lock").read_text()
    second = home.start("chat")
    assert "Luna" in said(second, "What is my dog called?")
    assert (home.data / "server.lock").read_text() == holder == f"{first.pid}\n"
    first.kill()
    first.wait()
    assert "Luna" in said(second, "What is my dog called?")
    assert (home.data / "server.lock").read_text() == f"{second.pid}\n"


def test_a_server_that_dies_within_an_answer_costs_nothing(home: Home) -> None:
    """When the server is killed while it answers, the chat starts its own, asks again, and the turn is there once."""
    gate = home.slow_brain()
    server, _ = home.serve()
    chat = home.start("chat")
    assert chat.stdin
    chat.stdin.write("Count, please.\n")
    session = _first_session_with_a_message(home)
    server.kill()
    gate.touch()
    output, complaints = chat.communicate(timeout=20)
    assert (output, chat.returncode) == ("One. two\n", 0)
    assert "asking again" in complaints
    assert [(one["id"], one["messages"]) for one in home.json("sessions", "list")] == [(session, 2)]


def _first_session_with_a_message(home: Home) -> str:
    """Waits until a turn is under way."""
    for _ in range(50):
        sessions = home.json("sessions", "list")
        if sessions and sessions[0]["messages"] == 1:
            return str(sessions[0]["id"])
    raise AssertionError("no message arrived")


def test_stdout_carries_the_answers_alone(home: Home) -> None:
    """Each answer is one line of stdout; commands, notes and empty lines give none."""
    done = home.run("chat", lines="remember that tea is at five\n\n   \n/help\n/memories\nlist memories\n/quit\nhelp\n")
    assert len(done.stdout.splitlines()) == 2
    assert "/forget NUMBER" in done.stderr
    assert "ea is at five" in done.stderr
    assert "Back up your key" in done.stderr


def test_a_line_that_fails_does_not_end_the_chat(home: Home) -> None:
    """A line that cannot be answered is one sentence on stderr; the next is answered; the exit code is 1."""
    done = home.run("chat", lines=f"/nothing\n{'x' * 40_000}\nhelp\n", code=1)
    assert len(done.stdout.splitlines()) == 1
    complaints = [line for line in done.stderr.splitlines() if line.startswith("alejo: ")]
    assert len(complaints) == 2
    assert "/nothing" in complaints[0]
    assert "32,768" in complaints[1]


def test_bytes_that_are_no_text_are_refused(home: Home) -> None:
    """A line that is not UTF-8 is left out with a sentence, and a last line without an end is answered."""
    chat = home.start("chat")
    assert chat.stdin
    chat.stdin.buffer.write(b"\xff\xfe\nhelp")
    output, complaints = chat.communicate(timeout=20)
    assert (len(output.splitlines()), chat.returncode) == (1, 1)
    assert "not UTF-8" in complaints


def test_a_chat_tells_what_is_still_to_be_done(home: Home) -> None:
    """/jobs says how far the work on what was said here is."""
    told = home.run("chat", lines="/jobs\nHello\n/jobs\n").stderr
    assert "Nothing has been said yet." in told
    assert ("2 of 2 messages" in told) != ("All that was said here is worked through." in told)


def test_why_shows_what_got_attention_also_later(home: Home) -> None:
    """/why names what won attention and the turn's request id, by which `alejo why` shows it again."""
    told = home.run("chat", lines="My dog is called Luna.\nWhat is my dog called?\n/why\n").stderr
    assert "recalled 1 (memory: " in told
    request_id = told.rpartition("alejo why ")[2].split()[0]
    later = home.run("why", request_id)
    assert "recalled 1 (memory: " in later.stdout
    foci = home.json("why", request_id)
    assert {"won"} <= {focus["outcome"] for focus in foci}
    assert "Luna" not in str(foci)
    assert "no such turn" in home.run("why", "never", code=1).stderr


def test_why_forget_and_sessions_work_by_line(home: Home) -> None:
    """/why names the evidence, /forget forgets by number, /session goes on where another chat was."""
    home.run("chat", lines="My dog is called Luna.\n")
    told = home.run("chat", lines="What is my dog called?\n/why\n/session list\n/session switch 2\n/session\n").stderr
    assert "lexical" in told
    assert "My dog is called Luna." in told
    assert "covers" in told
    session = next(line for line in told.splitlines() if line.startswith("Now in ")).split()[2]
    assert home.run("chat", "--session", session, lines="/session\n").stderr.startswith(session)
    forgotten = home.run("chat", lines="/memories Luna\n/forget 1\n/memories Luna\n").stderr
    assert "Forgotten, with what was made of it: 2; messages redacted: " in forgotten
    assert "Luna" not in home.run("chat", lines="What is my dog called?\n").stdout


def test_users_are_apart(home: Home) -> None:
    """What one user said is not known to another."""
    home.run("chat", "--user", "ann", lines="My dog is called Luna.\n")
    assert "Luna" not in home.run("chat", "--user", "bob", lines="What is my dog called?\n").stdout
    assert "Luna" in home.run("chat", "--user", "ann", lines="What is my dog called?\n").stdout


def test_a_chat_that_only_joins_leaves_the_server_alone(home: Home) -> None:
    """A chat that ends leaves a running server running; SIGTERM ends that with exit code 0 and no socket left."""
    server, _ = home.serve()
    home.run("chat", lines="help\n")
    assert server.poll() is None
    server.terminate()
    assert server.wait(20) == 0
    assert not home.socket.exists()


def test_chats_that_start_at_once_share_one_server(home: Home) -> None:
    """Of three chats started together on a new folder one serves and all are answered."""
    chats = [home.start("chat") for _ in range(3)]
    answers = [said(chat, "help") for chat in chats]
    assert len(set(answers)) == 1
    # The one that serves may end first: the others go on.
    for chat in chats:
        assert _ended(chat) == 0


def _ended(chat: subprocess.Popen[str]) -> int:
    chat.communicate(timeout=20)
    return chat.returncode


def test_a_chat_goes_through_a_model(home: Home) -> None:
    """With a base URL in the environment a model answers, and /why names it; the chat goes on without it."""
    command = [sys.executable, "-m", "alejo.testing.model_server", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=home.environment) as server:
        try:
            assert server.stdout
            home.environment["OPENAI_BASE_URL"] = server.stdout.readline().split()[0].partition("=")[2]
            done = home.run("chat", lines="remember that my dog is called Luna\nHow is the weather?\n/why\n")
        finally:
            server.kill()
    assert done.stdout.splitlines()[1:] == ["You said: How is the weather?"]
    assert "Written by parrot (configured): " in done.stderr
    done = home.run("chat", lines="What is my dog called?\n/why\n")
    assert "Luna" in done.stdout
    assert "Without language_model: openai (unavailable)." in done.stderr


def test_times_are_those_of_the_machine(home: Home) -> None:
    """It is as late as the machine's clock shows, and a reminder comes when that shows its time; a preference wins."""
    home.environment["TZ"] = "Asia/Kathmandu"
    asked = "What time is it?\nRemind me to stretch on 1 January 2040 at 9\n"
    assert "Asia/Kathmandu" in home.run("chat", lines=asked).stdout
    assert [one["due_at"] for one in home.json("reminders", "list")] == ["2040-01-01T03:15:00Z"]
    home.run("preferences", "time_zone=Europe/Vienna")
    assert "Europe/Vienna" in home.run("chat", lines="What time is it?\n").stdout
