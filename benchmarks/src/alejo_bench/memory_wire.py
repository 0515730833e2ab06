"""What the wire adds to a recall: `RecallStream` over one connection beside the same calls of the library.

stream_recall_us   processor time of the server for one of many streamed recalls, minus that of the library for the
                   same question in the same process. Both answer from the cache, so that little else is in it
library_recall_us  the second of the two
"""

from __future__ import annotations

import asyncio
from typing import Any

import click
import grpc

from alejo import __version__
from alejo.v1.memory_pb2 import RecallRequest, RecallStreamRequest
from alejo.v1.memory_pb2_grpc import MemoryServiceStub

from . import memory_texts
from .overhead import Child, child, fill
from .report import Row, row

MEMORIES = 1000
QUESTIONS = 100
_USER = "user-0"


def run(rounds: int, count: int) -> list[Row]:
    """Both figures, of so many recalls in a round."""
    click.echo(f"memory: streamed recall, {rounds} rounds", err=True)
    with child("full") as server:
        return asyncio.run(_rounds(server, rounds, max(count // QUESTIONS, 1)))


async def _rounds(server: Child, rounds: int, times: int) -> list[Row]:
    held = memory_texts.memories(_USER, MEMORIES)
    asked = memory_texts.questions(_USER, held, QUESTIONS)
    metadata = (("authorization", f"Bearer {server.token}"), ("x-alejo-user", _USER))
    added, library = [], []
    async with grpc.aio.insecure_channel(server.address) as channel:
        await fill(channel, metadata, held)
        for number in range(rounds + 1):
            before = server.figures()["cpu"]
            await _stream(channel, metadata, asked * times)
            between = server.figures()["cpu"]
            after = server.figures({"user": _USER, "queries": asked, "times": times})["cpu"]
            if number:  # the first round fills the cache
                library.append((after - between) / len(asked) / times * 1e6)
                added.append((between - before) / len(asked) / times * 1e6 - library[-1])
    about = ("memory", str(MEMORIES), "alejo", __version__)
    return [row(*about, "stream_recall_us", "us", added), row(*about, "library_recall_us", "us", library)]


async def _stream(channel: grpc.aio.Channel, metadata: Any, asked: list[str]) -> None:
    stream = MemoryServiceStub(channel).RecallStream(metadata=metadata)

    async def send() -> None:
        for query in asked:
            await stream.write(RecallStreamRequest(recall=RecallRequest(query=query)))
        await stream.done_writing()

    sending = asyncio.create_task(send())
    async for answer in stream:
        if answer.HasField("failure"):
            raise click.ClickException(answer.failure.message)
    await sending
