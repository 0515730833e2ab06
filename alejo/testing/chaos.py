"""A plugin that misbehaves in the way it is told: to see that yours, and the host, go on beside it.

    async with testing.host(alejo_dice, testing.Chaos()) as host:
        with pytest.raises(PluginFailed):
            await host.run("chaos", "hang", timeout=0.1)
        assert await host.run("dice", "1d6")

FAULTS are what a call can do, IMPORTS what a module can do while it is imported. Those that would go on for ever end
after `seconds`, or when `Chaos.release` is called, so that no test leaves a burning thread behind.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Sequence
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Any

from alejo.hooks import hookimpl
from alejo.roles import Brain, Command, EmotionModel, Turn
from alejo.types import Appraisal, CommandSpec

FAULTS = {
    "raise": "raises an error",
    "exit": "raises SystemExit",
    "hang": "waits for ever",
    "stubborn": "waits for ever and ignores its cancellation",
    "block": "blocks its event loop in a call into C",
    "spin": "blocks its event loop in a loop of Python",
    "flood": "writes to stderr without end, or answers without end",
    "leak": "keeps a mebibyte for ever",
    "wrong": "answers with something of another type",
}
_HOOK = "from alejo.hooks import hookimpl\n"
IMPORTS = {
    "import error": "import a_module_that_nobody_has",
    "raises": "raise RuntimeError('not today')",
    "hook typo": f"{_HOOK}@hookimpl\ndef alejo_register_comands(settings): return []\n",
    "no hook": "x = 1",
    "wrong object": f"{_HOOK}@hookimpl\ndef alejo_register_emotion(settings): return object()\n",
    "slow import": "import time\ntime.sleep(600)",
    "endless import": "while True: pass",
    "exit at import": "import os\nos._exit(3)",
    "sys.exit at import": "import sys\nsys.exit(3)",
    "killed at import": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "flood at import": "import sys\nwhile True: sys.stdout.write('x' * 65536)",
}


class Chaos:
    """Offers the command `chaos FAULT`, and with `roles` also a brain or an emotion model that obey "chaos FAULT".

    What else is said to it is answered sensibly. `seconds` is how long a fault lasts at most.
    """

    spec = CommandSpec("chaos", "Misbehaves.", "chaos hang", effects=())

    def __init__(self, *roles: str, seconds: float = 30.0) -> None:
        self._roles = roles or ("command",)
        self._seconds = seconds
        self._released = threading.Event()
        self.kept: list[bytes] = []

    def release(self) -> None:
        """Ends every fault that is under way."""
        self._released.set()

    async def run(self, arguments: str, turn: Turn | None) -> str:
        """Does it."""
        answer: str = await self.unleash(arguments, "Done.")
        return answer

    async def appraise(self, text: str) -> Appraisal:
        """Does what stands after "chaos "."""
        answer: Appraisal = await self.unleash(text.partition("chaos ")[2], Appraisal(0.5, 0.5))
        return answer

    async def respond(self, turn: Turn) -> AsyncIterator[str]:
        """Does what stands after "chaos " after a first piece."""
        fault = turn.message.text.partition("chaos ")[2]
        yield "Well. "
        while fault == "flood":
            yield "And so on. " * 100
        yield await self.unleash(fault, "Done.")

    async def unleash(self, fault: str, answer: Any) -> Any:
        """Does it, and then gives the answer, if there is a then. An unknown fault does nothing."""
        if fault == "raise":
            raise RuntimeError("as you wish")
        if fault == "exit":
            raise SystemExit(3)
        if fault == "hang":
            await asyncio.Event().wait()
        if fault == "block":
            self._released.wait(self._seconds)
        if fault == "leak":
            self.kept.append(os.urandom(1 << 20))
        if fault == "wrong":
            return object()
        end = time.monotonic() + self._seconds
        while fault in {"stubborn", "spin", "flood"} and time.monotonic() < end and not self._released.is_set():
            if fault == "stubborn":
                await _shrug()
            if fault == "flood":
                sys.stderr.write("x" * 4096 + "\n")
        return answer

    @hookimpl
    def alejo_register_commands(self, settings: Any) -> Sequence[Command] | None:
        """Itself, if it shall be a command."""
        return [self] if "command" in self._roles else None

    @hookimpl
    def alejo_register_emotion(self, settings: Any) -> EmotionModel | None:
        """Itself, if it shall feel."""
        return self if "emotion" in self._roles else None

    @hookimpl
    def alejo_register_brain(self, settings: Any) -> Brain | None:
        """Itself, if it shall answer."""
        return self if "brain" in self._roles else None


async def _shrug() -> None:
    try:
        await asyncio.sleep(0.01)
    except asyncio.CancelledError:
        return


def install(
    folder: Path, name: str, code: str, *, entry_point: str = "", requires: str = "alejo", version: str = "1.0"
) -> PathDistribution:
    """Writes a distribution of one module into a folder that Python imports from, as pip would; returns it.

    `code` may be one of IMPORTS. It is replaced if it is there.
    """
    module = name.replace("-", "_")
    info = folder / f"{module}-{version}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(code)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: {requires}\n"
    (info / "METADATA").write_text(metadata)
    (info / "entry_points.txt").write_text(f"[alejo]\n{entry_point or name} = {module}\n")
    (info / "RECORD").write_text(f"{module}.py,sha256={hashlib.sha256(code.encode()).hexdigest()},{len(code)}\n")
    return PathDistribution(info)
