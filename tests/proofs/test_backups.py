"""Backups are taken and killed beside eight writers: each that has its name holds all that was acknowledged before."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import alejo
from alejo.storage import backup
from alejo.storage.tables import CHANGES, MEMORIES, MEMORIES_BY_TIME, MESSAGES, SESSIONS, TURNS, Table
from alejo.types import Scope

from .house import SECONDS, House
from .writers import Effect, Request, Writer, together

BACKUPS = int(os.environ.get("ALEJO_BACKUPS") or 3)
KILLS = int(os.environ.get("ALEJO_BACKUP_KILLS") or 4)
WRITERS = 8
Known = dict[str, dict[str, tuple[Request, Effect]]]


async def _command(house: House, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "alejo",
        *arguments,
        env=house.environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )


async def _run(house: House, *arguments: str) -> None:
    process = await _command(house, *arguments)
    async with asyncio.timeout(SECONDS):
        _, told = await process.communicate()
    assert process.returncode == 0, told.decode()


class Copy:
    """A restored data folder, and what is in it of one user."""

    def __init__(self, assistant: alejo.Assistant, user: str) -> None:
        self._assistant = assistant
        self._scope = Scope("local", user)

    async def rows(self, table: Table[Any]) -> dict[bytes, Any]:
        found: dict[bytes, Any] = {}
        after, more = b"", True
        while more:
            rows = await self._assistant.store.scan(self._scope, table, after=after, limit=1000)
            found |= {row.key: row.value for row in rows}
            after, more = (rows[-1].key, True) if rows else (b"", False)
        return found

    async def check(self, known: dict[str, tuple[Request, Effect]]) -> int:
        """Compares it with what was acknowledged, and with itself. Returns how many messages it has."""
        messages = {message.id: message for message in (await self.rows(MESSAGES)).values()}
        memories = {memory.id: memory.text for memory in (await self.rows(MEMORIES)).values()}
        for request, made in known.values():
            for message_id, seq, text in made.messages:
                there = messages[message_id]
                assert (there.seq, there.text) == (seq, text), f"{request} was acknowledged, and is not in the backup"
            for memory_id, text in made.memories:
                assert memories[memory_id] == text
        self._whole_turns((await self.rows(TURNS)).values(), messages.values())
        for session in (await self.rows(SESSIONS)).values():
            seqs = sorted(message.seq for message in messages.values() if message.session_id == session.id)
            assert seqs == list(range(1, session.message_count + 1))
        ops = {change.memory_id: change.op for change in (await self.rows(CHANGES)).values()}
        assert {memory_id for memory_id, op in ops.items() if op == "put"} == set(memories)
        assert sorted((await self.rows(MEMORIES_BY_TIME)).values()) == sorted(memories)
        return len(messages)

    @staticmethod
    def _whole_turns(turns: Any, messages: Any) -> None:
        """A turn that is done has its message and its answer; any other has its message alone."""
        places = {(message.session_id, message.seq): message for message in messages}
        answers = {place for place, message in places.items() if message.role == alejo.types.Role.ASSISTANT}
        for turn in turns:
            assert (turn.session_id, turn.user_seq) in places
            assert (turn.state == "done") == bool(turn.answer_seq)
            if turn.answer_seq:
                answers.remove((turn.session_id, turn.answer_seq))
        assert not answers, "an answer without its turn"


async def _check(house: House, folder: Path, known: Known) -> int:
    """Opens a restored folder as a program of its own would. Returns the messages in it."""
    key = Path(house.environment["XDG_CONFIG_HOME"], "alejo", "key")
    overrides = {"data.path": str(folder), "data.key_file": str(key), "data.map_size_mb": 64}
    async with alejo.open(overrides=overrides, entry_points=[]) as assistant:
        return sum([await Copy(assistant, user).check(told) for user, told in known.items()])


async def test_backups_under_load(house: House, chance: random.Random) -> None:
    """Each backup taken beside eight writers restores to a whole state with all that was acknowledged before it."""
    await house.start()
    writers = [Writer(f"writer-{number}", chance) for number in range(WRITERS)]
    known: list[Known] = []
    took: list[float] = []
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(house.client(writer.user)) for writer in writers]
        tasks = [asyncio.create_task(writer.write(client)) for writer, client in zip(writers, clients, strict=True)]
        for number in range(BACKUPS):
            until = time.monotonic() + chance.uniform(0.0, 0.5)
            done, _ = await asyncio.wait(tasks, timeout=until - time.monotonic(), return_when=asyncio.FIRST_COMPLETED)
            assert not done, [task.exception() for task in done]
            known.append({writer.user: dict(writer.acknowledged) for writer in writers})
            began = time.monotonic()
            await _run(house, "backup", str(house.folder / f"{number}.tar"))
            took.append(time.monotonic() - began)
        await house.stop()
        async with asyncio.timeout(SECONDS):
            await together(tasks)
    counts = []
    for number, told in enumerate(known):
        file, folder = house.folder / f"{number}.tar", house.folder / f"restored-{number}"
        await _run(house, "restore", str(file), "--to", str(folder))
        counts.append(await _check(house, folder, told))
    final = sum(len(writer.acknowledged) for writer in writers)
    least = [sum(len(made) for made in told.values()) for told in known]
    print(
        f"{BACKUPS} of {BACKUPS} backups restored whole; acknowledged before each {least}, messages in each {counts}, "
        f"{final} acknowledged in the end; a backup took {min(took):.2f} to {max(took):.2f} s"
    )


async def _killed(house: House, chance: random.Random, longest: float, *arguments: str) -> bool:
    """Runs a command and kills it at a random moment; whether it was killed before its end."""
    process = await _command(house, *arguments)
    try:
        async with asyncio.timeout(chance.uniform(0.0, longest)):
            await process.wait()
    except TimeoutError:
        process.kill()
    async with asyncio.timeout(SECONDS):
        await process.communicate()
    assert process.returncode in {0, -signal.SIGKILL}
    return process.returncode != 0


async def test_kills_leave_nothing_half(house: House, chance: random.Random) -> None:
    """A backup or restore killed at a random moment leaves no half under the final name, and is done again at once."""
    await house.start()
    writer = Writer("ada", chance)
    async with house.client("ada") as client:
        await writer.write(client, 200)
    await house.stop()
    key = Path(house.environment["XDG_CONFIG_HOME"], "alejo", "key")
    whole = house.folder / "whole.tar"
    began = time.monotonic()
    await _run(house, "backup", str(whole))
    longest = time.monotonic() - began
    killed = named = 0
    for number in range(KILLS):
        file, folder = house.folder / f"{number}.tar", house.folder / f"restored-{number}"
        killed += await _killed(house, chance, longest, "backup", str(file))
        if file.exists():
            named += 1
            backup.verify(file, key)
        else:
            await _run(house, "backup", str(file))
        killed += await _killed(house, chance, longest, "restore", str(whole), "--to", str(folder))
        if not (folder / "alejo.json").exists():
            await _run(house, "restore", str(whole), "--to", str(folder))
        else:
            named += 1
        assert await _check(house, folder, {"ada": writer.acknowledged})
        shutil.rmtree(folder)
    assert not list(house.folder.glob(".alejo-new-*"))
    print(f"{killed} of {2 * KILLS} commands killed before their end, {named} had given the name; 0 halves")
