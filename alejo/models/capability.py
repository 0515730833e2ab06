"""What models cannot do: who can is asked first, and who cannot is asked without it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from alejo.completions import ModelRequest, Prompt
from alejo.errors import StartupError
from alejo.types import Role

IMAGES, TOOLS, SCHEMAS = "images", "tools", "schemas"
_WORDS = (IMAGES, TOOLS, SCHEMAS)
_UNSEEN = "(A picture came with this, which you cannot see.)"
_SCHEMA = "Answer with nothing but JSON that fits this JSON Schema: {schema}"


def lacking(lines: Sequence[str]) -> dict[str, frozenset[str]]:
    """What models lack, by lines such as "llama3 images tools". Raises StartupError for a line that is none."""
    found = {}
    for line in lines:
        model, *words = line.split() or [""]
        if not words or not set(words) <= set(_WORDS):
            why = f"model.lacks: {line!r} does not say what a model lacks."
            hint = f'Write it as "MODEL WORD…"; the words are {", ".join(_WORDS)}.'
            raise StartupError(why, hint=hint, exit_code=78)
        found[model] = frozenset(words)
    return found


def needed(request: ModelRequest) -> frozenset[str]:
    """What a model must be able to do for a request."""
    wanted = {
        IMAGES: any(prompt.images for prompt in request.prompts),
        TOOLS: bool(request.tools),
        SCHEMAS: request.schema is not None,
    }
    return frozenset(name for name, given in wanted.items() if given)


def without(request: ModelRequest, lacks: Collection[str]) -> ModelRequest:
    """The request as a model can be asked that lacks something.

    Pictures are mentioned, tools are not offered, and a schema is asked for in words.
    """
    prompts = request.prompts
    changes: dict[str, object] = {}
    if IMAGES in lacks:
        prompts = tuple(map(_unseen, prompts))
    if TOOLS in lacks:
        changes["tools"] = ()
    if SCHEMAS in lacks and request.schema is not None:
        wanted = _SCHEMA.format(schema=msgspec.json.encode(request.schema).decode())
        prompts = (Prompt(Role.SYSTEM, wanted), *prompts)
        changes["schema"] = None
    return msgspec.structs.replace(request, prompts=prompts, **changes)


def _unseen(prompt: Prompt) -> Prompt:
    if not prompt.images:
        return prompt
    text = f"{prompt.text}\n{_UNSEEN}" if prompt.text else _UNSEEN
    return msgspec.structs.replace(prompt, text=text, images=())
