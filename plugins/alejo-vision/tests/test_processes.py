"""The processes that look: what ends them, and what is known then."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from alejo_vision import Sight
from alejo_vision.child import Child
from alejo_vision.decoding import TOO_MUCH
from alejo_vision.looking import STEPS, Request
from PIL import Image as Pillow

from alejo.errors import InvalidArgument
from alejo.types import Image, Unseen

from .conftest import LONG, encoded

PLAIN = encoded(Pillow.new("RGB", (40, 30), "red"))


def processes() -> dict[int, str]:
    """The processes of this one that look, by their ids, with their states."""
    found = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, (state, parent) = int(place.parent.name), place.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and b"alejo_vision.eye" in (place.parent / "cmdline").read_bytes():
                found[pid] = state
        except OSError:
            continue
    return found


async def until(condition: Callable[[], object]) -> None:
    """Lets the others go on until something is so."""
    async with asyncio.timeout(LONG):
        while not condition():  # noqa: ASYNC110  # of processes nobody sends an event
            await asyncio.sleep(0)


async def test_one_process_sees_many_pictures(eye: Callable[..., Sight]) -> None:
    """Pictures that follow each other are seen by one process, which closing ends."""
    sight = eye(reader="none")
    await sight.perceive(Image(PLAIN))
    first = processes()
    assert len(first) == 1
    await sight.perceive(Image(PLAIN))
    assert processes().keys() == first.keys()
    await sight.close()
    assert processes() == {}


async def test_a_process_that_died_while_idle_is_replaced(eye: Callable[..., Sight]) -> None:
    """The picture after that is seen as if nothing had been."""
    sight = eye(reader="none")
    await sight.perceive(Image(PLAIN))
    for pid in processes():
        os.kill(pid, signal.SIGKILL)
    assert (await sight.perceive(Image(PLAIN))).width == 40


async def test_who_leaves_ends_the_process(eye: Callable[..., Sight]) -> None:
    """A cancelled look leaves no process behind, and the next one has its own."""
    sight = eye()
    looking = asyncio.create_task(sight.perceive(Image(encoded(Pillow.effect_noise((1500, 1500), 80)))))
    await until(processes)
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    await until(lambda: not processes())
    assert (await sight.perceive(Image(PLAIN))).width == 40


async def test_what_there_is_no_time_for_is_missing(eye: Callable[..., Sight]) -> None:
    """A process that stops in the middle costs what it had not seen by then: the rest is told."""
    sight = eye(seconds=LONG)
    await sight.perceive(Image(PLAIN))
    (pid,) = processes()
    looking = asyncio.create_task(sight.perceive(Image(encoded(Pillow.effect_noise((1500, 1500), 80)))))
    await until(lambda: any(errand.percept for errand in sight._busy))
    os.kill(pid, signal.SIGKILL)
    seen = await looking
    assert seen.width == 1500
    assert [each.why for each in seen.missing] == ["failed"] * len(seen.missing)
    assert {each.what for each in seen.missing} <= set(STEPS)


async def test_without_time_nothing_is_seen(eye: Callable[..., Sight]) -> None:
    """A picture that no process had the time for is told as unseen: neither refused, nor a failure of the plugin."""
    seen = await eye(seconds=1e-9).perceive(Image(PLAIN))
    assert (seen.width, seen.missing[0]) == (0, Unseen("picture", "late"))


async def test_memory_is_bounded(eye: Callable[..., Sight]) -> None:
    """A picture that takes more memory than a process may have is refused, and the process goes on."""
    sight = eye(reader="none", megabytes=96)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    side = 6000
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0))
    rows = zlib.compress(bytes((side * 4 + 1) * side), 1)
    big = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    with pytest.raises(InvalidArgument) as caught:
        await sight.perceive(Image(big))
    assert caught.value.violations == (("parts", TOO_MUCH),)
    assert (await sight.perceive(Image(PLAIN))).width == 40


def test_a_process_learns_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in the server's environment are not in that of what decodes strangers' bytes."""
    monkeypatch.setenv("OPENAI_API_KEY", "canary")
    child = Child(512)
    try:
        assert list(child.ask(Request(PLAIN, 0.0, "none"), LONG))
        (pid,) = processes()
        assert b"canary" not in Path(f"/proc/{pid}/environ").read_bytes()
    finally:
        child.close()


async def test_who_stops_listening_ends_the_process() -> None:
    """A process that is not heard to the end of an answer gives no rest of it to the next who asks."""
    child = Child(512)
    heard = child.ask(Request(PLAIN, LONG, "none"), LONG)
    next(heard)
    heard.close()
    await until(lambda: "Z" in processes().get(child.pid, "Z"))
    with pytest.raises(EOFError):
        list(child.ask(Request(PLAIN, LONG, "none"), LONG))
    child.close()


async def test_a_process_ends_with_its_host() -> None:
    """When whoever asks is killed, the end of the pipe ends the process."""
    code = (
        "import os,signal\nfrom alejo_vision.child import Child\nfrom alejo_vision.looking import Request\n"
        f"child = Child(512)\nlist(child.ask(Request({PLAIN!r}, 0.0, 'none'), 600))\n"
        "print(child._process.pid, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    host = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE)
    told, _ = await host.communicate()
    place = Path("/proc", told.decode().strip(), "stat")
    await until(lambda: not place.exists() or place.read_text().rpartition(")")[2].split()[0] == "Z")
