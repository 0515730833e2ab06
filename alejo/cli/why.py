"""`alejo why`, and what a chat shows of the same: what an answer rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import options, output

if TYPE_CHECKING:
    from alejo.settings import Settings
    from alejo.types import Answer, Focus, Hit


@click.command("why")
@click.argument("request_id")
@options.as_json
@options.server
def command(
    request_id: str, data: str | None, url: str | None, key: str | None, user: str | None, as_json: bool
) -> None:
    """Show what an answer rests on, by the request id of its turn.

    What was recalled and why, what got attention, what was felt and ruled, which model wrote it, what was missing.
    With --json: what asked for attention in the turn, each in a line.
    """
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    answer = options.run(_turn(settings, user or "", request_id))
    if as_json:
        foci = answer.workspace.foci if answer.workspace is not None else ()
        output.listing([row(focus) for focus in foci], [], as_json=True, empty="")
        return
    for line in lines(answer):
        click.echo(output.clean(line))


async def _turn(settings: Settings, user: str, request_id: str) -> Answer:
    from . import link  # noqa: PLC0415 - grpc is not needed to show --help

    async with link.reach(settings, user) as reached:
        return await reached.client.turn(request_id)


def row(focus: Focus) -> dict[str, object]:
    """What asked for attention, as listings show it."""
    candidate = focus.candidate
    return {
        "source": candidate.source,
        "about": candidate.about,
        "reference": candidate.reference,
        "why": candidate.why,
        "salience": candidate.salience,
        "strength": focus.strength,
        "outcome": focus.outcome,
        "turns": focus.turns,
    }


def lines(answer: Answer) -> list[str]:
    """What an answer rests on, and how to see that again."""
    told = [] if answer.recalled else ["Nothing was recalled for the answer."]
    told += [line for number, hit in enumerate(answer.recalled, 1) for line in evidence(number, hit)]
    told += attended(answer)
    if answer.commands:
        told.append(f"Commands that ran: {', '.join(answer.commands)}.")
    if answer.appraisal and answer.appraisal.emotions:
        felt = ", ".join(
            f"{emotion.name} {emotion.strength:.2f} ({' '.join(emotion.words)})"
            for emotion in answer.appraisal.emotions
        )
        told.append(f"Felt in your message: {felt}.")
    for one in answer.verdicts:
        by = ", ".join((one.rule, *one.words))
        told.append(f"The conscience's ruling: {one.ruling}, as {one.reason} ({by}).")
    if answer.model is not None:
        used = answer.model
        tokens = f"{used.input_tokens:,} tokens in, {used.output_tokens:,} out"
        places = {hit.memory.id: f" with {number}" for number, hit in enumerate(answer.recalled, 1)}
        why = f"{used.reason}{places.get(used.memory_id, '')}"
        told.append(f"Written by {used.model} ({why}): {'kept from before' if used.cached else tokens}.")
    told += [f"Without {one.role}: {one.plugin or 'no plugin'} ({one.reason})." for one in answer.degraded]
    return [*told, f"Again: alejo why {answer.request_id}"]


def attended(answer: Answer) -> list[str]:
    """What got attention, by its number among what was recalled where it is, and how many asked for it in vain."""
    if answer.workspace is None:
        return []
    places = {hit.memory.id: f"recalled {number}" for number, hit in enumerate(answer.recalled, 1)}
    places[answer.user_message.id] = "your message"
    told = []
    for focus in answer.workspace.winners:
        candidate = focus.candidate
        what = places.get(candidate.reference, f"{candidate.about} {candidate.reference}")
        age = f", {output.number(focus.turns, 'turn')} ago" if focus.turns else ""
        told.append(f"Attended to, {focus.strength:.2f}: {what} ({candidate.source}: {candidate.why}{age}).")
    others = len(answer.workspace.foci) - len(told)
    told += [f"Surprise: {answer.workspace.surprise:.2f}."] if answer.workspace.surprise else []
    told += [f"Asked for attention and got none: {others}."] if others else []
    return told + [f"Without the drive {name} ({why})." for name, why in answer.workspace.missing.items()]


def evidence(number: int, hit: Hit) -> list[str]:
    """A recalled memory: what it says, who said it when and where, and each share of its score."""
    memory = hit.memory
    source = f"session {memory.session_id}" if memory.session_id else "remembered directly"
    said = f"{memory.speaker}, " if memory.speaker else ""
    told = [
        f'{number:>2}. "{output.shorten(memory.text, 100)}"',
        f"    {said}{output.date(memory.sent_at)}, {source}, {memory.layer.name.lower()} {memory.kind}",
        f"    score {hit.score:.3f}, covers {hit.coverage:.0%} of the question",
    ]
    for share in hit.evidence:
        detail = f"  {output.shorten(share.detail, 70)}" if share.detail else ""
        told.append(f"      {share.name:<12} {share.share:+.3f}{detail}")
    return told
