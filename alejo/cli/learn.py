"""`alejo learn`: sessions that were held elsewhere, as files in a folder."""

from __future__ import annotations

import asyncio
import hashlib
import time
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from alejo.errors import AlejoError, InvalidArgument, NotFound, ResourceExhausted, StartupError, Unavailable
from alejo.types import JobState, MessageDraft, Page, Role, SessionState

from . import options, output
from .exits import Exit
from .folder import Claim, claims, fresh

if TYPE_CHECKING:
    from alejo.client import Client
    from alejo.settings import Settings

    from .link import Link

_LOOK_SECONDS = 1.0
_WAIT_SECONDS = 0.1
_SOON_SECONDS = 30.0  # what failed more than once or twice is for the next server
_PAGE = 100
_NO_INPUT = 66  # EX_NOINPUT of sysexits(3)
_ROLES = {role.name.lower(): role for role in Role}
_ENDED = frozenset({SessionState.COMPLETED, SessionState.ARCHIVED})
_NAME = 200  # characters of a session's name that stand in its origin as they are


class Said(msgspec.Struct):
    """A message of a file. `timestamp` is ISO 8601, UTC without an offset, or seconds since the Unix epoch."""

    role: str
    content: str
    timestamp: str | float | None = None


class Completed(msgspec.Struct):
    """A file: a session that was completed elsewhere."""

    session_id: str
    messages: list[Said]
    start_time: str | float | None = None
    end_time: str | float | None = None


class Refused(Exception):
    """A file that can never be learned from, and why."""


@click.command("learn")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--watch", is_flag=True, help="Go on until interrupted, looking every second.")
@options.server
def command(folder: Path, watch: bool, data: str | None, url: str | None, key: str | None, user: str | None) -> int:
    """Learn from sessions in FOLDER: files completed_session_*.json.

    A file has session_id, start_time, end_time and messages, each with role, content and timestamp. What was taken up
    is moved to processed/, what is wrong to failed/ with the reason beside it. A session is learned from once, by its
    session_id, however often it comes. Any number of watchers may share a folder.
    """
    if not folder.is_dir():
        raise StartupError(f"{folder} is no folder.", hint="Name the folder with the files.", exit_code=_NO_INPUT)
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    return options.run(_learn(settings, user or "", folder, watch=watch))


async def _learn(settings: Settings, user: str, folder: Path, *, watch: bool) -> int:
    from . import link  # noqa: PLC0415 - grpc is not needed to show --help

    failed = 0
    async with link.reach(settings, user) as reached:
        await reached.client.learnt()  # who cannot be reached, or refuses, is told of before there is a file
        if watch:
            output.say(f"Watching {output.one_line(str(folder))} for sessions; Ctrl-C ends it.")
        waiting = fresh(folder)
        while True:
            for claim in claims(folder):
                failed += not await _take(reached, claim, watch=watch)
            if not (watch or waiting):
                break
            await asyncio.sleep(_LOOK_SECONDS)
            waiting &= fresh(folder)  # not what came meanwhile: that might never end
        if reached.own:
            await _settled(reached.client)
    return Exit.FAILED if failed else Exit.OK


async def _take(link: Link, claim: Claim, *, watch: bool) -> bool:
    """Takes a file up; whether it could be."""
    try:
        told = await send(link.client, read(claim.read()))
    except Refused as error:
        claim.failed(str(error))
        output.say(f"{output.one_line(claim.name)}: refused: {error}", fg="red")
        return False
    except (Unavailable, ResourceExhausted) as error:
        claim.release()
        if not watch:
            raise
        output.say(f"{output.one_line(claim.name)}: later: {error.message}")
        if isinstance(error, Unavailable):
            await link.reopen()
        return True
    except BaseException:
        claim.release()
        raise
    claim.processed()
    output.say(f"{output.one_line(claim.name)}: {told}")
    return True


def read(data: bytes) -> Completed:
    """A file's session. Raises Refused."""
    try:
        session = msgspec.json.decode(data, type=Completed)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(str(error) or "is nested too deeply") from None
    if not session.session_id.strip():
        raise Refused("session_id is empty")
    for place, said in enumerate(session.messages):
        if said.role not in _ROLES:
            raise Refused(f"messages[{place}].role: {said.role!r} is none of {', '.join(_ROLES)}")
    return session


async def send(client: Client, session: Completed) -> str:
    """Brings a session in and ends it, so that it is learned from; what is there already stays. Raises Refused."""
    origin = _origin(session.session_id)
    drafts = list(_drafts(session, origin))
    if not drafts:
        raise Refused("nothing is said in it")
    try:
        made, existed = await client.create_session(origin=origin, request_id=_request_id(origin))
        if existed:
            made = await client.session(made.id)
        if made.state in _ENDED:
            return "was learned from before"
        items = [(_request_id(each.origin), msgspec.structs.replace(each, session_id=made.id)) for each in drafts]
        async with aclosing(client.remember_many(items)) as results:
            async for result in results:
                if isinstance(result, AlejoError):
                    raise result
        await client.update_session(made.id, state=SessionState.COMPLETED, request_id=_request_id(f"{made.id} end"))
    except (InvalidArgument, NotFound) as error:
        raise Refused(error.message) from None
    return f"{len(drafts)} messages"


def _drafts(session: Completed, origin: str) -> list[MessageDraft]:
    last = _moment(session.start_time, "start_time")
    found = []
    for place, said in enumerate(session.messages):
        last = _moment(said.timestamp, f"messages[{place}].timestamp") or last
        if said.content.strip():
            found.append(MessageDraft("", said.content, _ROLES[said.role], sent_at=last, origin=f"{origin} {place}"))
    return found


def _moment(given: str | float | None, name: str) -> int | None:
    try:
        if isinstance(given, str):
            moment = datetime.fromisoformat(given)
            given = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return None if given is None else round(given * 1_000_000)
    except (ValueError, OverflowError):
        raise Refused(f"{name}: {given!r} is no time") from None


def _origin(session_id: str) -> str:
    """A session's identity elsewhere, no longer than an origin may be."""
    if len(session_id) > _NAME:
        session_id = hashlib.sha256(session_id.encode()).hexdigest()
    return f"session {session_id}"


def _request_id(origin: str) -> str:
    return "learn-" + hashlib.sha256(origin.encode()).hexdigest()


async def _settled(client: Client) -> None:
    """Waits until nothing is learned any more, as a server of our own ends with us; nor is soon to be tried again."""
    states = (JobState.QUEUED, JobState.RUNNING, JobState.DELAYED)
    while True:
        soon = (time.time() + _SOON_SECONDS) * 1e6
        left, _ = await client.jobs(Page(_PAGE), states=states, kind="learning")
        if not any(job.state is not JobState.DELAYED or job.not_before < soon for job in left):
            return
        await asyncio.sleep(_WAIT_SECONDS)
