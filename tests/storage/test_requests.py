"""Request ids and page tokens: bound to what was asked, not to the order its labels came in; old ids leave."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from alejo import Assistant
from alejo.clock import FakeClock
from alejo.errors import AlreadyExists, InvalidArgument
from alejo.storage import Put
from alejo.storage.requests import RETENTION, key
from alejo.storage.tables import REQUESTS
from alejo.types import Ask, Filter, MemoryDraft, MessageDraft, Page

from ..conftest import ADA

NAMES = ("colour", "size", "place", "owner", "use")
ORDERS = list(itertools.permutations(NAMES))[::17]
SENDER = Path(__file__).with_name("sender.py")
Labels = dict[str, str]


def labelled(names: tuple[str, ...], value: str = "x") -> Labels:
    """Labels of these names, in this order."""
    return dict.fromkeys(names, value)


async def remember(assistant: Assistant, labels: Labels) -> object:
    """Remembers a thing."""
    return (await assistant.memories.remember(ADA, MemoryDraft("apple", metadata=labels), request_id="r")).memories


async def say(assistant: Assistant, labels: Labels) -> object:
    """Adds a message to the one session."""
    session, _ = await assistant.sessions.create(ADA, origin="one")
    kept = await assistant.memories.remember(ADA, MessageDraft(session.id, "apple", metadata=labels), request_id="r")
    return kept.message


async def create(assistant: Assistant, labels: Labels) -> object:
    """Makes a session."""
    return (await assistant.sessions.create(ADA, metadata=labels, request_id="r"))[0].id


async def rename(assistant: Assistant, labels: Labels) -> object:
    """Labels the one session."""
    session, _ = await assistant.sessions.create(ADA, origin="one")
    return await assistant.sessions.update(ADA, session.id, metadata=labels, request_id="r")


async def relabel(assistant: Assistant, labels: Labels) -> object:
    """Labels the one memory."""
    kept = await assistant.memories.remember(ADA, MemoryDraft("apple"), request_id="one")
    return (await assistant.memories.update(ADA, kept.memories[0].id, {"metadata": labels}, request_id="r")).version


async def ask(assistant: Assistant, labels: Labels) -> object:
    """Says something."""
    return (await assistant.conversation.chat(ADA, Ask("Hello", request_id="r", metadata=labels))).message


CALLS = {each.__name__: each for each in (remember, say, create, rename, relabel, ask)}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_labels_have_no_order(assistant: Assistant, call: Callable[[Assistant, Labels], Awaitable[Any]]) -> None:
    """A request sent again with its labels in any other order has its one effect; with another label it is refused."""
    first = await call(assistant, labelled(NAMES))
    for names in ORDERS:
        assert await call(assistant, labelled(names)) == first
    for wrong in (labelled(NAMES, "y"), labelled(NAMES[1:]), {**labelled(NAMES), "more": "x"}):
        with pytest.raises(AlreadyExists):
            await call(assistant, wrong)


@pytest.mark.parametrize("walk", ["list", "recall"])
async def test_a_page_follows_whatever_the_order_of_labels(bare: Assistant, walk: str) -> None:
    """The pages of a list or recall follow each other with the filter's labels in any order, and with no others."""

    async def page(names: tuple[str, ...], token: str) -> tuple[list[str], str]:
        wanted = Filter(metadata=labelled(names))
        if walk == "list":
            memories, following = await bare.memories.list(ADA, Page(1, token), wanted)
            return [memory.text for memory in memories], following
        hits, following, _ = await bare.memories.recall(ADA, "apple", Page(1, token), wanted)
        return [hit.memory.text for hit in hits], following

    drafts = [("", MemoryDraft(f"apple {place}", metadata=labelled(NAMES))) for place in range(len(ORDERS))]
    await bare.memories.remember_many(ADA, drafts)
    seen, token = [], ""
    for names in ORDERS:
        texts, token = await page(names, token)
        seen += texts
        if token:
            with pytest.raises(InvalidArgument):
                await page(names[1:], token)
    assert sorted(seen) == sorted(draft.text for _, draft in drafts)
    assert token == ""


def test_another_process_counts_labels_alike(tmp_path: Path) -> None:
    """In a fresh interpreter, whatever its seed and the labels' order, a request id and a token still hold."""

    def send(seed: int, token: str, names: tuple[str, ...]) -> Any:
        environment = {**os.environ, "HOME": str(tmp_path), "PYTHONHASHSEED": str(seed)}
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
            environment.pop(name, None)
        command = [sys.executable, str(SENDER), str(tmp_path / "data"), token, *names]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    made, kept, texts, token = send(1, "", NAMES)
    assert (made, kept, len(texts)) == (False, False, 1)
    for seed, names in ((2, NAMES[::-1]), (3, (*NAMES[2:], *NAMES[:2]))):
        made, kept, following, end = send(seed, token, names)
        assert (made, kept, end) == (True, True, "")
        assert sorted(texts + following) == ["apple", "pear"]


async def test_an_altered_request_id_does_not_stop_the_others(bare: Assistant) -> None:
    """A record of an old request that was altered does not fail the calls that clear old ones away."""
    # The sample begins at a random key and takes what comes behind it: the last key is in nearly every sample.
    last = next(str(number) for number in itertools.count() if key(str(number)) > b"\xff\x80")
    await bare.sessions.create(ADA, request_id=last)
    place = bare.folder.keyring.prefix(ADA) + key(last)
    record = await bare.storage.get("request", place)
    assert record is not None
    await bare.storage.commit([Put("request", place, record.value[:-1] + bytes([record.value[-1] ^ 1]))])
    for _ in range(8):
        await bare.sessions.create(ADA)
    assert bare.store.refused > 0


async def test_who_only_remembers_is_cleared_up_too(bare: Assistant, clock: FakeClock) -> None:
    """Request ids that expired leave little by little, also of a user who makes no session."""
    # 1,500 commits clear away 23 times on average; that none of them does has odds of 1 in 10^10.
    await bare.memories.remember_many(ADA, [(f"old {number}", MemoryDraft("x")) for number in range(500)])
    clock.advance(RETENTION / 1_000_000 + 1)
    for _ in range(1500):
        await bare.memories.remember(ADA, MemoryDraft("y"))
    rows = await bare.store.scan(ADA, REQUESTS, limit=10_000)
    old = [row for row in rows if row.value.at < clock.now() - RETENTION]
    assert len(rows) - len(old) == 1500
    assert len(old) < 500
