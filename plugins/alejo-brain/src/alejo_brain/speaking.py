"""Answers with a language model, and without one when none answers: then the answer says nothing of its own of why.

A command that is spoken as one is run without a model, in any case. A model is given what is remembered as quotations,
and may call what only reads; what writes, or acts in the world, the user says themselves.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import msgspec

from alejo.completions import ModelRequest, Prompt, ToolCall, ToolSpec
from alejo.errors import InvalidArgument, ModelFailed, NotFound, PluginFailed
from alejo.roles import Models, Turn
from alejo.types import CommandSpec, Context, Memory, Role

from .hearing import hear
from .mind import Mind
from .prompting import INSTRUCTIONS, words

ROUNDS = 4  # of a model that calls tools, the last of them without any
CUT = " … (The answer broke off here.)"
_OFFERED = frozenset({"reads"})
_FITTINGS = 4  # of the notes into what a model may be sent
_LESS = 0.9
_TOO_LONG = "This is too long to be told."
_WAYS = 8  # instructions of the user's
_WRONG = 'The arguments must be a JSON object such as {"arguments": "words"}.'
_WORDS = {
    "type": "object",
    "properties": {"arguments": {"type": "string", "description": "The words after the command's name."}},
    "required": ["arguments"],
    "additionalProperties": False,
}


class _Arguments(msgspec.Struct, forbid_unknown_fields=True):
    """What a model gives a command that has no schema: the words after its name."""

    arguments: str = ""


class Voice:
    """The brain that is registered: a model where one is configured, else the mind that needs none."""

    def __init__(self) -> None:
        self._mind = Mind()

    async def respond(self, turn: Turn) -> AsyncIterator[str]:
        """The answer, piece by piece."""
        models = turn.models
        said = False
        if models is not None and await hear(turn) is None:
            try:
                async for piece in _speak(turn, models):
                    said = True
                    yield piece
            except ModelFailed:
                if said:
                    yield CUT
            if said:
                return
        async for piece in self._mind.respond(turn):
            yield piece


async def _speak(turn: Turn, models: Models) -> AsyncIterator[str]:
    """What the model says, and what it says of what its tools found. Raises ModelFailed."""
    tools = tuple(map(_tool, filter(_may, turn.commands)))
    if await models.spare(ModelRequest(tuple(_told(turn, Context())), tools=tools)) < 0:
        tools = ()
    prompts = await _prompts(turn, models, tools)
    for place in range(ROUNDS):
        offered = tools if place < ROUNDS - 1 else ()
        calls: list[ToolCall] = []
        text: list[str] = []
        request = ModelRequest(tuple(prompts), tools=offered)
        async with aclosing(models.complete(request)) as events:  # type: ignore[type-var]  # it is a generator
            async for event in events:
                if event.text:
                    text.append(event.text)
                    yield event.text
                if event.call is not None:
                    calls.append(event.call)
        if not calls:
            return
        prompts.append(Prompt(Role.ASSISTANT, "".join(text), calls=tuple(calls)))
        for each in calls:
            prompts.append(Prompt(Role.TOOL, await _run(turn, each), call_id=each.id))
            if await models.spare(ModelRequest(tuple(prompts), tools=tools)) < 0:
                prompts[-1] = Prompt(Role.TOOL, _TOO_LONG, call_id=each.id)
        if text and not text[-1][-1:].isspace():
            yield " "


async def _prompts(turn: Turn, models: Models, tools: tuple[ToolSpec, ...]) -> list[Prompt]:
    """What a model is told first, with as much of what is remembered as it may be sent."""

    async def spare(context: Context) -> int:
        return await models.spare(ModelRequest(tuple(_told(turn, context, ways)), tools=tools))

    ways = await turn.desk.ways(_WAYS)
    context = await turn.desk.context()
    without = await spare(Context())
    for _ in range(_FITTINGS):
        left = await spare(context)
        if left >= 0 or not context.items:
            return _told(turn, context, ways)
        # What the notes may take for what they do take, and a little less.
        tokens = int(_LESS * context.tokens * max(without, 0) / (without - left))
        context = await turn.desk.context(tokens) if tokens else Context()
    return _told(turn, Context())


def _told(turn: Turn, context: Context, ways: Sequence[Memory] = ()) -> list[Prompt]:
    said = Prompt(Role.USER, words(turn, context, ways), turn.message.images)
    return [Prompt(Role.SYSTEM, INSTRUCTIONS), said]


def _may(spec: CommandSpec) -> bool:
    return _OFFERED.issuperset(spec.effects)


def _tool(spec: CommandSpec) -> ToolSpec:
    usage = f" Said as: {spec.usage}." if spec.usage else ""
    schema = msgspec.json.decode(spec.schema) if spec.schema else _WORDS
    return ToolSpec(spec.name, f"{spec.description}{usage}", schema)


async def _run(turn: Turn, wanted: ToolCall) -> str:
    """What a command says, or what is wrong with the call: the model may then make it better."""
    offered = {spec.name: spec for spec in filter(_may, turn.commands)}
    if wanted.name not in offered:
        return f"There is no tool {wanted.name}. There are: {', '.join(sorted(offered))}."
    arguments = wanted.arguments
    if not offered[wanted.name].schema:
        try:
            arguments = msgspec.json.decode(arguments or "{}", type=_Arguments).arguments
        except msgspec.DecodeError:
            return _WRONG
    try:
        return await turn.desk.run(wanted.name, arguments)
    except InvalidArgument as refusal:
        return refusal.message
    except (NotFound, PluginFailed):
        return f"{wanted.name} could not be run at the moment."
