"""The workspace: its places are competed for, carried on, told of, kept with their turn, and free of the forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as fewer
from hypothesis import strategies as st

import alejo
from alejo import Assistant
from alejo.clock import FakeClock
from alejo.conversation.workspace import FAINT, Policy, compete
from alejo.errors import StartupError
from alejo.hooks import hookimpl
from alejo.roles import Observer, Situation, Turn
from alejo.settings import Settings, read
from alejo.storage.requests import key
from alejo.storage.tables import TURNS
from alejo.types import Answer, Ask, Candidate, Focus, SessionState, Workspace

from ..conftest import ADA

POLICY = Policy()
SOURCES = ("memory", "appraisal", "percept", "drive.a")
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.sampled_from(("memory", "message")),
        st.sampled_from("abcdefghijkl"),
        st.floats(0, 1),
        st.just("why"),
        st.sampled_from(SOURCES),
    ),
    max_size=16,
)


def asks(reference: str, salience: float, source: str = "memory") -> Candidate:
    return Candidate("memory", reference, salience, "why", source)


def won(foci: Sequence[Focus]) -> list[str]:
    return [focus.candidate.reference for focus in foci if focus.outcome == "won"]


@given(st.lists(CANDIDATES, min_size=1, max_size=4))
@fewer(max_examples=60)
def test_the_places_are_bounded_and_the_strongest_win(turns: list[list[Candidate]]) -> None:
    """Turn after turn no more win than there are places, of no source more than its share, and none that is weaker
    than one that was kept out for want of room."""
    before: tuple[Focus, ...] = ()
    for candidates in turns:
        foci = compete(candidates, before, POLICY)
        winners = [focus for focus in foci if focus.outcome == "won"]
        assert len(winners) <= POLICY.places
        for source in SOURCES:
            assert sum(focus.candidate.source == source for focus in winners) <= POLICY.places_per_source
        places = [(focus.candidate.about, focus.candidate.reference) for focus in foci]
        assert len(set(places)) == len(places)
        assert {(each.about, each.reference) for each in candidates} <= set(places)
        assert [focus.strength for focus in foci] == sorted((focus.strength for focus in foci), reverse=True)
        assert all(0 <= focus.strength <= 1 for focus in foci)
        assert all((focus.outcome == "faint") == (focus.strength < FAINT) for focus in foci)
        crowded = [focus.strength for focus in foci if focus.outcome == "crowded"]
        assert all(focus.strength >= each for each in crowded for focus in winners)
        before = foci


def test_what_won_fades() -> None:
    """What nobody proposes again loses its strength by the factor, and is gone when it is faint."""
    foci = compete([asks("a", 0.8)], (), POLICY)
    strengths = []
    while foci:
        strengths.append(foci[0].strength)
        foci = compete([], foci, POLICY)
    assert strengths == pytest.approx([0.8, 0.48, 0.288, 0.1728, 0.10368])


def test_a_repeat_gains_nothing_for_some_turns() -> None:
    """What is proposed again fades all the same, until it has been there for as many turns as it is refractory."""
    foci = compete([asks("a", 0.8)], (), POLICY)
    for turns in (1, 2):
        foci = compete([asks("a", 1.0)], foci, POLICY)
        assert (foci[0].turns, foci[0].strength) == (turns, pytest.approx(0.8 * 0.6**turns))
    (focus,) = compete([asks("a", 1.0)], foci, POLICY)
    assert (focus.turns, focus.strength) == (0, 1.0)


def test_what_is_faint_stays_refractory() -> None:
    """Something weak that has faded cannot come back before its time."""
    foci = compete([asks("a", 0.15)], (), POLICY)
    foci = compete([asks("a", 1.0)], foci, POLICY)
    assert foci[0].outcome == "faint"
    assert won(compete([asks("a", 1.0)], foci, POLICY)) == []


def test_those_who_agree_make_it_stronger() -> None:
    """What several propose asks more than each alone, as the strongest of them says why."""
    (focus,) = compete([asks("a", 0.5), asks("a", 0.6, "drive.a")], (), POLICY)
    assert focus.strength == pytest.approx(0.8)
    assert focus.candidate.source == "drive.a"


def test_why_something_lost_is_told() -> None:
    """A source has its share, the whole its places, and what is faint none."""
    many = [asks(str(number), 0.9 - number / 100) for number in range(4)]
    others = [asks(f"{source}{number}", 0.5, source) for source in "xyz" for number in range(2)]
    foci = compete([*many, *others, asks("faint", 0.05)], (), POLICY)
    assert [focus.outcome for focus in foci] == ["won"] * 3 + ["quota"] + ["won"] * 4 + ["crowded"] * 2 + ["faint"]


@pytest.mark.parametrize(("name", "value"), [("decay", 1.5), ("places", -1), ("decay", float("nan"))])
def test_a_number_that_cannot_be_meant_is_refused(environment: dict[str, str], name: str, value: float) -> None:
    """A factor above 1 or a negative number of places is an error that names the setting."""
    with pytest.raises(StartupError, match=f"attention.{name}"):
        Policy.of(read(environment, {f"attention.{name}": value}))


class Led:
    """A brain, an observer and two drives that a test leads."""

    turns: list[Turn] = []
    told: list[Workspace] = []
    proposed = asyncio.Event()
    mention = ""

    async def respond(self, turn: Turn) -> AsyncIterator[str]:
        """Notes the turn."""
        Led.turns.append(turn)
        yield "Noted."


class Hearing(Observer):
    """Hears of workspaces alone."""

    async def broadcast(self, workspace: Workspace) -> None:
        """Notes it."""
        Led.told.append(workspace)


class Failing:
    """A drive that has nothing but an error."""

    name, wants = "failing", ()

    async def propose(self, situation: Situation) -> Sequence[Candidate]:
        """Fails."""
        raise RuntimeError("nothing comes to mind")


class Insisting:
    """A drive that proposes the question, and something that is not there."""

    name, wants = "insisting", ()

    async def propose(self, situation: Situation) -> Sequence[Candidate]:
        """The message, under a source of its own choice."""
        try:
            return [
                Candidate("message", situation.question.id, 0.9, "mine", "memory"),
                Candidate("memory", "0" * 32, 1.0, "invented"),
            ]
        finally:
            Led.proposed.set()


@hookimpl
def alejo_register_brain(settings: dict[str, Any]) -> Led:
    """Returns the brain of these tests."""
    return Led()


@hookimpl
def alejo_register_observers(settings: dict[str, Any]) -> Sequence[Observer]:
    """Returns the observer."""
    return [Hearing()]


@hookimpl
def alejo_register_drives(settings: dict[str, Any]) -> Sequence[Any]:
    """Returns the drives."""
    return [Failing(), Insisting()]


@pytest.fixture
async def led(settings: Settings, clock: FakeClock) -> AsyncIterator[Assistant]:
    """An assistant with the led brain and drives, and the plugins for feeling and memory."""
    Led.turns, Led.told, Led.proposed = [], [], asyncio.Event()
    points = [each for each in entry_points(group="alejo") if each.name in {"emotion", "memory"}]
    async with alejo.open(
        settings=settings, clock=clock, entry_points=[*points, EntryPoint("led", __name__, "alejo")]
    ) as it:
        yield it


async def test_memories_and_feelings_get_attention(assistant: Assistant) -> None:
    """A turn's workspace has what was recalled and felt, the answer has it, and so has the turn on disk."""
    await assistant.remember("My dog Luna died last night.", scope=ADA)
    answer = await assistant.conversation.chat(ADA, Ask("I am so sad about my dog Luna!", request_id="r"))
    assert answer.workspace is not None
    found = {(focus.candidate.source, focus.candidate.reference) for focus in answer.workspace.winners}
    assert found >= {("memory", answer.recalled[0].memory.id), ("appraisal", answer.user_message.id)}
    row = await assistant.store.get(ADA, TURNS, key("r"))
    assert row is not None
    assert row.value.workspace == answer.workspace
    again = await assistant.conversation.chat(ADA, Ask("I am so sad about my dog Luna!", request_id="r"))
    assert again.workspace == answer.workspace


async def test_a_drive_proposes_for_the_next_turn(led: Assistant) -> None:
    """A drive's candidate competes in the next turn under its own name; one that fails is named, and costs nothing."""
    first = await led.conversation.chat(ADA, Ask("The gate is green."))
    await asyncio.wait_for(Led.proposed.wait(), 10)
    second = await led.conversation.chat(ADA, Ask("The roof is red.", first.session_id))
    assert second.workspace is not None
    assert Led.turns[1].workspace == second.workspace
    proposed = [focus for focus in second.workspace.winners if focus.candidate.source == "drive.insisting"]
    assert [focus.candidate.reference for focus in proposed] == [first.user_message.id]
    assert second.workspace.missing == {"failing": "failed"}
    assert second.degraded == ()
    assert all(focus.candidate.reference != "0" * 32 for focus in second.workspace.foci)


async def test_observers_are_told(led: Assistant) -> None:
    """Each turn's workspace is broadcast, by the turn's id."""
    first = await led.conversation.chat(ADA, Ask("The gate is green."))
    second = await led.conversation.chat(ADA, Ask("The roof is red.", first.session_id))
    await led.events.close(10)
    assert Led.told == [first.workspace, second.workspace]
    assert [workspace.turn_id for workspace in Led.told] == [first.turn_id, second.turn_id]


async def test_attention_is_carried_over_a_restart(environment: dict[str, str], clock: FakeClock) -> None:
    """What got attention fades on in the next turn, in whatever process."""
    chosen = read(environment, {"data.map_size_mb": 16})
    async with alejo.open(settings=chosen, clock=clock) as assistant:
        first = await assistant.conversation.chat(ADA, Ask("I am so happy today, wonderful!"))
    async with alejo.open(settings=chosen, clock=clock) as assistant:
        second = await assistant.conversation.chat(ADA, Ask("The gate is green.", first.session_id))
    assert second.workspace is not None
    carried = [focus for focus in second.workspace.winners if focus.candidate.reference == first.user_message.id]
    assert [focus.turns for focus in carried] == [1]


async def test_a_forgotten_memory_leaves_no_trace(assistant: Assistant) -> None:
    """A memory that is forgotten is in no workspace any more: neither of the turns before nor of those that follow."""
    secret = await assistant.remember("The code of the gate is heron.", scope=ADA)
    first = await assistant.conversation.chat(ADA, Ask("What is the code of the gate?", request_id="r"))
    assert _names(first, secret.id)
    await assistant.memories.forget(ADA, [secret.id], keep_messages=True)
    again = await assistant.conversation.chat(ADA, Ask("What is the code of the gate?", request_id="r"))
    assert again.replayed
    assert not _names(again, secret.id)
    after = await assistant.conversation.chat(ADA, Ask("The roof is red.", first.session_id))
    assert not _names(after, secret.id)


async def test_redacted_words_take_their_workspace_along(assistant: Assistant) -> None:
    """A turn whose message lost its words keeps no workspace, and what was felt in it is not carried on."""
    first = await assistant.conversation.chat(ADA, Ask("I am so sad, my dog Luna died.", request_id="r"))
    kept = [memory.id for memory in (await assistant.memories.list(ADA, alejo.types.Page()))[0]]
    await assistant.memories.forget(ADA, kept)
    row = await assistant.store.get(ADA, TURNS, key("r"))
    assert row is not None
    assert row.value.workspace is None
    after = await assistant.conversation.chat(ADA, Ask("The roof is red.", first.session_id))
    assert not _names(after, first.user_message.id)


async def test_without_places_nothing_is_attended_to(environment: dict[str, str], clock: FakeClock) -> None:
    """With attention.places at 0 a turn has no workspace."""
    chosen = read(environment, {"data.map_size_mb": 16, "attention.places": 0})
    async with alejo.open(settings=chosen, clock=clock) as assistant:
        answer = await assistant.conversation.chat(ADA, Ask("I am so happy today!"))
    assert answer.workspace is None


async def test_a_session_that_ended_is_not_held(assistant: Assistant) -> None:
    """A turn of another session begins with nothing of this one."""
    first = await assistant.conversation.chat(ADA, Ask("I am so happy today, wonderful!"))
    await assistant.sessions.update(ADA, first.session_id, state=SessionState.COMPLETED)
    other = await assistant.conversation.chat(ADA, Ask("The gate is green."))
    assert not _names(other, first.user_message.id)


def _names(answer: Answer, reference: str) -> bool:
    assert answer.workspace is not None
    return any(focus.candidate.reference == reference for focus in answer.workspace.foci)
