"""`alejo preferences`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from alejo.errors import InvalidArgument

from . import options, output

if TYPE_CHECKING:
    from alejo.settings import Settings
    from alejo.types import Preferences

_NUMBERS: dict[str, type[float]] = {"episodic_days": float, "context_tokens": int}
_TEXTS = ("model", "language", "time_zone")


@click.command("preferences")
@click.argument("changes", nargs=-1, metavar="[NAME=VALUE]…")
@options.as_json
@options.server
def command(
    changes: tuple[str, ...], data: str | None, url: str | None, key: str | None, user: str | None, as_json: bool
) -> None:
    """Show what you prefer, or change it.

    NAME is model, language (de-AT), time_zone (Europe/Vienna), episodic_days, context_tokens, or any other word that
    clients and plugins agree on. An empty value leaves it to the server's settings.
    """
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    preferred = options.run(_prefer(settings, user or "", [_pair(change) for change in changes]))
    told: dict[str, Any] = {name: getattr(preferred, name) for name in (*_TEXTS, *_NUMBERS)}
    rows = [{"name": name, "value": value} for name, value in (told | preferred.others).items()]
    output.listing(rows, ["name", "value"], as_json=as_json, empty="")


def _pair(change: str) -> tuple[str, str]:
    name, equals, value = change.partition("=")
    if not name or not equals:
        raise click.UsageError(f"{change!r} is not NAME=VALUE.")
    return name, value


async def _prefer(settings: Settings, user: str, pairs: list[tuple[str, str]]) -> Preferences:
    from . import link  # noqa: PLC0415 - grpc is not needed to show --help

    async with link.reach(settings, user) as reached:
        preferred = await reached.client.preferences()
        if not pairs:
            return preferred
        others = dict(preferred.others)
        changes: dict[str, Any] = {}
        for name, value in pairs:
            if name in _TEXTS:
                changes[name] = value
            elif name in _NUMBERS:
                changes[name] = _number(name, value)
            elif value:
                changes["others"] = others = {**others, name: value}
            else:
                changes["others"] = others = {one: told for one, told in others.items() if one != name}
        return await reached.client.prefer(changes, version=preferred.version)


def _number(name: str, value: str) -> float:
    try:
        return _NUMBERS[name](value or 0)
    except ValueError:
        raise InvalidArgument.field(f"preferences.{name}", "must be a number") from None
