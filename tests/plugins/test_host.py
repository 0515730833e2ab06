"""What the host promises about the plugins it calls."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from alejo.clock import FakeClock, SystemClock
from alejo.errors import InvalidArgument, PluginFailed
from alejo.plugins import PluginHost
from alejo.plugins.states import RECOVERY
from alejo.types import Appraisal, PluginState, Vacancy

from .acting import CODE, DEADLINE, Acting
from .shelf import Shelf

Start = Callable[..., Awaitable[Acting]]
BOTH = pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "apart"])


@pytest.fixture
async def start(shelf: Shelf) -> AsyncIterator[Start]:
    """Starts hosts that are closed when the test is over."""
    started: list[Acting] = []

    async def start(**options: Any) -> Acting:
        started.append(await Acting.start(shelf, **options))
        return started[-1]

    yield start
    for acting in started:
        acting.module.GATE.set()
        await acting.host.close()


async def failure(call: Awaitable[object]) -> str:
    """The word why a call failed."""
    with pytest.raises(PluginFailed) as failed:
        await call
    assert "secret" not in str(failed.value)
    assert failed.value.__suppress_context__ or failed.value.__context__ is None
    return failed.value.why


# Calls


@BOTH
async def test_a_call_gives_its_answer(start: Start, trusted: bool) -> None:
    """A call answers, is counted, and leaves the plugin active."""
    acting = await start(trusted=trusted)
    assert await acting.do("please") == Appraisal(0.5, 0.5)
    assert (acting.status.calls, acting.status.failures, acting.status.state) == (1, 0, PluginState.ACTIVE)
    assert acting.status.trusted is trusted


@BOTH
async def test_where_a_plugin_runs(start: Start, trusted: bool) -> None:
    """A trusted plugin runs on the caller's loop, another never does."""
    acting = await start(trusted=trusted)
    loop = (await acting.do("loop")).valence
    assert (loop == float(id(asyncio.get_running_loop()))) is trusted


@BOTH
@pytest.mark.parametrize("what", ["raise", "exit", "interrupt", "cancel", "wrong", "not found"])
async def test_whatever_is_raised_is_contained(start: Start, trusted: bool, what: str) -> None:
    """Any exception, exit or wrong answer is one failed call; the next ones work and take the blame back."""
    acting = await start(trusted=trusted)
    assert await failure(acting.do(what)) == "failed"
    assert acting.status.state is PluginState.DEGRADED
    assert "secret" not in acting.status.reason
    for _ in range(RECOVERY):
        await acting.do("please")
    assert (acting.status.state, acting.status.failures, acting.status.reason) == (PluginState.ACTIVE, 1, "")


async def test_an_answer_from_apart_is_checked_to_the_last_field(start: Start) -> None:
    """An answer of the right class with a wrong field does not get in."""
    acting = await start(trusted=False)
    assert await failure(acting.do("wrong field")) == "failed"
    assert acting.status.reason == "A call failed: emotion.appraise returned Appraisal with a wrong field."


async def test_the_reason_names_the_line(start: Start) -> None:
    """The status says which error came from which line, and nothing of its text."""
    acting = await start(trusted=False)
    line = CODE.splitlines().index('            raise ValueError("the secret")') + 1
    await failure(acting.do("raise"))
    assert acting.status.reason == f"A call failed: ValueError at acting.py:{line}."


@BOTH
async def test_a_refused_argument_is_no_failure(start: Start, trusted: bool) -> None:
    """InvalidArgument passes through as it is and is not held against the plugin."""
    acting = await start(trusted=trusted)
    with pytest.raises(InvalidArgument) as refused:
        await acting.do("refuse")
    assert refused.value.violations == (("text", "is not wanted."),)
    assert (acting.status.failures, acting.status.state) == (0, PluginState.ACTIVE)


@BOTH
async def test_a_deadline_ends_a_call(start: Start, trusted: bool) -> None:
    """When its time is over, the caller is told at once and the plugin's coroutine is cancelled."""
    acting = await start(trusted=trusted)
    started = time.monotonic()
    assert await failure(acting.do("wait", timeout=0.1)) == "timeout"
    assert 0.1 <= time.monotonic() - started < 10
    await acting.happens("ENDED")
    assert acting.status.stuck_threads == 0


async def test_the_default_deadline_is_the_setting(start: Start) -> None:
    """Without a timeout a call has plugins.call_seconds."""
    acting = await start(trusted=False, call_seconds=0.1)
    assert await failure(acting.host.call(acting.slot(), "appraise", "wait")) == "timeout"


@BOTH
async def test_cancelling_a_call_cancels_the_plugin(start: Start, trusted: bool) -> None:
    """A caller that goes away takes the plugin's coroutine with it, and that is no failure."""
    acting = await start(trusted=trusted)
    task = asyncio.create_task(acting.do("wait"))
    await acting.happens("STARTED")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await acting.happens("ENDED")
    assert (acting.status.failures, acting.status.state) == (0, PluginState.ACTIVE)


async def test_calls_run_beside_each_other(start: Start) -> None:
    """A call that waits does not hold up others of the same plugin."""
    acting = await start(trusted=False)
    waiting = asyncio.create_task(acting.do("wait"))
    await acting.happens("STARTED")
    await asyncio.gather(*(acting.do("please") for _ in range(50)))
    waiting.cancel()


async def test_nothing_leaks_between_calls(start: Start) -> None:
    """A context variable of one call is seen neither by another call, nor by the server, nor the server's by it."""
    acting = await start(trusted=False)
    acting.module.variable.set("the server's")
    seen = await asyncio.gather(*(acting.do(f"set {user}") for user in range(20)))
    seen.append(await acting.do("set again"))
    assert {appraisal.valence for appraisal in seen} == {0.0}
    assert acting.module.variable.get() == "the server's"


async def test_nothing_of_a_trusted_call_reaches_another_user(start: Start) -> None:
    """Each request has a context of its own, so a trusted plugin's variables stay in theirs."""
    acting = await start(trusted=True)
    tasks = [asyncio.create_task(acting.do(f"set {n}"), context=contextvars.copy_context()) for n in range(20)]
    assert {appraisal.valence for appraisal in await asyncio.gather(*tasks)} == {0.0}


# States


@BOTH
async def test_a_failing_plugin_rests_and_is_tried_again(start: Start, trusted: bool) -> None:
    """After its failures a plugin gets no calls; after its rest one call is let through and brings it back."""
    clock = FakeClock()
    acting = await start(trusted=trusted, clock=clock, failures=3, rest_seconds=30.0)
    whys = [await failure(acting.do("raise")) for _ in range(4)]
    assert whys == ["failed", "failed", "failed", "quarantined"]
    assert [status.state.name for status in acting.changes] == ["DEGRADED", "DEGRADED", "QUARANTINED"]
    clock.advance(30)
    assert await failure(acting.do("raise")) == "failed"
    assert await failure(acting.do("please")) == "quarantined"
    clock.advance(30)
    for _ in range(RECOVERY):
        await acting.do("please")
    assert acting.status.state is PluginState.ACTIVE


async def test_only_one_call_is_the_trial(start: Start) -> None:
    """While a trial is under way others are refused."""
    clock = FakeClock()
    acting = await start(trusted=False, clock=clock, failures=1)
    await failure(acting.do("raise"))
    clock.advance(30)
    trial = asyncio.create_task(acting.do("wait"))
    await acting.happens("STARTED")
    assert await failure(acting.do("please")) == "quarantined"
    trial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trial
    await acting.do("please")
    assert acting.status.state is PluginState.DEGRADED


# Streams


@BOTH
async def test_a_stream_gives_its_pieces(start: Start, trusted: bool) -> None:
    """The pieces come in order, to the end."""
    acting = await start(trusted=trusted)
    assert [piece async for piece in acting.say("")] == ["a", "b", "c"]
    assert (acting.status.calls, acting.status.failures) == (1, 0)


@BOTH
@pytest.mark.parametrize(("what", "pieces"), [("raise", ["a", "b", "c"]), ("raise first", []), ("number", [])])
async def test_a_stream_that_fails_says_so(start: Start, trusted: bool, what: str, pieces: list[str]) -> None:
    """What came before an error comes through; then the stream fails and the plugin is degraded."""
    acting = await start(trusted=trusted)
    got: list[str] = []

    async def read() -> None:
        async for piece in acting.say(what):
            got.append(piece)  # noqa: PERF401  what was got before the error counts

    with pytest.raises(PluginFailed) as failed:
        await read()
    assert (got, failed.value.why) == (pieces, "failed")
    assert acting.status.state is PluginState.DEGRADED


@BOTH
async def test_a_stream_has_a_deadline(start: Start, trusted: bool) -> None:
    """A stream that stops giving pieces ends when its time is used up, and is closed."""
    acting = await start(trusted=trusted)
    stream = acting.say("wait", timeout=0.1)
    assert [await anext(stream) for _ in range(3)] == ["a", "b", "c"]
    assert await failure(anext(stream)) == "timeout"
    await acting.happens("ENDED")


@BOTH
async def test_a_slow_reader_uses_up_nothing(start: Start, trusted: bool) -> None:
    """Time that the reader takes between pieces is not the plugin's."""
    acting = await start(trusted=trusted)
    stream = acting.say("", timeout=0.2)
    await anext(stream)
    assert await failure(acting.do("wait", timeout=0.4)) == "timeout"
    assert [piece async for piece in stream] == ["b", "c"]


@BOTH
async def test_closing_a_stream_closes_the_plugins(start: Start, trusted: bool) -> None:
    """A reader that leaves ends the plugin's generator; that is no failure."""
    acting = await start(trusted=trusted)
    stream = acting.say("forever")
    await anext(stream)
    await stream.aclose()
    await acting.happens("ENDED")
    assert (acting.status.failures, acting.status.state) == (0, PluginState.ACTIVE)


@BOTH
async def test_cancelling_a_reader_closes_the_plugins(start: Start, trusted: bool) -> None:
    """A reader that is cancelled while it waits for a piece ends the plugin's generator."""
    acting = await start(trusted=trusted)

    async def read() -> None:
        async for _ in acting.say("wait"):
            pass

    task = asyncio.create_task(read())
    await acting.happens("STARTED")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await acting.happens("ENDED")
    assert acting.status.failures == 0


async def test_a_stream_runs_only_a_little_ahead(start: Start) -> None:
    """A plugin that produces faster than it is read is held back."""
    acting = await start(trusted=False)
    stream = acting.say("forever")
    for _ in range(103):
        await anext(stream)
    for _ in range(50):  # the plugin's loop turns at least as often, and would go on if nothing held it
        await acting.do("please")
    assert 100 <= acting.module.SENT <= 103 + 32
    await stream.aclose()


# Loading


async def test_a_host_without_plugins_says_what_is_vacant(shelf: Shelf) -> None:
    """A bare host starts and names the command that fills each role."""
    host = await PluginHost.start(shelf.settings(), SystemClock(), entry_points=[])
    roles = ("brain", "emotion", "memory", "vision")
    assert host.vacancies() == [Vacancy(role, f"pip install ./plugins/alejo-{role}") for role in roles]
    assert [host.one(role) for role in roles] == [None] * 4


async def test_the_host_starts_with_the_rest(shelf: Shelf) -> None:
    """Broken, hanging, exiting, duplicate, outdated and disabled plugins are each told; the good one works."""
    shelf.add("good", CODE)
    shelf.add("broken", "import no_such_module")
    shelf.add("hanging", "import time; time.sleep(600)")
    shelf.add("exiting", "import os; os._exit(1)")
    shelf.add("old", CODE, requires="alejo<0.0.1")
    shelf.add("off", "raise RuntimeError")
    shelf.add("first", CODE, entry_point="same")
    shelf.add("second", CODE, entry_point="same")
    settings = shelf.settings(import_seconds=2.0, disabled=["off"])
    started = time.monotonic()
    host = await PluginHost.start(settings, SystemClock(), entry_points=shelf.entry_points())
    seconds = time.monotonic() - started
    statuses = {status.distribution: status for status in host.statuses()}
    told = {name: status.state.name for name, status in statuses.items()}
    assert told == dict.fromkeys(["broken", "exiting", "first", "hanging", "old", "second"], "REJECTED") | {
        "good": "ACTIVE",
        "off": "DISCOVERED",
    }
    assert "no_such_module" in statuses["broken"].reason
    assert "did not end within 2 s" in statuses["hanging"].reason
    assert "exit code 1" in statuses["exiting"].reason
    assert "first and second" in statuses["first"].reason
    assert "needs alejo<0.0.1" in statuses["old"].reason
    assert "plugins.disabled" in statuses["off"].reason
    assert all(status.hint for status in statuses.values() if status.state is PluginState.REJECTED)
    assert seconds < 60
    slot = host.one("emotion")
    assert slot is not None
    assert await host.call(slot, "appraise", "please") == Appraisal(0.5, 0.5)
    await host.close()


async def test_a_warm_start_imports_in_no_child(shelf: Shelf) -> None:
    """The first start imports twice, in the child and in the host; the next start in the host alone."""
    noted = shelf.folder / "imports"
    code = f"import os\nwith open({str(noted)!r}, 'a') as file: print(os.getpid(), file=file)\n{CODE}"
    shelf.add("noting", code)
    for wanted in (2, 3):
        host = await PluginHost.start(shelf.settings(), SystemClock(), entry_points=shelf.entry_points())
        shelf.forget_modules()
        assert len(noted.read_text().split()) == wanted
        await host.close()


async def test_a_bad_plugin_costs_only_the_first_start(shelf: Shelf) -> None:
    """What hung once is refused at once by the next start, with the same words."""
    shelf.add("hanging", "import time; time.sleep(600)")
    reasons, seconds = [], []
    for _ in range(2):
        started = time.monotonic()
        settings = shelf.settings(import_seconds=1.0)
        host = await PluginHost.start(settings, SystemClock(), entry_points=shelf.entry_points())
        seconds.append(time.monotonic() - started)
        reasons.append(host.statuses()[0].reason)
    assert reasons[0] == reasons[1]
    assert seconds[1] < seconds[0]


async def test_a_plugin_that_hangs_only_here_is_left_behind(shelf: Shelf) -> None:
    """A hook that does not return costs its time and one thread; the host starts without the plugin."""
    hook = "@hookimpl\ndef alejo_register_emotion(settings):\n    GATE.wait()\n"
    shelf.add("late", f"import threading\nfrom alejo.hooks import hookimpl\nGATE = threading.Event()\n{hook}")
    settings = shelf.settings(import_seconds=1.0)
    host = await PluginHost.start(settings, SystemClock(), entry_points=shelf.entry_points())
    (status,) = host.statuses()
    assert (status.state, status.stuck_threads) == (PluginState.REJECTED, 1)
    assert "it hangs at late.py:6" in status.reason


async def test_nobody_takes_a_trusted_plugins_command(shelf: Shelf) -> None:
    """Of two plugins with one command the trusted one keeps it, whatever their names."""
    hook = "\n@hookimpl\ndef alejo_register_commands(settings):\n    return [Saying()]\n"
    shelf.add("aaa", CODE + hook)
    shelf.add("zzz", CODE + hook)
    settings = shelf.settings(trusted=["zzz"])
    host = await PluginHost.start(settings, SystemClock(), entry_points=shelf.entry_points())
    (slot,) = host.every("command")
    assert (slot.plugin, slot.spec.name if slot.spec else "") == ("zzz", "say")
    assert host.statuses()[0].reason == "It offers the command 'say', which zzz offers already."
    await host.close()


async def test_a_role_is_filled_by_what_works(shelf: Shelf) -> None:
    """The first by name fills a role; in quarantine it gives way to the next, and is better than nobody."""
    shelf.add("aaa", CODE)
    shelf.add("bbb", CODE)
    settings = shelf.settings(failures=1)
    host = await PluginHost.start(settings, FakeClock(), entry_points=shelf.entry_points())
    names = []
    for _ in range(3):
        slot = host.one("emotion")
        assert slot is not None
        names.append(slot.plugin)
        assert host.works("emotion") is (len(names) < 3)
        await failure(host.call(slot, "appraise", "raise", timeout=DEADLINE))
    assert names == ["aaa", "bbb", "aaa"]
    assert not host.works("emotion")
    await host.close()


async def test_a_closed_host_calls_nobody(start: Start) -> None:
    """After closing, what ran apart is vacant, and a call that was under way is told."""
    acting = await start(trusted=False)
    waiting = asyncio.create_task(acting.do("wait"))
    await acting.happens("STARTED")
    await acting.host.close()
    await acting.happens("ENDED")
    assert await failure(waiting) == "quarantined"
    assert await failure(acting.do("please")) == "vacant"


# Costs


async def test_a_trusted_call_costs_little(start: Start) -> None:
    """A call through the host takes at most 10 µs more than the bare await."""
    acting = await start(trusted=True)
    slot, bare, hosted = acting.slot(), [], []
    for _ in range(20):
        for times, call in (
            (bare, slot.object.appraise),
            (hosted, lambda text: acting.host.call(slot, "appraise", text)),
        ):
            began = time.perf_counter()
            for _ in range(500):
                await call("please")
            times.append((time.perf_counter() - began) / 500)
    assert min(hosted) - min(bare) < 10e-6
