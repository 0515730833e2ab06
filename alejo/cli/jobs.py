"""`alejo jobs`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from . import options, output

if TYPE_CHECKING:
    from alejo.client import Client
    from alejo.jobs import Job, QueueStatus
    from alejo.settings import Settings

_COLUMNS = ["id", "kind", "session_id", "messages", "state", "attempt", "created_at"]
_STATES = ("queued", "running", "delayed", "done", "dead", "cancelled")
_KIND = click.option("--kind", default="", help='Only of this kind, such as "reflection".')
_SESSION = click.option("--session", "session_id", metavar="ID", default="", help="Only of this session.")


@click.group("jobs")
def command() -> None:
    """What is done with what was said, behind the answers, and what of it failed."""


@command.command("list")
@click.option(
    "--state", "states", type=click.Choice(_STATES), multiple=True, help="Only in this state; may be repeated."
)
@_SESSION
@_KIND
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many at most.")
@options.as_json
@options.server
def list_(
    data: str | None, url: str | None, key: str | None, user: str | None, as_json: bool, limit: int, **wanted: Any
) -> None:
    """List the jobs, oldest first. Those that are done or cancelled are told for a day."""
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    rows = [_row(job) for job in options.run(_list(settings, user or "", limit, **wanted))]
    output.listing(rows, _COLUMNS, as_json=as_json, empty="There are no such jobs.")


@command.command("show")
@click.argument("job_id")
@options.as_json
@options.server
def show(job_id: str, data: str | None, url: str | None, key: str | None, user: str | None, as_json: bool) -> None:
    """Tell how a job stands, and what became of its attempts."""
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    job: Job = options.run(_with(settings, user or "", lambda client: client.job(job_id)))
    output.listing([_row(job, history=True)], _COLUMNS, as_json=as_json, empty="")
    if not as_json and job.attempts:
        click.echo()
        columns = ["number", "began_at", "ended_at", "cause", "code", "processor", "worker"]
        output.listing(_attempts(job), columns, as_json=False, empty="")


@command.command("watch")
@_SESSION
@_KIND
@options.as_json
@options.server
def watch(
    session_id: str, kind: str, data: str | None, url: str | None, key: str | None, user: str | None, as_json: bool
) -> None:
    """Tell of each job that changes, until Ctrl-C; first of those that wait, run or are dead. --json: one to a line."""
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    options.run(_watch(settings, user or "", session_id, kind, as_json=as_json))


def _chosen(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that name dead letters."""
    for option in (
        options.as_json,
        click.option("--all", "everything", is_flag=True, help="All there are."),
        click.option("--kind", default="", help="All of this kind."),
        click.option("--session", "session_id", metavar="ID", default="", help="All of this session."),
        click.argument("job_ids", metavar="[ID]...", nargs=-1),
    ):
        function = option(function)
    return function


@command.command("requeue")
@_chosen
@options.server
def requeue(data: str | None, url: str | None, key: str | None, user: str | None, as_json: bool, **chosen: Any) -> None:
    """Give jobs that failed for good another chance: these, or all of a session or kind, or all.

    Exactly what each left out is done; its history stays, its attempts begin anew.
    """
    _decide("requeue_jobs", data, url, key, user, as_json=as_json, **chosen)


@command.command("discard")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_chosen
@options.server
def discard(
    data: str | None, url: str | None, key: str | None, user: str | None, as_json: bool, yes: bool, **chosen: Any
) -> None:
    """Give jobs up that failed for good: what they left out stays left out. Chosen as by requeue."""
    if not (yes or chosen["job_ids"]) and (chosen["session_id"] or chosen["kind"] or chosen["everything"]):
        click.confirm("Give all of them up for good?", abort=True, err=True)
    _decide("discard_jobs", data, url, key, user, as_json=as_json, **chosen)


@command.command("pause")
@click.argument("kind", default="")
@options.server
def pause(kind: str, data: str | None, url: str | None, key: str | None, user: str | None) -> None:
    """Have no job of KIND begin, of whatever user, or none at all. Those under way end by themselves."""
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    options.run(_with(settings, user or "", lambda client: client.pause_jobs(kind)))
    output.say(f"Paused: {kind or 'every kind'}. Go on: alejo jobs resume {kind}".rstrip())


@command.command("resume")
@click.argument("kind", default="")
@options.server
def resume(kind: str, data: str | None, url: str | None, key: str | None, user: str | None) -> None:
    """End a pause of KIND, or that of every kind."""
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    options.run(_with(settings, user or "", lambda client: client.resume_jobs(kind)))
    output.say(f"Resumed: {kind or 'every kind'}.")


@command.command("status")
@options.as_json
@options.server
def status(data: str | None, url: str | None, key: str | None, user: str | None, as_json: bool) -> None:
    """Tell how much there is to do for all users, for how long it waits, and who works on it."""
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    found: QueueStatus = options.run(_with(settings, user or "", lambda client: client.queue_status()))
    lags = {lag.kind: lag for lag in found.lags}
    rows = [
        {
            "kind": depth.kind,
            "queued": depth.queued,
            "delayed": depth.delayed,
            "running": depth.running,
            "dead": depth.dead,
            "oldest_seconds": round(depth.oldest, 3),
            "lag_p50_seconds": lags[depth.kind].p50 if depth.kind in lags else 0.0,
            "lag_p99_seconds": lags[depth.kind].p99 if depth.kind in lags else 0.0,
            "paused_at": output.iso(depth.paused_at),
        }
        for depth in found.depths
    ]
    workers = [
        {
            "worker": worker.name,
            "began_at": output.iso(worker.began_at),
            "heard_at": output.iso(worker.heard_at),
            **{name: worker.counts.get(name, 0) for name in ("done", "delayed", "dead", "expired")},
            "processors": {one.name: {"seconds": one.seconds, "failures": one.failures} for one in worker.processors},
        }
        for worker in found.workers
    ]
    if as_json:
        click.echo(json.dumps({"kinds": rows, "workers": workers}, indent=2, ensure_ascii=False))
        return
    output.listing(rows, list(rows[0]) if rows else [], as_json=False, empty="There is nothing to do.")
    click.echo()
    columns = ["worker", "began_at", "heard_at", "done", "delayed", "dead", "expired"]
    output.listing(workers, columns, as_json=False, empty="No worker was heard within five minutes.")


def _row(job: Job, *, history: bool = False) -> dict[str, Any]:
    """A job as listings show it."""
    return {
        "id": job.id,
        "kind": job.kind,
        "session_id": job.session_id,
        "messages": f"{job.from_seq}-{job.to_seq}",
        "state": job.state,
        "attempt": job.attempt,
        "priority": job.priority,
        "created_at": output.iso(job.created_at),
        "began_at": output.iso(job.began_at),
        "not_before": output.iso(job.not_before),
        "ended_at": output.iso(job.ended_at),
        **({"attempts": _attempts(job)} if history else {}),
    }


def _attempts(job: Job) -> list[dict[str, Any]]:
    return [
        {
            "number": one.number,
            "began_at": output.iso(one.began_at),
            "ended_at": output.iso(one.ended_at),
            "cause": one.failure.cause,
            "code": one.failure.code,
            "processor": one.failure.processor,
            "worker": one.owner,
        }
        for one in job.attempts
    ]


def _decide(
    act: str,
    data: str | None,
    url: str | None,
    key: str | None,
    user: str | None,
    *,
    as_json: bool,
    job_ids: Sequence[str],
    session_id: str,
    kind: str,
    everything: bool,
) -> None:
    if not (job_ids or session_id or kind or everything):
        raise click.UsageError("Name jobs, or give --session, --kind or --all.")
    settings = options.settings(data__path=data, client__url=url, client__key=key)

    async def ask(client: Client) -> list[Job]:
        decided: list[Job] = await getattr(client, act)(
            job_ids, session_id=session_id, kind=kind, everything=everything
        )
        return decided

    rows = [_row(job) for job in options.run(_with(settings, user or "", ask))]
    output.listing(rows, _COLUMNS, as_json=as_json, empty="There are no such dead letters.")


async def _with(settings: Settings, user: str, ask: Callable[[Client], Awaitable[Any]]) -> Any:
    from . import link  # noqa: PLC0415 - grpc is not needed to show --help

    async with link.reach(settings, user) as reached:
        return await ask(reached.client)


async def _list(
    settings: Settings, user: str, limit: int, *, states: Sequence[str], session_id: str, kind: str
) -> list[Job]:
    from alejo.types import JobState, Page  # noqa: PLC0415 - not needed to show --help

    wanted = [JobState[state.upper()] for state in states]

    async def ask(client: Client) -> list[Job]:
        jobs: list[Job] = []
        token = ""
        while len(jobs) < limit:
            page = Page(min(1000, limit - len(jobs)), token)
            found, token = await client.jobs(page, states=wanted, session_id=session_id, kind=kind)
            jobs += found
            if not token:
                break
        return jobs

    found: list[Job] = await _with(settings, user, ask)
    return found


async def _watch(settings: Settings, user: str, session_id: str, kind: str, *, as_json: bool) -> None:
    async def ask(client: Client) -> None:
        async for change in client.watch_jobs(session_id=session_id, kind=kind):
            if isinstance(change, str):
                click.echo(json.dumps({"id": change, "state": "removed"}) if as_json else f"{change}  removed")
            elif as_json:
                click.echo(json.dumps(output.plain(_row(change, history=True)), ensure_ascii=False))
            else:
                click.echo(_line(change))

    await _with(settings, user, ask)


def _line(job: Job) -> str:
    why = f"  {job.attempts[-1].failure.code}" if job.attempts and job.state.name in {"DELAYED", "DEAD"} else ""
    return output.clean(
        f"{job.id}  {job.state.name.lower():<9}  {job.kind}  {job.session_id}  {job.from_seq}-{job.to_seq}{why}"
    )
