"""`alejo memories`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options, output

if TYPE_CHECKING:
    from alejo.outcomes import Tidied
    from alejo.settings import Settings
    from alejo.types import Memory, Version


@click.group("memories")
def command() -> None:
    """What is remembered."""


@command.command("list")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many at most.")
@click.option("--all", "everything", is_flag=True, help="Archived and superseded ones too.")
@options.as_json
@options.server
def list_(
    data: str | None, url: str | None, key: str | None, user: str | None, as_json: bool, everything: bool, limit: int
) -> None:
    """List the memories, newest first."""
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    rows = [row(memory) for memory in options.run(_list(settings, user or "", limit, everything))]
    output.listing(
        rows, ["id", "layer", "kind", "sent_at", "text"], as_json=as_json, empty="Nothing is remembered yet."
    )


@command.command("history")
@click.argument("memory_id")
@options.as_json
@options.server
def history(
    memory_id: str, data: str | None, url: str | None, key: str | None, user: str | None, as_json: bool
) -> None:
    """What a memory was before each of its changes, newest first, and by what it was changed."""
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    rows = [
        {
            "number": version.number,
            "until": output.iso(version.until),
            "change": version.change,
            "actor": version.actor,
            **row(version.memory),
        }
        for version in options.run(_history(settings, user or "", memory_id))
    ]
    output.listing(rows, ["number", "until", "change", "text"], as_json=as_json, empty="It was never changed.")


@command.command("prefer")
@click.argument("memory_id")
@click.argument("model")
@options.as_json
@options.server
def prefer(
    memory_id: str, model: str, data: str | None, url: str | None, key: str | None, user: str | None, as_json: bool
) -> None:
    """Have MODEL answer what a memory is recalled for, if the settings name it in model.names; "" takes that back."""
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    told = row(options.run(_prefer(settings, user or "", memory_id, model)))
    output.listing([told], ["id", "model", "text"], as_json=as_json, empty="")


@command.command("tidy")
@click.option("--verify", is_flag=True, help="Compare the index with what is stored, too, and make it anew if need be.")
@options.as_json
@options.server
def tidy(data: str | None, url: str | None, key: str | None, user: str | None, as_json: bool, verify: bool) -> None:
    """Look after the memories now, as the server does from time to time.

    New ones are weighed, what was said twice is merged, and what leaves the hot layers is summarised and archived.
    """
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    tidied = options.run(_tidy(settings, user or "", verify))
    told = {name: getattr(tidied, name) for name in tidied.__struct_fields__}
    output.listing([told], list(told), as_json=as_json, empty="")


@command.command("similar")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--distance", type=click.IntRange(0, 32), default=10, show_default=True, help="Of 64 bits, how many may differ."
)
@click.option("--limit", type=click.IntRange(1, 200), default=10, show_default=True, help="How many at most.")
@options.as_json
@options.server
def similar(
    file: Path,
    data: str | None,
    url: str | None,
    key: str | None,
    user: str | None,
    as_json: bool,
    distance: int,
    limit: int,
) -> None:
    """Find the memories of pictures that look like FILE, nearest first. Nothing of FILE is kept."""
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    found = options.run(_similar(settings, user or "", file, distance, limit))
    rows = [{"distance": bits, **row(memory)} for memory, bits in found]
    output.listing(rows, ["distance", "id", "sent_at", "text"], as_json=as_json, empty="No picture is like it.")


def row(memory: Memory) -> dict[str, Any]:
    """A memory as listings show it."""
    return {
        "id": memory.id,
        "layer": memory.layer,
        "kind": memory.kind,
        "text": memory.text,
        "speaker": memory.speaker,
        "sent_at": output.iso(memory.sent_at),
        "importance": memory.importance,
        "pinned": memory.pinned,
        "archived": memory.archived,
        "stale": memory.stale,
        "superseded_by": memory.superseded_by,
        "metadata": memory.metadata,
        "model": memory.model,
    }


async def _list(settings: Settings, user: str, limit: int, everything: bool) -> list[Memory]:
    from alejo.types import Filter, Page  # noqa: PLC0415 - grpc is not needed to show --help

    from . import link  # noqa: PLC0415

    wanted = Filter(include_archived=everything, include_superseded=everything)
    memories: list[Memory] = []
    token = ""
    async with link.reach(settings, user) as reached:
        while len(memories) < limit:
            page, token = await reached.client.memories(Page(min(1000, limit - len(memories)), token), wanted)
            memories += page
            if not token:
                break
    return memories


async def _prefer(settings: Settings, user: str, memory_id: str, model: str) -> Memory:
    from . import link  # noqa: PLC0415 - grpc is not needed to show --help

    async with link.reach(settings, user) as reached:
        return await reached.client.update_memory(memory_id, {"model": model})


async def _similar(settings: Settings, user: str, file: Path, distance: int, limit: int) -> list[tuple[Memory, int]]:
    from . import link  # noqa: PLC0415 - grpc is not needed to show --help
    from .seeing import picture  # noqa: PLC0415

    image = picture(file)
    async with link.reach(settings, user) as reached:
        percept, _ = await reached.client.pictures.see(image, look_only=True)
        return await reached.client.pictures.similar(
            perceptual_hash=percept.perceptual_hash, distance=distance, limit=limit
        )


async def _tidy(settings: Settings, user: str, verify: bool) -> Tidied:
    from . import link  # noqa: PLC0415 - grpc is not needed to show --help

    async with link.reach(settings, user) as reached:
        return await reached.client.tidy(verify_index=verify)


async def _history(settings: Settings, user: str, memory_id: str) -> list[Version]:
    from alejo.types import Page  # noqa: PLC0415 - grpc is not needed to show --help

    from . import link  # noqa: PLC0415

    versions: list[Version] = []
    token = ""
    async with link.reach(settings, user) as reached:
        while True:
            page, token = await reached.client.history(memory_id, Page(1000, token))
            versions += page
            if not token:
                return versions
