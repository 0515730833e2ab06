"""A client of ALEJO: remembers, talks, recalls. docs/clients.md explains every part."""

from __future__ import annotations

import asyncio
import os
import sys

from alejo.client import connect
from alejo.errors import AlejoError
from alejo.types import Ask, MemoryDraft, Page

FACT = "My dog is called Luna."
QUESTION = "What is my dog called?"


async def main() -> None:
    """Says it all to the server of ALEJO_CLIENT_URL."""
    url = os.environ.get("ALEJO_CLIENT_URL", "http://127.0.0.1:50151")
    key, user = os.environ.get("ALEJO_API_KEY", ""), os.environ.get("ALEJO_USER", "")
    # The client sends what failed as UNAVAILABLE again by itself, under the request id that it made for it.
    async with connect(url, key=key, user=user, timeout=30.0) as client:
        kept = await client.remember(MemoryDraft(FACT))
        print("remembered:", kept.memories[0].text)

        print("answered: ", end="")
        async for event in client.stream(Ask(QUESTION), timeout=30.0):
            if isinstance(event, str):  # Accepted came first; the Answer comes last and is on disk
                print(event, end="", flush=True)

        hits, _ = await client.recall(QUESTION, Page(1))
        print("\nrecalled:", hits[0].memory.text)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except AlejoError as error:  # docs/errors.md says what to do about each reason
        print(f"{error.reason}: {error.message}", file=sys.stderr)
        sys.exit(1)
