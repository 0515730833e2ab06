"""Other plans than the one that ships: ALEJO without one of its evidence, or with one alone.

A plan is a memory plugin's judgement, so it is changed where it is made: in a plugin that asks the shipped one.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from alejo.hooks import hookimpl
from alejo.plugins import Candidate
from alejo.settings import Settings, read
from alejo.testing.hosting import candidate
from alejo.types import Message, RecallPlan

_OF_VECTORS = ("dense", "pieces")  # how the names of such evidence begin
_PATIENCE = 120.0  # seconds, for what a plugin beside the built-in ones does

Change = Callable[[RecallPlan], RecallPlan]


class Reweighed:
    """The shipped memory plugin but for its plans."""

    def __init__(self, change: Change) -> None:
        self._shipped = _shipped()
        self._change = change

    @hookimpl
    def alejo_register_memory(self, settings: dict[str, Any]) -> Reweighed:
        """Itself."""
        return self

    async def keep(self, message: Message) -> Any:
        """As it ships."""
        return await self._shipped.keep(message)

    async def complete(self, draft: Any) -> Any:
        """As it ships."""
        return await self._shipped.complete(draft)

    async def plan(self, query: str) -> RecallPlan:
        """The changed plan."""
        return self._change(await self._shipped.plan(query))


def settings(folder: Path, change: Change | None = None, *given: object) -> tuple[Settings, list[Candidate]]:
    """What to open an assistant with over a folder, as it ships or with changed plans, beside other plugins."""
    overrides: dict[str, Any] = {"data.path": str(folder / "data"), "data.key_file": str(folder / "key")}
    overrides["reflection.workers"] = 0  # what is made of the messages would come and go while they are measured
    plugins = list(given)
    if change is not None:
        overrides["plugins.disabled"] = ["memory"]
        plugins.append(Reweighed(change))
    if given:
        overrides["plugins.call_seconds"] = _PATIENCE
    return read({"HOME": str(folder)}, overrides), [candidate(each, trusted=True) for each in plugins]


def evidence() -> list[str]:
    """What the shipped plan weighs, by name."""
    return list(asyncio.run(_shipped().plan("")).weights)


def lexical(plan: RecallPlan) -> RecallPlan:
    """A plan that knows no vectors."""
    without = {name: 0.0 for name in plan.weights if name.startswith(_OF_VECTORS)}
    return msgspec.structs.replace(_weighing(plan, without), min_similarity=1.0)


def dense(plan: RecallPlan) -> RecallPlan:
    """A plan that knows nothing but what a memory means, however far that is."""
    alone = {name: float(name == "dense") for name in plan.weights}
    return msgspec.structs.replace(_weighing(plan, alone), min_similarity=-1.0, kind_weights={})


def ablations() -> dict[str, Change]:
    """For each evidence the change of a plan that leaves it out."""
    return {name: _without(name) for name in evidence()}


def _without(name: str) -> Change:
    return lambda plan: _weighing(plan, {name: 0.0})


def _weighing(plan: RecallPlan, weights: dict[str, float]) -> RecallPlan:
    return msgspec.structs.replace(plan, weights=plan.weights | weights)


def _shipped() -> Any:
    return importlib.import_module("alejo_memory").Judgement()
