"""What a plugin may count on: the names, hooks, roles and types of ALEJO, as lines of text that can be compared.

VERSION is that of the surface, not of the package. A line that is gone or changed makes a new first number, a line that
is new a new second one.
"""

from __future__ import annotations

import enum
import inspect
import types as kinds
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from alejo import attention, completions, errors, hooks, jobs, moods, outcomes, percepts, roles, types, verdicts

VERSION = "4.2"
_VALUES = (types, attention, moods, percepts, verdicts, jobs, completions, outcomes)


def surface(names: Iterable[str]) -> dict[str, list[str]]:
    """The lines, sorted within each part: the public `names` of the package, hooks, roles, types and errors."""
    return {
        "alejo": sorted(names),
        "hooks": sorted(_method(name, hook) for name, hook in vars(hooks.Specs).items() if name.startswith("alejo_")),
        "roles": sorted(line for one in _classes(roles) for line in _members(one)),
        "types": sorted(line for module in _VALUES for one in _classes(module) for line in _members(one)),
        "errors": sorted(_error(one) for one in _classes(errors) if issubclass(one, errors.AlejoError)),
    }


def _classes(module: kinds.ModuleType) -> Iterator[type]:
    for name, one in vars(module).items():
        if inspect.isclass(one) and one.__module__ == module.__name__ and not name.startswith("_"):
            yield one


def _members(one: type) -> Iterator[str]:
    if issubclass(one, enum.Enum):
        yield from (f"{one.__name__}.{member.name} = {member.value}" for member in one)
        return
    if issubclass(one, msgspec.Struct):
        for field in msgspec.structs.fields(one):
            wanted = one.__annotations__.get(field.name, "")
            yield f"{one.__name__}.{field.name}: {wanted}{_default(field)}"
    for name, member in vars(one).items():
        if inspect.isfunction(member) and not name.startswith("_"):
            yield f"{one.__name__}.{_method(name, member)}"


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return ""
    return " = " + (repr(field.default) if field.default is not msgspec.NODEFAULT else repr(field.default_factory()))


def _method(name: str, function: Any) -> str:
    kind = "async " if inspect.iscoroutinefunction(function) else ""
    return f"{kind}{name}{inspect.signature(function)}".replace("'", "")


def _error(one: type[errors.AlejoError]) -> str:
    return f"{one.__name__}({one.__mro__[1].__name__}): {one.status.name}"
