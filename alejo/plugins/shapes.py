"""What the objects of each role must look like, checked when they are registered and when they answer."""

from __future__ import annotations

import asyncio
import functools
import inspect
import math
import re
import typing
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from alejo._core import EVIDENCE
from alejo.completions import ModelEvent, Tuning, TuningEvent
from alejo.roles import Whole
from alejo.types import (
    Appraisal,
    Candidate,
    CommandSpec,
    EmbeddingModel,
    FactDraft,
    Feelings,
    Findings,
    Learned,
    Lived,
    MemoryDraft,
    Percept,
    RecallPlan,
    Verdict,
)

from . import places
from .arguments import check_schema
from .states import Refusal

_MOST = 100  # the greatest weight of a plan
_FACTS = 32  # of one message
_CANDIDATES = 16
_ID = re.compile("[0-9a-f]{32}")
_EVIDENCE = frozenset(EVIDENCE)
_NAME = 64
_STATE = 1 << 20  # bytes that a learner may have kept
_METRICS = 64
_LACKS, _SENTENCE = 16, 300
_AGAIN = 86400.0
# The roles whose objects have a name of their own, and what each may want to be given.
NAMED = {
    "drive": frozenset({"times"}),
    "learner": frozenset({"judged", "pairs"}),
    "reflector": frozenset({"appraisals", "episode", "facts", "meaning", "times"}),
}


class WrongAnswer(Exception):
    """A plugin answered with something else than its role promises; the text says with what, without its content."""


class Method(NamedTuple):
    """A method of a role: how many arguments it takes, what comes back, whether piece by piece, and if it may lack."""

    arguments: int
    returns: Any
    streams: bool = False
    optional: bool = False


ROLES: dict[str, dict[str, Method]] = {
    "brain": {"respond": Method(1, str, streams=True)},
    "command": {"run": Method(2, str)},
    "emotion": {
        "appraise": Method(1, Appraisal),
        "live": Method(1, Lived, optional=True),
        "tell": Method(2, Feelings, optional=True),
    },
    "conscience": {"review": Method(1, Verdict)},
    "vision": {
        "perceive": Method(1, Percept),
        "study": Method(2, Percept, optional=True),
        "caption": Method(2, str, optional=True),
        "close": Method(0, None, optional=True),
    },
    "embedder": {
        "model": Method(0, EmbeddingModel),
        "embed": Method(1, tuple[bytes, ...]),
        "close": Method(0, None, optional=True),
    },
    "language_model": {
        "models": Method(0, tuple[str, ...]),
        "complete": Method(1, ModelEvent, streams=True),
        "upload": Method(2, str, optional=True),
        "tune": Method(1, Tuning, optional=True),
        "tuning": Method(1, Tuning, optional=True),
        "tuning_events": Method(2, tuple[TuningEvent, ...], optional=True),
        "cancel_tuning": Method(1, Tuning, optional=True),
        "close": Method(0, None, optional=True),
    },
    "memory": {
        "keep": Method(1, tuple[MemoryDraft, ...]),
        "complete": Method(1, MemoryDraft),
        "plan": Method(1, RecallPlan),
        "facts": Method(1, tuple[FactDraft, ...], optional=True),
        "complete_fact": Method(1, FactDraft, optional=True),
    },
    "learner": {"learn": Method(1, Learned), "close": Method(0, None, optional=True)},
    "reflector": {"reflect": Method(1, Findings)},
    "drive": {"propose": Method(1, tuple[Candidate, ...])},
    "observer": {
        "message_received": Method(1, None),
        "response_generated": Method(2, None),
        "memory_formed": Method(1, None),
        "session_ended": Method(1, None),
        "broadcast": Method(1, None, optional=True),
        "job_failed": Method(1, None, optional=True),
    },
}


def check_object(role: str, value: object) -> None:
    """Raises Refusal naming the method that is missing or does not have the shape its role wants."""
    for name, wanted in ROLES[role].items():
        method = inspect.getattr_static(value, name, None)
        if method is None and wanted.optional:
            continue
        if method is None:
            raise Refusal(f"Its {role} has no method {name}.", f"See alejo.roles for what a {role} is.")
        _check_method(f"{role}.{name}", getattr(value, name), wanted)
    if role in NAMED:
        _check_named(role, value)


def _check_named(role: str, value: object) -> None:
    name, wants, may = getattr(value, "name", None), getattr(value, "wants", None), NAMED[role]
    if not (isinstance(name, str) and name.isidentifier() and len(name) <= _NAME):
        raise Refusal(f"The {role} name {name!r} is not one word.", 'Give it an attribute name = "a_word".')
    if not (isinstance(wants, (tuple, list)) and set(wants) <= may):
        raise Refusal(f"The {role} {name} wants {wants!r}.", f"Its wants are any of {', '.join(sorted(may))}.")


def check_name(model: object) -> str:
    """The name of a language model's provider. Raises Refusal when it has none."""
    name = getattr(model, "name", None)
    if not isinstance(name, str) or not name or "/" in name:
        raise Refusal(
            "A language model of its has no name.", 'Give it an attribute name = "PROVIDER", without a slash.'
        )
    return name


def check_lacks(value: object) -> tuple[str, ...]:
    """What an object says it lacks, nothing if it says nothing. Raises Refusal when that is no list of sentences."""
    lacks = getattr(value, "lacks", ())
    if not (isinstance(lacks, (tuple, list)) and all(isinstance(each, str) for each in lacks)):
        raise Refusal("What it lacks is no list of sentences.", 'Write lacks = ("It cannot …: COMMAND",).')
    return tuple(each[:_SENTENCE] for each in lacks[:_LACKS])


def check_openers(value: object) -> dict[str, Callable[[str], Any]]:
    """A copy of the openers by URL scheme. Raises Refusal when the value is something else."""
    if not isinstance(value, dict) or not all(isinstance(k, str) and callable(v) for k, v in value.items()):
        raise Refusal("Its alejo_register_storage returned something else than openers by URL scheme.")
    return dict(value)


def check_spec(command: object) -> CommandSpec:
    """A copy of a command's spec. Raises Refusal when it has none, or one with a wrong field."""
    spec = getattr(command, "spec", None)
    hint = "Give it an attribute spec = alejo.types.CommandSpec(name, description)."
    if not isinstance(spec, CommandSpec):
        raise Refusal("A command of its has no spec.", hint)
    try:
        spec = msgspec.msgpack.decode(msgspec.msgpack.encode(spec), type=CommandSpec)
    except (msgspec.ValidationError, TypeError):
        raise Refusal("A command's spec has a field of a wrong type.", hint) from None
    if not spec.name.isidentifier():
        raise Refusal(f"The command name {spec.name!r} is not one word.", hint)
    check_schema(spec)
    return spec


def check_answer(role: str, method: str, value: object, *, trusted: bool) -> Any:
    """The value of a call. Raises WrongAnswer when it is not what the role promises.

    What a plugin that is not trusted returns is rebuilt field by field, so that nothing in it is of another type than
    declared, nor shared with the plugin.
    """
    wanted = ROLES[role][method].returns
    if wanted is None:
        return None
    if wanted is str:
        if type(value) is not str and not (type(value) is Whole and ROLES[role][method].streams):
            raise WrongAnswer(f"{role}.{method} returned {type(value).__name__}, not str")
        return value
    if not trusted:
        return _check_meaning(_copier(role, method)(value))
    if not isinstance(value, _classes(wanted)):
        raise WrongAnswer(f"{role}.{method} returned {type(value).__name__}")
    return _check_meaning(value)


@functools.cache
def _classes(wanted: Any) -> Any:
    """The classes that an answer may be of."""
    return (tuple, list) if typing.get_origin(wanted) is tuple else wanted


def _check_meaning(value: Any) -> Any:
    if isinstance(value, RecallPlan) and not (
        value.recency_half_life > 0
        and value.weights.keys() <= _EVIDENCE
        and all(abs(weight) <= _MOST for weight in value.weights.values())
        and all(abs(about) <= 1 for about in value.speakers.values())
        and not (math.isnan(value.min_coverage) or math.isnan(value.min_similarity))
        and all(0 <= weight <= _MOST for weight in value.kind_weights.values())
    ):
        raise WrongAnswer("memory.plan returned a number without a meaning")
    if isinstance(value, Learned) and not (
        len(value.state) <= _STATE
        and 0 < len(value.outcome) <= _NAME
        and value.weights.keys() <= _EVIDENCE
        and all(abs(weight) <= _MOST for weight in value.weights.values())
        and len(value.metrics) <= _METRICS
        and (value.again is None or 0 <= value.again <= _AGAIN)
    ):
        raise WrongAnswer("learner.learn returned something without a meaning, or too much")
    if isinstance(value, Lived) and not value.impression.sound:
        raise WrongAnswer("emotion.live returned a number without a meaning, or too much")
    if isinstance(value, (tuple, list)) and len(value) > _FACTS and isinstance(value[0], FactDraft):
        raise WrongAnswer(f"memory.facts returned more than {_FACTS} facts")
    if isinstance(value, (tuple, list)) and not _proposable(value):
        raise WrongAnswer("drive.propose returned something without a meaning, or too much")
    for draft in value if isinstance(value, (tuple, list)) else (value,):
        if isinstance(draft, FactDraft) and not _states(draft):
            raise WrongAnswer("a fact of the memory plugin states nothing, or too much")
    return value


def _proposable(value: Sequence[object]) -> bool:
    proposed = [each for each in value if isinstance(each, Candidate)]
    return len(proposed) <= _CANDIDATES and all(
        each.about in {"memory", "message"}
        and _ID.fullmatch(each.reference)
        and 0 <= each.salience <= 1
        and each.why.isidentifier()
        and len(each.why) <= _NAME
        for each in proposed
    )


def _states(draft: FactDraft) -> bool:
    return (
        0 < len(draft.subject.strip()) <= 256
        and 0 < len(draft.relation.strip()) <= 64
        and 0 < len(draft.object.strip()) <= 1024
        and len(draft.text) <= 32_768
        and 0 <= draft.confidence <= 1
        and (draft.valid_from is None or draft.valid_to is None or draft.valid_from < draft.valid_to)
    )


@functools.cache
def _copier(role: str, method: str) -> Callable[[object], Any]:
    encode = msgspec.msgpack.Encoder().encode
    decode = msgspec.msgpack.Decoder(ROLES[role][method].returns).decode

    def copy(value: object) -> Any:
        try:
            return decode(encode(value))
        except (msgspec.ValidationError, TypeError, ValueError, OverflowError):
            # The message would quote what the plugin returned.
            raise WrongAnswer(f"{role}.{method} returned {type(value).__name__} with a wrong field") from None

    return copy


def _check_method(label: str, method: Any, wanted: Method) -> None:
    if not callable(method):
        raise Refusal(f"Its {label} is not a method.")
    is_coroutine = inspect.iscoroutinefunction(method) or asyncio.iscoroutinefunction(method)
    place = places.of_function(method)
    at = f" ({place})" if place else ""
    if wanted.streams and is_coroutine:
        raise Refusal(f"Its {label} is a coroutine function; it must be an async generator{at}.", "Use yield in it.")
    if not wanted.streams and not is_coroutine:
        raise Refusal(
            f"Its {label} is not a coroutine function{at}.", f"Write it as: async def {label.partition('.')[2]}"
        )
    try:
        signature = inspect.signature(method)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*[None] * wanted.arguments)
    except TypeError:
        plural = "argument" if wanted.arguments == 1 else "arguments"
        raise Refusal(
            f"Its {label} takes {signature}, but is called with {wanted.arguments} {plural}{at}.",
            "See alejo.roles for its arguments.",
        ) from None
