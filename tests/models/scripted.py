"""A provider that does what it is told, and a brain that passes on what a model says: plugins like any other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from alejo.completions import ModelEnd, ModelEvent, ModelRequest, Prompt
from alejo.errors import ModelFailed
from alejo.hooks import hookimpl
from alejo.roles import Brain, LanguageModel, Turn
from alejo.types import Role

Step = str | ModelEvent | ModelFailed | float | Callable[[ModelRequest], str]


class Scripted:
    """Answers each request by the next script of its model; a script is what it says, raises, or waits for."""

    def __init__(self, name: str = "openai", **scripts: Sequence[Sequence[Step]]) -> None:
        self.name = name
        self.requests: list[ModelRequest] = []
        self._scripts = {model: list(each) for model, each in scripts.items()}

    async def models(self) -> Sequence[str]:
        return list(self._scripts)

    async def complete(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        self.requests.append(request)
        scripts = self._scripts[request.model]
        for step in scripts.pop(0) if len(scripts) > 1 else scripts[0]:
            if isinstance(step, ModelFailed):
                raise step
            if isinstance(step, ModelEvent):
                yield step
                return
            if isinstance(step, float):
                await asyncio.sleep(step)
                continue
            yield ModelEvent(text=step(request) if callable(step) else step)
        yield ModelEvent(end=ModelEnd(f"{request.model}-2026", "stop", 100, 10))

    @hookimpl
    def alejo_register_language_models(self) -> Sequence[LanguageModel]:
        return [self]


class Passing:
    """A brain that says what the model says, and why none does."""

    async def respond(self, turn: Turn) -> AsyncIterator[str]:
        if turn.models is None:
            yield "There is none."
            return
        request = ModelRequest((Prompt(Role.USER, turn.message.text),))
        try:
            async for event in turn.models.complete(request):
                if event.text:
                    yield event.text
        except ModelFailed as failure:
            yield f"({failure.why})"

    @hookimpl
    def alejo_register_brain(self, settings: Any) -> Brain:
        return self
