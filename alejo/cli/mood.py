"""`alejo mood`, and what a chat shows of the same: how you feel, as far as it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from . import options, output

if TYPE_CHECKING:
    from alejo.settings import Settings
    from alejo.types import Feelings, Mood, Point, Reason, Relationship, Tone

_BARS = "▁▂▃▄▅▆▇█"
_MOST = 8  # triggers and topics
_PART = click.FloatRange(0, 1)


@click.command("mood")
@click.option("--valence", type=click.FloatRange(-1, 1), help="Your mood is this: -1 unpleasant, 1 pleasant.")
@click.option("--arousal", type=_PART, help="And this: 0 calm, 1 agitated.")
@click.option("--trust", type=_PART, help="You trust the assistant so much, 0 to 1.")
@click.option("--familiarity", type=_PART, help="And are so familiar with it, 0 to 1.")
@click.option("--forget", "topics", metavar="TOPIC", multiple=True, help="Forget a topic; may be repeated.")
@click.option("--reset", is_flag=True, help="Delete all that is kept of it, after asking.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.as_json
@options.server
def command(
    valence: float | None,
    arousal: float | None,
    trust: float | None,
    familiarity: float | None,
    topics: tuple[str, ...],
    reset: bool,
    yes: bool,
    data: str | None,
    url: str | None,
    key: str | None,
    user: str | None,
    as_json: bool,
) -> None:
    """Show your mood, what comes with strong feeling, and how you stand to the assistant; or correct it.

    What you correct goes on from there. Nothing is kept at all after `alejo preferences emotions=off`.
    """
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    if reset and not yes:
        click.confirm("Delete all that is kept of how you feel?", abort=True, err=True)
    corrected = _Corrected(valence, arousal, trust, familiarity)
    told = options.run(_mood(settings, user or "", corrected, topics, reset=reset))
    if as_json:
        output.listing([_tree(told)], [], as_json=True, empty="")
        return
    for line in picture(told):
        click.echo(line)


class _Corrected(NamedTuple):
    """What is given of how things are."""

    valence: float | None
    arousal: float | None
    trust: float | None
    familiarity: float | None


async def _mood(settings: Settings, user: str, given: _Corrected, topics: Sequence[str], *, reset: bool) -> Feelings:
    from . import link  # noqa: PLC0415 - grpc is not needed to show --help

    async with link.reach(settings, user) as reached:
        moods = reached.client.moods
        if reset:
            output.say(f"Deleted, of {output.number(await moods.reset(), 'turn')}.")
        for topic in topics:
            known = await moods.forget(topic)
            output.say(f"Forgotten: {topic}" if known else f"Nothing is kept of: {topic}")
        if (given.valence, given.arousal) != (None, None):
            await moods.correct(valence=given.valence, arousal=given.arousal)
        if (given.trust, given.familiarity) != (None, None):
            await moods.update_relationship(trust=given.trust, familiarity=given.familiarity)
        return await moods.get()


def picture(told: Feelings) -> list[str]:
    """What is told, in lines for people."""
    if not told.mood.appraisals and not told.relationship.why:
        return ["Nothing is kept of how you feel."]
    lines = [*_mood_lines(told.mood), *_trajectory(told.trajectory), *_triggers(told)]
    return [*lines, *_relationship(told.relationship), *_tone(told.tone)]


def _mood_lines(mood: Mood) -> list[str]:
    since = f", since {output.date(mood.since)}" if mood.since else ""
    named = ", ".join(f"{name} {strength:.2f}" for name, strength in mood.feelings.items()) or "nothing in particular"
    return [
        f"Mood          {_pleasant(mood.valence)} ({mood.valence:+.2f}), {_agitated(mood.arousal)}{since}",
        f"  usual       {mood.usual_valence:+.2f}",
        f"  felt        {named}",
        *_why(mood.why),
    ]


def _trajectory(points: Sequence[Point]) -> list[str]:
    if not points:
        return []
    bars = "".join(_BARS[min(len(_BARS) - 1, int((point.valence + 1) / 2 * len(_BARS)))] for point in points)
    first, last = output.date(points[0].first_at)[:10], output.date(points[-1].last_at)[:10]
    return [f"Sessions      {bars}  {first} to {last}"]


def _triggers(told: Feelings) -> list[str]:
    return [
        f"{'Triggers' if not place else '':<12}  {each.valence:+.2f}  {output.shorten(each.topic, 40)}"
        f" ({output.number(each.count, 'message')}, last {output.date(each.last_at)[:10]})"
        for place, each in enumerate(told.triggers[:_MOST])
    ]


def _relationship(stands: Relationship) -> list[str]:
    shared = ", ".join(f"{output.one_line(topic)} {count}" for topic, count in list(stands.topics.items())[:_MOST])
    turns = output.number(stands.turns, "turn")
    lines = [f"Relationship  trust {stands.trust:.2f}, familiarity {stands.familiarity:.2f}, {turns}"]
    return [*lines, *([f"  topics      {shared}"] if shared else []), *_why(stands.why)]


def _tone(tone: Tone) -> list[str]:
    parts = ("warmth", "formality", "brevity", "energy")
    lines = [f"Tone          {', '.join(f'{name} {getattr(tone, name):.2f}' for name in parts)}"]
    return [*lines, f"              {tone.guidance}"] if tone.guidance else lines


def _why(reasons: Sequence[Reason]) -> list[str]:
    return [f"    {each.share:+.2f}  {each.name}: {each.detail}" for each in reasons]


def _pleasant(valence: float) -> str:
    strength = "very " if abs(valence) >= 0.6 else ""
    return f"{strength}{'pleasant' if valence > 0 else 'unpleasant'}" if abs(valence) >= 0.1 else "even"


def _agitated(arousal: float) -> str:
    return "agitated" if arousal >= 0.6 else "awake" if arousal >= 0.3 else "calm"


def _tree(value: Any) -> Any:
    """A value by the names of its fields."""
    if hasattr(value, "__struct_fields__"):
        return {name: _tree(getattr(value, name)) for name in value.__struct_fields__}
    return [_tree(each) for each in value] if isinstance(value, tuple) else value
