"""What an author tests a plugin with is itself tested."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from alejo import testing
from alejo.errors import NotFound, PluginFailed
from alejo.testing.chaos import FAULTS, IMPORTS, install
from alejo.types import Appraisal, MemoryDraft, PluginState


@pytest.mark.parametrize("fault", FAULTS)
async def test_chaos_does_as_told_and_harms_nobody_else(fault: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Each fault of one plugin fails that call or nothing; another plugin beside it answers meanwhile."""
    chaos, good = testing.Chaos("command", "emotion", seconds=5), Good()
    async with testing.host(chaos, good) as host:
        failing = asyncio.create_task(host.call("emotion", "appraise", f"chaos {fault}", plugin="chaos", timeout=0.2))
        assert await host.run("good") == "good"
        if fault == "leak":
            assert await failing == Appraisal(0.5, 0.5)
            assert len(chaos.kept[0]) == 1 << 20
        else:
            with pytest.raises(PluginFailed):
                await failing
        chaos.release()
        assert host.status("good").failures == 0
        assert await host.run("good") == "good"


class Good:
    """A plugin as a class; its command says so."""

    spec = testing.Chaos.spec.__class__("good", "Is good.")

    async def run(self, arguments: str, turn: object) -> str:
        return "good"

    from alejo.hooks import hookimpl  # noqa: PLC0415  a class body is a namespace too

    @hookimpl
    def alejo_register_commands(self, settings: object) -> list[object]:
        return [self]


async def test_chaos_as_a_brain_floods_no_memory() -> None:
    """A stream without end stays a few pieces ahead of its reader."""
    async with testing.host(testing.Chaos("brain")) as host:
        pieces = host.stream("brain", "respond", testing.turn("chaos flood"))
        assert await anext(pieces) == "Well. "
        assert await anext(pieces) == await anext(pieces)
        await pieces.aclose()


async def test_a_rejected_plugin_says_why() -> None:
    """A plugin that cannot be loaded is there with its reason; a role that nobody fills is not found."""
    async with testing.host(object()) as host:
        assert (host.status().state, host.status().reason) == (PluginState.REJECTED, "It implements no hook.")
        with pytest.raises(NotFound):
            await host.call("brain", "respond")
        with pytest.raises(NotFound):
            host.status("none")


async def test_time_stands_still_until_it_is_moved(alejo_clock: testing.FakeClock) -> None:
    """A quarantine ends when the test says that it has rested."""
    options = {"plugins__failures": 1, "plugins__rest_seconds": 60.0}
    async with testing.host(testing.Chaos("emotion"), clock=alejo_clock, **options) as host:
        with pytest.raises(PluginFailed, match="failed"):
            await host.call("emotion", "appraise", "chaos raise")
        with pytest.raises(PluginFailed, match="quarantined"):
            await host.call("emotion", "appraise", "Hello")
        alejo_clock.advance(61)
        assert await host.call("emotion", "appraise", "Hello") == Appraisal(0.5, 0.5)
        assert (await host.until(lambda status: status.state is not PluginState.QUARANTINED)).failures == 1


async def test_an_assistant_is_whole() -> None:
    """It talks, runs commands, remembers and recalls, and leaves nothing behind."""
    async with testing.assistant(Good) as assistant:
        assert (await assistant.chat("good morning")).message.text == "good"
        assert (await assistant.chat("Hello")).message.text == "Hello"
        await assistant.remember("The key is under the mat.")
        assert (await assistant.recall("key"))[0].memory.text == "The key is under the mat."
        folder = assistant.folder.path
    assert not folder.exists()


async def test_a_desk_keeps_a_list(alejo_desk: testing.ListDesk, alejo_turn: object) -> None:
    """What is remembered is recalled, listed, in the context, and gone when forgotten; commands run."""
    desk = alejo_desk
    desk.offered = [Good()]
    kept = await desk.remember(MemoryDraft("The key is under the mat."))
    desk.add("Luna is a dog.")
    assert [hit.memory for hit in await desk.recall("where is the key")] == [kept]
    assert "under the mat" in (await desk.context()).text
    assert len((await desk.context(8)).items) == 1
    assert [memory.text for memory in await desk.memories(1)] == [kept.text]
    assert await desk.run("good", "x") == "good"
    assert desk.ran == [("good", "x")]
    assert await desk.forget([kept.id]) == 1
    assert await desk.recall("key") == []
    with pytest.raises(NotFound):
        await desk.run("none", "")


@pytest.mark.parametrize("fault", ["hook typo", "wrong object", "no hook"])
async def test_imports_are_distributions(fault: str, tmp_path: Path) -> None:
    """What `install` writes is found as an installed distribution with its entry point."""
    dist = install(tmp_path, "bad-one", IMPORTS[fault])
    (point,) = dist.entry_points
    assert (point.name, point.value, point.group, dist.name) == ("bad-one", "bad_one", "alejo", "bad-one")


def test_fixtures_are_found_and_cheap(tmp_path: Path) -> None:
    """pytest finds the fixtures without a conftest, and a run that uses none imports no server."""
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_cheap():\n    assert 'alejo.app' not in sys.modules and 'grpc' not in sys.modules\n"
        "def test_found(alejo_host, alejo_assistant, alejo_clock, alejo_desk, alejo_turn):\n"
        "    assert alejo_turn('Hello').message.text == 'Hello'\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
