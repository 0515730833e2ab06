"""The states of a plugin and the circuit that rests it."""

from __future__ import annotations

from pathlib import Path

import pytest

from alejo.clock import FakeClock
from alejo.plugins.states import RECOVERY, TRANSITIONS, Event, Standing, diagram
from alejo.types import PluginState


def active(clock: FakeClock, limit: int = 3, rest: float = 30.0) -> tuple[Standing, list[PluginState]]:
    """A plugin that was loaded, and the states it goes through from now on."""
    seen: list[PluginState] = []
    standing = Standing(clock, limit, rest, lambda: seen.append(standing.state))
    standing.step(Event.LOADED)
    seen.clear()
    return standing, seen


@pytest.mark.parametrize("event", Event)
def test_a_rejected_plugin_stays_rejected(event: Event) -> None:
    """No event leads out of REJECTED: a plugin that was not loaded is never called."""
    standing = Standing(FakeClock(), 3, 30.0, lambda: None)
    standing.step(Event.REFUSED, "why")
    with pytest.raises(KeyError):
        standing.step(event)
    assert (standing.state, standing.reason) == (PluginState.REJECTED, "why")


def test_every_state_can_be_reached() -> None:
    """The table leads from DISCOVERED to every other state."""
    reached, grown = {PluginState.DISCOVERED}, True
    while grown:
        new = {after for (before, _), after in TRANSITIONS.items() if before in reached}
        grown = not new <= reached
        reached |= new
    assert reached == set(PluginState)


def test_failures_in_a_row_trip_the_circuit() -> None:
    """The third failure in a row quarantines; after a success between them it takes three again."""
    standing, seen = active(FakeClock())
    for fails in (True, True, False, True, True, True):
        standing.failed("ValueError at x.py:1", trial=False) if fails else standing.succeeded(trial=False)
    assert seen == [PluginState.DEGRADED] * 4 + [PluginState.QUARANTINED]
    assert standing.failures == 5
    assert "3 calls failed in a row" in standing.reason
    assert "ValueError at x.py:1" in standing.reason


def test_what_fails_now_and_then_is_degraded() -> None:
    """A plugin one of whose last ten calls failed or blocked is degraded and says why; ten good ones make it active."""
    standing, _ = active(FakeClock())
    for _ in range(3):
        standing.failed("ValueError at x.py:1", trial=False)
        for _ in range(RECOVERY - 1):
            standing.succeeded(trial=False)
        assert (standing.state, standing.streak) == (PluginState.DEGRADED, 0)
        assert "ValueError at x.py:1" in standing.reason
    standing.blocked("It blocks.")
    for _ in range(RECOVERY - 1):
        standing.succeeded(trial=False)
    assert (standing.state, standing.reason) == (PluginState.DEGRADED, "It blocks.")
    standing.succeeded(trial=False)
    assert (standing.state, standing.reason) == (PluginState.ACTIVE, "")


def test_a_rested_plugin_gets_one_trial_at_a_time() -> None:
    """No call is let through during the rest, exactly one after it; its success and nine more end it all."""
    clock = FakeClock()
    standing, _ = active(clock, limit=1)
    standing.failed("timeout", trial=False)
    clock.advance(29.9)
    assert not standing.admit()
    clock.advance(0.1)
    assert [standing.admit(), standing.admit()] == [True, False]
    standing.succeeded(trial=True)
    assert (standing.state, standing.streak) == (PluginState.DEGRADED, 0)
    assert "trial" in standing.reason
    for _ in range(RECOVERY - 1):
        standing.succeeded(trial=False)
    assert (standing.state, standing.reason) == (PluginState.ACTIVE, "")


def test_what_was_good_before_a_quarantine_does_not_count() -> None:
    """A plugin whose loop hung is degraded for ten calls, however many succeeded before."""
    clock = FakeClock()
    standing, _ = active(clock)
    for _ in range(2 * RECOVERY):
        standing.succeeded(trial=False)
    standing.trip("It hangs.")
    clock.advance(30)
    assert standing.admit()
    standing.succeeded(trial=True)
    for _ in range(RECOVERY - 2):
        standing.succeeded(trial=False)
    assert standing.state is PluginState.DEGRADED
    standing.succeeded(trial=False)
    assert standing.state is PluginState.ACTIVE


def test_a_failed_trial_begins_another_rest() -> None:
    """After a trial that fails the whole rest time passes again."""
    clock = FakeClock()
    standing, _ = active(clock, limit=1)
    standing.failed("timeout", trial=False)
    clock.advance(30)
    assert standing.admit()
    standing.failed("timeout", trial=True)
    clock.advance(29.9)
    assert not standing.admit()
    clock.advance(0.1)
    assert standing.admit()


def test_a_trial_that_is_given_up_proves_nothing() -> None:
    """When a trial's caller goes away, the plugin stays quarantined and the next call is a trial."""
    clock = FakeClock()
    standing, _ = active(clock, limit=1)
    standing.failed("timeout", trial=False)
    clock.advance(30)
    assert standing.admit()
    standing.released(trial=True)
    assert standing.state is PluginState.QUARANTINED
    assert standing.admit()


def test_calls_from_before_a_quarantine_do_not_change_it() -> None:
    """What comes back late, good or bad, neither ends a quarantine nor lengthens it."""
    clock = FakeClock()
    standing, _ = active(clock, limit=1)
    standing.failed("timeout", trial=False)
    clock.advance(20)
    standing.succeeded(trial=False)
    standing.failed("late", trial=False)
    assert standing.state is PluginState.QUARANTINED
    clock.advance(10)
    assert standing.admit()


def test_the_page_shows_the_table() -> None:
    """docs/plugins.md draws exactly the transitions of the table."""
    page = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text()
    shown = page.partition("<!-- plugin states -->\n```mermaid\n")[2].partition("\n```")[0]
    assert shown == diagram()
