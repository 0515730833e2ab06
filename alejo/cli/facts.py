"""`alejo facts`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from . import options, output

if TYPE_CHECKING:
    from alejo.client import Client
    from alejo.settings import Settings
    from alejo.types import FactChange, Memory, Neighbourhood

_COLUMNS = ["id", "subject", "relation", "object", "valid_from", "valid_to", "superseded_by"]
_DATE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.group("facts")
def command() -> None:
    """What is known of whom, and since when. Dates are in UTC."""


@command.command("list")
@click.argument("entity", default="")
@click.option("--relation", default="", help='Only of this relation, such as "lives in".')
@click.option("--as-of", type=_DATE, help="What was true on this day.")
@click.option("--known-at", type=_DATE, help="As it was known on this day.")
@click.option("--all", "everything", is_flag=True, help="Superseded ones too.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many at most.")
@options.as_json
@options.server
def list_(
    entity: str,
    data: str | None,
    url: str | None,
    key: str | None,
    user: str | None,
    as_json: bool,
    limit: int,
    everything: bool,
    **wanted: Any,
) -> None:
    """List the facts, or those about ENTITY by any of its names; "user" is the user. The newest begin."""
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    asked = {
        "entity": entity,
        "relation": wanted["relation"],
        "as_of": _moment(wanted["as_of"]),
        "known_at": _moment(wanted["known_at"]),
        "superseded": everything,
    }
    rows = [row(memory) for memory in options.run(_list(settings, user or "", limit, asked))]
    output.listing(rows, _COLUMNS, as_json=as_json, empty="Nothing is known yet.")


@command.command("around")
@click.argument("entity")
@click.option("--depth", type=click.IntRange(1, 2), default=1, show_default=True, help="How many facts away.")
@click.option("--as-of", type=_DATE, help="By what was true on this day.")
@options.as_json
@options.server
def around(
    entity: str,
    data: str | None,
    url: str | None,
    key: str | None,
    user: str | None,
    as_json: bool,
    depth: int,
    as_of: datetime | None,
) -> None:
    """Who and what ENTITY is linked to."""
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    moment = _moment(as_of)

    async def ask(client: Client) -> Neighbourhood:
        return await client.neighbourhood(entity, depth=depth, as_of=moment)

    found = options.run(_with(settings, user or "", ask))
    rows = [
        {"name": one.name, "aliases": one.aliases, "kinds": one.kinds, "distance": one.distance}
        for one in found.entities
    ]
    output.listing(rows, ["name", "aliases", "kinds", "distance"], as_json=as_json, empty="")


@command.command("add")
@click.argument("subject")
@click.argument("relation")
@click.argument("object_", metavar="OBJECT")
@click.option("--from", "since", type=_DATE, help="Since when it is true.")
@click.option("--to", "until", type=_DATE, help="Before when it was true.")
@click.option("--not", "negated", is_flag=True, help="It is not so.")
@options.as_json
@options.server
def add(
    subject: str,
    relation: str,
    object_: str,
    data: str | None,
    url: str | None,
    key: str | None,
    user: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Add a fact: what it contradicts ends where it begins. SUBJECT "user" is the user."""
    settings = options.settings(data__path=data, client__url=url, client__key=key)

    async def ask(client: Client) -> FactChange:
        from alejo.types import FactDraft  # noqa: PLC0415 - not needed to show --help

        begin, end = _moment(given["since"]), _moment(given["until"])
        return await client.add_fact(FactDraft(subject, relation, object_, begin, end, negated=given["negated"]))

    _tell(options.run(_with(settings, user or "", ask)), as_json=as_json)


@command.command("correct")
@click.argument("memory_id")
@click.argument("object_", metavar="OBJECT")
@options.as_json
@options.server
def correct(
    memory_id: str,
    object_: str,
    data: str | None,
    url: str | None,
    key: str | None,
    user: str | None,
    as_json: bool,
) -> None:
    """Put OBJECT in the place of what was never true."""
    settings = options.settings(data__path=data, client__url=url, client__key=key)

    async def ask(client: Client) -> FactChange:
        from alejo.types import FactDraft  # noqa: PLC0415 - not needed to show --help

        return await client.correct_fact(memory_id, FactDraft("", "", object_))

    _tell(options.run(_with(settings, user or "", ask)), as_json=as_json)


@command.command("restore")
@click.argument("memory_id")
@options.as_json
@options.server
def restore(
    memory_id: str, data: str | None, url: str | None, key: str | None, user: str | None, as_json: bool
) -> None:
    """Take back what superseded a fact."""
    settings = options.settings(data__path=data, client__url=url, client__key=key)

    async def ask(client: Client) -> FactChange:
        return await client.restore_fact(memory_id)

    _tell(options.run(_with(settings, user or "", ask)), as_json=as_json)


def row(memory: Memory) -> dict[str, Any]:
    """A fact as listings show it."""
    fact = memory.fact
    if fact is None:
        return {"id": memory.id, "object": memory.text}
    return {
        "id": memory.id,
        "subject": fact.subject,
        "relation": f"not {fact.relation}" if fact.negated else fact.relation,
        "object": fact.object,
        "valid_from": "" if fact.valid_from is None else output.iso(fact.valid_from),
        "valid_to": "" if fact.valid_to is None else output.iso(fact.valid_to),
        "confidence": fact.confidence,
        "standing": fact.standing,
        "superseded_by": memory.superseded_by,
        "recorded_at": output.iso(memory.recorded_at),
        "sources": memory.sources,
    }


def _tell(change: FactChange, *, as_json: bool) -> None:
    output.listing([row(one) for one in (change.memory, *change.changed)], _COLUMNS, as_json=as_json, empty="")


def _moment(day: datetime | None) -> int | None:
    return None if day is None else round(day.replace(tzinfo=UTC).timestamp() * 1_000_000)


async def _with(settings: Settings, user: str, ask: Callable[[Client], Awaitable[Any]]) -> Any:
    from . import link  # noqa: PLC0415 - grpc is not needed to show --help

    async with link.reach(settings, user) as reached:
        return await ask(reached.client)


async def _list(settings: Settings, user: str, limit: int, asked: dict[str, Any]) -> list[Memory]:
    from alejo.types import Page  # noqa: PLC0415 - grpc is not needed to show --help

    async def ask(client: Client) -> list[Memory]:
        memories: list[Memory] = []
        token = ""
        while len(memories) < limit:
            page, token = await client.facts(Page(min(1000, limit - len(memories)), token), **asked)
            memories += page
            if not token:
                break
        return memories

    found: list[Memory] = await _with(settings, user, ask)
    return found
