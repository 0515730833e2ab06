"""HTTP/2 as bytes (RFC 9113), to say what no library would: frames, and header blocks without compression."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM = ACK = 1
END_HEADERS = 4
CANCEL = struct.pack(">I", 8)
WINDOW = 65_535
INITIAL_WINDOW_SIZE = 4
_MOST = (1 << 31) - 1

Pairs = Iterable[tuple[str, str]]


def frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    """One frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def block(pairs: Pairs) -> bytes:
    """A header block of literal fields without indexing (RFC 7541, 6.2.2)."""
    return b"".join(b"\0" + _string(name) + _string(value) for name, value in pairs)


def _string(text: str) -> bytes:
    data = text.encode()
    rest = len(data) - 127
    if rest < 0:
        return bytes([len(data)]) + data
    length = bytearray([127])
    while rest >= 128:
        length.append(rest % 128 + 128)
        rest //= 128
    return bytes(length) + bytes([rest]) + data


def request(path: str, *pairs: tuple[str, str]) -> bytes:
    """The header block of a gRPC call."""
    first = (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost")
    return block([*first, ("content-type", "application/grpc"), ("te", "trailers"), *pairs])


def message(data: bytes, *, compressed: bool = False) -> bytes:
    """A gRPC message with its five bytes before it."""
    return struct.pack(">BI", compressed, len(data)) + data


def hello(window: int = _MOST) -> bytes:
    """The begin of a connection; each stream, and the connection, may send `window` bytes without being asked."""
    more = frame(WINDOW_UPDATE, struct.pack(">I", window - WINDOW)) if window > WINDOW else b""
    return PREFACE + frame(SETTINGS, struct.pack(">HI", INITIAL_WINDOW_SIZE, window)) + more


class Reader:
    """Takes frames from bytes as they arrive."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
        """Kind, flags, stream and payload of every whole frame."""
        rest, place = self._rest + data, 0
        while len(rest) - place >= 9:
            length = int.from_bytes(rest[place : place + 3], "big")
            if len(rest) - place < 9 + length:
                break
            kind, flags, stream = struct.unpack_from(">BBI", rest, place + 3)
            yield kind, flags, stream, rest[place + 9 : place + 9 + length]
            place += 9 + length
        self._rest = rest[place:]


def answers(one: tuple[int, int, int, bytes]) -> bytes:
    """What the peer must be told after one of its frames: settings and pings are acknowledged."""
    kind, flags, _, payload = one
    if kind in {SETTINGS, PING} and not flags & ACK:
        return frame(kind, payload if kind == PING else b"", flags=ACK)
    return b""


def connected(address: str, *, window: int = _MOST) -> socket.socket:
    """A connection that has said hello."""
    host, _, port = address.rpartition(":")
    one = socket.create_connection((host, int(port)), 10)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    one.sendall(hello(window))
    return one
