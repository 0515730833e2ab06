"""`alejo learning`."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alejo.errors import StartupError

from . import options, output

if TYPE_CHECKING:
    from alejo.client import Client
    from alejo.lessons import Entry, Learnt, Promoted
    from alejo.settings import Settings
    from alejo.types import Metric

_CANNOT_CREATE = 73  # EX_CANTCREAT of sysexits(3)
_LOG = ["at", "session_id", "stage", "made", "seconds", "outcome", "reason", "metrics"]
_WEIGHTS = ["number", "of", "in_use", "at", "learner", "metrics", "weights"]


@click.group("learning")
def command() -> None:
    """What was learned from sessions that have ended."""


@command.command("stats")
@options.as_json
@options.server
def stats(data: str | None, url: str | None, key: str | None, user: str | None, as_json: bool) -> None:
    """Sums of what was said, what each stage and learner did, and what sessions were about."""
    learnt: Learnt = _asked(data, url, key, user, lambda client: client.learnt())
    if as_json:
        stages = {name: _named(each) for name, each in learnt.stages.items()}
        learners = {
            name: _named(each) | {"metrics": [_named(one) for one in each.metrics]}
            for name, each in learnt.learners.items()
        }
        told = {"said": _named(learnt.said), "stages": stages, "learners": learners, "topics": learnt.topics}
        click.echo(json.dumps(told | {"preferences": learnt.preferences}, indent=2, ensure_ascii=False))
        return
    said = learnt.said
    output.say(
        f"{said.sessions} sessions: {said.asked} messages of yours ({said.asked_characters} characters), "
        f"{said.answered} of others ({said.answered_characters}); {learnt.preferences} preferences."
    )
    if learnt.topics:
        output.say(
            f"About: {', '.join(f'{output.one_line(name)} ({count})' for name, count in learnt.topics.items())}."
        )
    rows = [
        {"stage": name, **_named(each), "last_at": output.iso(each.last_at), "outcome": "", "metrics": ""}
        for name, each in learnt.stages.items()
    ]
    for row in rows:
        learner = learnt.learners.get(row["stage"].removeprefix("learner."))
        if learner is not None:
            row |= {"outcome": learner.outcome, "metrics": _told(learner.metrics)}
        row["seconds"] = round(row["seconds"], 3)
    columns = ["stage", "sessions", "made", "failed", "seconds", "last_at", "outcome", "metrics"]
    output.listing(rows, columns, as_json=False, empty="Nothing was learned yet: that begins when a session ends.")


@command.command("log")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most.")
@options.as_json
@options.server
def log(data: str | None, url: str | None, key: str | None, user: str | None, as_json: bool, limit: int) -> None:
    """What each stage made of each session, newest first."""

    async def ask(client: Client) -> list[Entry]:
        from alejo.types import Page  # noqa: PLC0415 - not needed to show --help

        return (await client.learning_log(Page(limit)))[0]

    entries: list[Entry] = _asked(data, url, key, user, ask)
    rows = [
        _named(each) | {"at": output.iso(each.at), "seconds": round(each.seconds, 4), "metrics": _told(each.metrics)}
        for each in entries
    ]
    output.listing(rows, _LOG, as_json=as_json, empty="Nothing was learned yet.")


@command.command("export")
@click.option(
    "--format", "form", type=click.Choice(["plain", "openai"]), default="plain", show_default=True,
    help="instruction, output and context; or as OpenAI fine-tunes chat models.",
)  # fmt: skip
@click.option(
    "--without-personal-data", is_flag=True, help="Replace addresses, numbers, names and secrets by what they were."
)
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), required=True, help="What to make; it is new.")
@options.server
def export(
    path: Path,
    form: str,
    without_personal_data: bool,
    data: str | None,
    url: str | None,
    key: str | None,
    user: str | None,
) -> None:
    """Write questions with the answers they got as JSON lines, to train a model with.

    The file is in clear, readable by you alone (mode 0600). Near duplicates are left out.
    """
    if path.exists():
        raise StartupError(f"{path} is there already.", hint="Name a new one.", exit_code=_CANNOT_CREATE)

    async def ask(client: Client) -> int:
        async with aclosing(client.export_pairs(form, personal=not without_personal_data)) as parts:
            return await _write(path, parts)

    try:
        count = _asked(data, url, key, user, ask)
    except OSError as error:
        raise StartupError(
            f"{path} cannot be written: {error.strerror}.", hint="Name another place.", exit_code=_CANNOT_CREATE
        ) from None
    pairs = output.number(count, "pair")
    output.say(f"Exported: {pairs}. {output.one_line(str(path))} is in clear: whoever reads it reads it all.")


async def _write(path: Path, parts: Any) -> int:
    """Writes parts to a file that has its name only when it is whole; returns how many lines that were."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    count = 0
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            async for part in parts:
                file.write(part)
                count += part.count(b"\n")
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    return count


@command.group("weights")
def weights() -> None:
    """How recall weighs evidence, as it was learned from feedback."""


@weights.command("list")
@options.as_json
@options.server
def list_(data: str | None, url: str | None, key: str | None, user: str | None, as_json: bool) -> None:
    """List the weights that were promoted, what they gained, and which are used."""
    promoted: Promoted = _asked(data, url, key, user, lambda client: client.weights())
    rows = [
        _named(each)
        | {
            "of": whose,
            "in_use": each.number == used,
            "at": output.iso(each.at),
            "metrics": _told(each.metrics),
            "weights": each.weights if as_json else _weighed(each.weights),
        }
        for whose, several, used in (
            ("own", promoted.own, promoted.in_use),
            ("shared", promoted.shared, promoted.shared_in_use),
        )
        for each in several
    ]
    output.listing(rows, _WEIGHTS, as_json=as_json, empty="None were promoted yet: recall weighs as its plugin does.")


@weights.command("rollback")
@click.argument("number", type=click.IntRange(0), required=False)
@click.option("--shared", is_flag=True, help="Of the weights that users share; for the operator.")
@options.server
def rollback(
    number: int | None, shared: bool, data: str | None, url: str | None, key: str | None, user: str | None
) -> None:
    """Go back to the version NUMBER of your weights, 0 for none, by default to the one before.

    What was liked until now does not speak for a promotion any more.
    """
    if shared:
        used = _asked(data, url, key, user, lambda client: client.roll_back_shared_weights(number))
        output.say(f"Who has no weights of their own uses version {used}." if used else "No shared weights are used.")
    else:
        used = _asked(data, url, key, user, lambda client: client.roll_back_weights(number))
        output.say(f"Recall uses version {used}." if used else "Recall uses no weights of your own.")


def _asked(
    data: str | None, url: str | None, key: str | None, user: str | None, ask: Callable[[Client], Awaitable[Any]]
) -> Any:
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    return options.run(_with(settings, user or "", ask))


async def _with(settings: Settings, user: str, ask: Callable[[Client], Awaitable[Any]]) -> Any:
    from . import link  # noqa: PLC0415 - grpc is not needed to show --help

    async with link.reach(settings, user) as reached:
        return await ask(reached.client)


def _named(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__struct_fields__}


def _told(metrics: tuple[Metric, ...]) -> str:
    """Figures in one cell."""
    return ", ".join(f"{each.name} {each.before:.3f} → {each.after:.3f} (n {each.n})" for each in metrics)


def _weighed(weights: dict[str, float]) -> str:
    return ", ".join(f"{name} {weight:.3g}" for name, weight in weights.items())
