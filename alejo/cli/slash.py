"""What a chat understands itself: lines that begin with a slash. Everything it says goes to `show`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from alejo import ids
from alejo.errors import InvalidArgument
from alejo.types import Page, Session

from . import output, why
from .mood import picture
from .talk import Talk

Show = Callable[[str], None]
_NEWEST = Page(20)


class Quit(Exception):
    """The user leaves."""


class Slash(NamedTuple):
    """A command: how it is written, what it does, and its code."""

    usage: str
    help: str
    run: Callable[[Talk, str, Show], Awaitable[None]]


async def obey(talk: Talk, line: str, show: Show) -> None:
    """Runs a line that begins with a slash. Raises Quit, and InvalidArgument for what it does not know."""
    word, _, arguments = line[1:].partition(" ")
    command = COMMANDS.get(word.lower())
    if command is None:
        raise InvalidArgument(
            f"There is no command /{word}; /help lists them, and a second slash says the line itself."
        )
    await command.run(talk, arguments.strip(), show)


async def _help(_: Talk, __: str, show: Show) -> None:
    for line in output.aligned([[command.usage, command.help] for command in COMMANDS.values()]):
        show(line)
    show("Everything else is said to the assistant. Ctrl-C stops an answer, Ctrl-D leaves.")


async def _why(talk: Talk, _: str, show: Show) -> None:
    if talk.answer is None:
        show("Nothing has been answered yet.")
        return
    for line in why.lines(talk.answer):
        show(line)


async def _memories(talk: Talk, words: str, show: Show) -> None:
    if words:
        hits, _ = await talk.link.client.recall(words)
        talk.memories = [hit.memory for hit in hits]
    else:
        talk.memories, _ = await talk.link.client.memories(_NEWEST)
    if not talk.memories:
        show("Nothing matches." if words else "Nothing is remembered yet.")
    for number, memory in enumerate(talk.memories, 1):
        who = f"{memory.speaker}: " if memory.speaker else ""
        text = output.shorten(who + memory.text, 90)
        show(f"{number:>2}. {output.date(memory.sent_at)}  {memory.layer.name.lower():<10}  {text}")


async def _facts(talk: Talk, entity: str, show: Show) -> None:
    memories, _ = await talk.link.client.facts(_NEWEST, entity=entity)
    talk.memories = memories
    if not memories:
        show("Nothing is known of that." if entity else "Nothing is known yet.")
    for number, memory in enumerate(memories, 1):
        since = memory.fact.valid_from if memory.fact else None
        when = "" if since is None else f" (since {output.date(since)})"
        show(f"{number:>2}. {output.shorten(memory.text, 90)}{when}")


async def _forget(talk: Talk, which: str, show: Show) -> None:
    if not which:
        raise InvalidArgument("Which? /memories lists them; then /forget 2, or /forget 1 3, or an identifier.")
    chosen = [_chosen(word, [memory.id for memory in talk.memories], "memory") for word in which.split()]
    forgotten, redacted = await talk.link.client.forget(chosen)
    talk.memories = [memory for memory in talk.memories if memory.id not in chosen]
    show(f"Forgotten, with what was made of it: {forgotten}; messages redacted: {redacted}.")


async def _image(talk: Talk, words: str, show: Show) -> None:
    from .seeing import is_file, picture  # noqa: PLC0415 - not needed by a chat without pictures

    whole = is_file(words)  # a name may have spaces
    name, _, text = (words, "", "") if whole else words.partition(" ")
    if not name:
        raise InvalidArgument("Which? Write it as /image FILE, or /image FILE and what you say of it.")
    said: list[str] = []
    await talk.ask(text.strip(), said.append, (picture(Path(name)),))
    show("".join(said))


async def _session(talk: Talk, words: str, show: Show) -> None:
    verb, _, which = words.partition(" ")
    if verb in {"", "show"}:
        if not talk.session_id:
            show("A new session begins with what you say next.")
        else:
            show(_described(await talk.link.client.session(talk.session_id)))
    elif verb == "list":
        sessions, _ = await talk.link.client.sessions(_NEWEST)
        talk.sessions = [session.id for session in sessions]
        for number, session in enumerate(sessions, 1):
            mark = "*" if session.id == talk.session_id else " "
            show(f"{number:>2}.{mark}{_described(session)}")
    elif verb == "switch" and which:
        session = await talk.link.client.session(_chosen(which.strip(), talk.sessions, "session"))
        talk.session_id = session.id
        show(f"Now in {_described(session)}")
    elif verb == "new":
        talk.session_id = ""
        show("A new session begins with what you say next.")
    else:
        raise InvalidArgument(f"Write it as {COMMANDS['session'].usage}.")


async def _jobs(talk: Talk, _: str, show: Show) -> None:
    if not talk.session_id:
        show("Nothing has been said yet.")
        return
    lag = await talk.link.client.reflection_lag(talk.session_id)
    if not lag.jobs:
        show("All that was said here is worked through.")
        return
    show(f"{lag.messages} of {lag.message_count} messages are to be worked through.")
    for job in lag.jobs:
        show(f"  {job.from_seq}-{job.to_seq}  {job.state.name.lower()}  {job.id}")


async def _mood(talk: Talk, _: str, show: Show) -> None:
    for line in picture(await talk.link.client.moods.get()):
        show(line)


async def _quit(_: Talk, __: str, ___: Show) -> None:
    raise Quit


def _described(session: Session) -> str:
    title = f"  {output.shorten(session.title, 50)}" if session.title else ""
    return (
        f"{session.id}  {output.date(session.updated_at)}  {session.state.name.lower()}, "
        f"{output.number(session.message_count, 'message')}{title}"
    )


def _chosen(word: str, listed: list[str], kind: str) -> str:
    """The identifier meant by a number of the last list, or by itself."""
    if word.isdigit() and len(word) < 32:
        if 1 <= int(word) <= len(listed):
            return listed[int(word) - 1]
        raise InvalidArgument(f"There is no {kind} number {word} in the last list.")
    ids.raw(word, kind)
    return word


COMMANDS = {
    "help": Slash("/help", "Shows this.", _help),
    "why": Slash("/why", "Shows what the last answer rests on.", _why),
    "memories": Slash("/memories [WORDS]", "Lists the newest memories, or those that match.", _memories),
    "facts": Slash("/facts [NAME]", "Lists the newest facts, or those about somebody.", _facts),
    "jobs": Slash("/jobs", "Shows what of this session is still to be worked through.", _jobs),
    "mood": Slash("/mood", "Shows how you feel, as far as it is kept, and what that rests on.", _mood),
    "forget": Slash("/forget NUMBER…", "Forgets memories of the last list and redacts their messages.", _forget),
    "image": Slash("/image FILE [WORDS]", "Shows a picture, and says something of it.", _image),
    "session": Slash("/session [show | list | switch NUMBER | new]", "Shows or changes the session.", _session),
    "quit": Slash("/quit", "Leaves.", _quit),
}
