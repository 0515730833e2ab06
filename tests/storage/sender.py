"""Sends the same request with its labels in the order given, in an interpreter of its own, and says what came of it.

Arguments: the data folder, the token of the page before or "", and the labels' names in order.
"""

from __future__ import annotations

import asyncio
import json
import sys

import alejo
from alejo.types import Filter, MemoryDraft, Page, Scope
from alejo.v1 import memory_pb2
from alejo.wire import read


async def main(folder: str, token: str, *names: str) -> None:
    """Remembers, makes a session and asks for a page; prints whether the first two existed, the page and its token."""
    labels = {name: name for name in names}
    wire = memory_pb2.RememberRequest.FromString(
        memory_pb2.RememberRequest(memory={"text": "apple", "metadata": labels}).SerializeToString()
    )
    scope = Scope("acme", "ada")
    async with alejo.open(folder, entry_points=[]) as assistant:
        kept = await assistant.memories.remember(scope, read.item(wire), request_id="m")
        await assistant.memories.remember(scope, MemoryDraft("pear", metadata=labels), request_id="n")
        _, existed = await assistant.sessions.create(scope, metadata=labels, request_id="s")
        found, following = await assistant.memories.list(scope, Page(1, token), Filter(metadata=labels))
        said = [existed, kept.existed, [memory.text for memory in found], following]
    print(json.dumps(said))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
