"""Tries a plugin out in a process of its own: loads it in a host, calls every method, cancels it.

Prints one line of JSON for every finding. What the plugin prints itself is left aside by whoever reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import sys
import time
import zlib
from collections.abc import AsyncIterator, Sequence
from importlib import import_module
from importlib.metadata import EntryPoint
from typing import Any

from alejo.clock import SystemClock
from alejo.errors import InvalidArgument, PluginFailed
from alejo.jobs import Job
from alejo.plugins import Candidate, PluginHost, Slot, check_arguments, places
from alejo.plugins.shapes import ROLES
from alejo.roles import Situation, Work
from alejo.settings import read
from alejo.types import (
    FactDraft,
    Image,
    MemoryDraft,
    PluginState,
    PluginStatus,
    Role,
    Said,
    Scope,
    Session,
    SessionState,
    Workspace,
)
from alejo.verdicts import Matter

from .desk import NOW, lesson, message, turn
from .least import least

CALL_SECONDS = 5.0
CANCEL_SECONDS = 1.0
AT_ONCE = 8


def tell(level: str, check: str, text: str, fix: str = "", file: str = "") -> None:
    """Prints one finding."""
    from .check import MARK  # noqa: PLC0415  the one that starts us knows us too

    print(MARK + json.dumps({"level": level, "check": check, "text": text, "fix": fix, "file": file}), flush=True)  # noqa: T201


def samples(role: str, method: str) -> Sequence[Any]:
    """Arguments that a host might give to a method of a role."""
    said = message("I am glad that Luna likes the garden.")
    session = Session("s1", SessionState.COMPLETED, NOW, NOW)
    by_method: dict[str, Sequence[Any]] = {
        "respond": (turn(said.text),),
        "run": ("", turn("")),
        "appraise": (said.text,),
        "perceive": (Image(picture()),),
        "model": (),
        "embed": ((said.text, said.text),),
        "keep": (said,),
        "complete": (MemoryDraft(said.text),),
        "facts": (said,),
        "complete_fact": (FactDraft("user", "likes", "the garden"),),
        "reflect": (Work(session, (Said(said, ("m1",)),)),),
        "plan": ("Who likes the garden?",),
        "learn": (lesson(),),
        "message_received": (said,),
        "response_generated": (said, said),
        "session_ended": (session,),
        "broadcast": (Workspace("t1"),),
        "propose": (_situation(session, said.text),),
        "job_failed": (Job("j1", Scope("local", "me"), session.id, "reflection", 1, 2, NOW, NOW),),
        "review": (Matter("request", said.text),),
        "close": (),
    }
    if method == "memory_formed":
        from .desk import ListDesk  # noqa: PLC0415

        return (ListDesk().add(said.text),)
    return by_method[method]


def _situation(session: Session, text: str) -> Situation:
    question, answer = message(text, id=f"{1:032x}"), message("I am too.", id=f"{2:032x}", role=Role.ASSISTANT)
    return Situation(session, question, answer, (), (), None, NOW)


def picture() -> bytes:
    """A PNG of 8 by 8 grey points."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + b"\x80" * 8 for _ in range(8)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def main() -> None:
    """Takes one JSON argument: path, name, value, distribution, version, import_seconds."""
    task = json.loads(sys.argv[1])
    sys.path[:] = task["path"]
    point = EntryPoint(task["name"], task["value"], "alejo")
    _import(point.module, task["import_seconds"])
    asyncio.run(_try_out(Candidate(point, task["name"], task["distribution"], task["version"], False)))


def _import(module: str, most: float) -> None:
    before, began = set(sys.modules), time.perf_counter()
    import_module(module)
    seconds = time.perf_counter() - began
    if seconds <= most:
        tell("ok", "import", f"Its import takes {seconds * 1000:.0f} ms.")
        return
    others = {name.partition(".")[0] for name in set(sys.modules) - before} - {module.partition(".")[0]}
    brought = sorted(name for name in others if not name.startswith("_") and name not in sys.stdlib_module_names)
    text = f"Its import takes {seconds:.2f} s, more than {most:g} s."
    fix = (
        f"Import in the functions that need it: {', '.join(brought)}." if brought else "Do the work at the first call."
    )
    tell("fail", "import", text, fix)


async def _try_out(candidate: Candidate) -> None:
    settings = read(overrides={"plugins.call_seconds": CALL_SECONDS})
    host = await PluginHost.start(settings, SystemClock(), entry_points=(), given=[candidate])
    (status,) = host.statuses()
    if status.state is PluginState.REJECTED:
        tell(
            "fail",
            "settings" if "setting" in status.reason or ".toml" in status.reason else "hooks",
            status.reason,
            status.hint,
        )
        return
    tell("ok", "hooks", f"It fills {', '.join(status.roles)}.")
    if declared := host.settings():
        bare = [one.option.name for one in declared if not one.option.help]
        if bare:
            fix = 'Write Annotated[…, msgspec.Meta(description="…")].'
            tell("fail", "settings", f"{', '.join(bare)} has no description.", fix)
        names = [one.option.name for one in declared]
        tell("ok", "settings", f"It declares {', '.join(names)}.", ",".join(names))
    for role in dict.fromkeys(status.roles):
        for slot in host.every(role):
            await _try_slot(host, slot)
    await host.close()


async def _try_slot(host: PluginHost, slot: Slot) -> None:
    if slot.role == "storage":
        tell("ok", "storage", "Run alejo.testing.checks over it in its own tests; this does not open it.")
        return
    if slot.role == "language_model":
        tell("ok", slot.role, "It asks a provider, which may cost something, so it was not called.")
        return
    label = f"command {slot.spec.name}" if slot.spec else slot.role
    if slot.spec is not None and "world" in slot.spec.effects:
        tell("ok", label, "It acts on the world, as it says, so it was not called.")
        return
    for method, shape in ROLES[slot.role].items():
        if shape.optional and not hasattr(slot.object, method):
            continue
        try:
            _given(slot, method)
        except (InvalidArgument, LookupError):
            tell("ok", label, "Nothing that fits its schema is known here, so it was not called.")
            continue
        if await _call(host, slot, method, f"{label}.{method}"):
            await _cancel(slot, method, f"{label}.{method}")


def _given(slot: Slot, method: str) -> Sequence[Any]:
    """Arguments of a call: for a command those that its schema wants. Raises InvalidArgument if they are not found."""
    arguments = samples(slot.role, method)
    if slot.spec is None or not slot.spec.schema:
        return arguments
    return check_arguments(slot.spec, json.dumps(least(json.loads(slot.spec.schema)))), *arguments[1:]


async def _call(host: PluginHost, slot: Slot, method: str, label: str) -> bool:
    """Several calls at once within the deadline, on a loop of the plugin's own, as a server would run them."""
    blocked: list[PluginStatus] = []
    host.on_change(lambda: blocked.extend(one for one in host.statuses() if one.stall_seconds))
    began = time.perf_counter()
    ends = await asyncio.gather(*(_one(host, slot, method) for _ in range(AT_ONCE)), return_exceptions=True)
    seconds = time.perf_counter() - began
    (status,) = host.statuses()
    code = places.of_function(getattr(slot.object, method))
    if blocked or status.stall_seconds:
        reason = next((one.reason for one in blocked if " at " in one.reason), status.reason)
        place = reason.partition(" at ")[2].partition(";")[0].rstrip(".") or code
        fix = "Await what waits; hand what computes to asyncio.to_thread."
        tell("fail", "deadline", f"{label} blocks its event loop ({place}).", fix)
        return False
    bad = [end for end in ends if isinstance(end, PluginFailed)]
    if bad and bad[0].why == "timeout":
        fix = f"A call may take plugins.call_seconds, {CALL_SECONDS:g} s unless set; end it sooner."
        tell("fail", "deadline", f"{label} does not answer within {CALL_SECONDS:g} s ({code}).", fix)
        return True
    if bad:
        place = status.reason.partition("failed: ")[2].rpartition(": ")[2] or status.reason
        where = f" ({place.partition(' at ')[2].rstrip('.')})" if " at " in place else f" ({code})"
        tell("fail", label, f"It failed: {place.partition(' at ')[0].rstrip('.')}{where}.", "See alejo.roles.")
        return False
    tell("ok", "deadline", f"{label}: {AT_ONCE} calls at once in {seconds * 1000:.0f} ms.")
    return True


async def _one(host: PluginHost, slot: Slot, method: str) -> None:
    arguments = _given(slot, method)
    with contextlib.suppress(InvalidArgument):  # it may refuse our sample
        if ROLES[slot.role][method].streams:
            async for _ in host.stream(slot, method, *arguments):
                pass
        else:
            await host.call(slot, method, *arguments)


async def _cancel(slot: Slot, method: str, label: str) -> None:
    made = getattr(slot.object, method)(*_given(slot, method))
    task = asyncio.ensure_future(_drain(made) if ROLES[slot.role][method].streams else made)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=CANCEL_SECONDS)
    if not task.done():
        stack = task.get_stack()
        place = places.of_frame(stack[-1] if stack else None, type(slot.object).__module__.partition(".")[0])
        fix = "Let asyncio.CancelledError pass: catch it only to clean up, and raise it again."
        tell("fail", "cancellation", f"{label} goes on after it was cancelled ({place}).", fix)
        return
    with contextlib.suppress(BaseException):
        task.result()
    tell("ok", "cancellation", f"{label} ends when it is cancelled.")


async def _drain(pieces: AsyncIterator[Any]) -> None:
    async for _ in pieces:
        pass
