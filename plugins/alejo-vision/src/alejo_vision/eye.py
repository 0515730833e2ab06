"""The process that looks: what strangers send is decoded and searched here, where it can take no more than it may.

Started as `python -m alejo_vision.eye MEGABYTES`. It answers each request on its standard input with percepts on its
standard output, one after each step, and an empty message behind the last. It ends with its input, or after a minute
without a request.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator

import msgspec

from alejo.errors import InvalidArgument
from alejo.types import Percept

from . import frames
from .looking import Request, look

IDLE = 60.0  # seconds
_STDIN, _STDOUT = 0, 1
_PRIORITY = 5  # turns come first


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """What is known after a step, or the sentence that a picture is refused with."""

    percept: Percept | None
    step: str = ""
    refusal: str = ""


ENCODE = msgspec.msgpack.Encoder().encode
DECODE = msgspec.msgpack.Decoder(Seen).decode
DECODE_REQUEST = msgspec.msgpack.Decoder(Request).decode


def answers(request: Request) -> Iterator[Seen]:
    """What is said to a request."""
    try:
        for percept, step in look(request):
            yield Seen(percept, step)
    except InvalidArgument as error:
        yield Seen(None, refusal=error.violations[0][1])


def confine(megabytes: int) -> None:
    """Bounds the memory this process may have, and whatever it starts; no dump of it is written."""
    room = megabytes << 20
    resource.setrlimit(resource.RLIMIT_DATA, (room, room))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(_PRIORITY)


def main() -> None:
    """Looks at one picture after the other."""
    confine(int(sys.argv[1]))
    pipe = os.dup(_STDOUT)
    os.dup2(2, _STDOUT)  # what libraries print goes to nobody
    try:
        while (message := frames.read(_STDIN, time.monotonic() + IDLE)) is not None:
            for seen in answers(DECODE_REQUEST(message)):
                frames.write(pipe, ENCODE(seen))
            frames.write(pipe, b"")
    except (TimeoutError, BrokenPipeError):
        pass  # nobody asks any more


if __name__ == "__main__":
    main()
