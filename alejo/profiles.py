"""What each user prefers: read with their first word, kept while they speak, and seen by every process at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from alejo.clock import Clock, time_zone
from alejo.errors import Conflict, InvalidArgument
from alejo.storage import audit
from alejo.storage.requests import Requests, digest
from alejo.storage.store import Store
from alejo.storage.tables import PREFERENCES
from alejo.types import Preferences, Scope

_KEY = b"\0"
_TRIES = 8
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_MOST_DAYS = 36_500
_TOKENS = (64, 200_000)
_MOST_OTHERS, _LABEL, _LABEL_TEXT = 32, 64, 1024
_NUMBERS: dict[str, Callable[[str], float]] = {"episodic_days": float, "context_tokens": int}
_MODEL = 128
CHANGEABLE = tuple(name for name in Preferences.__struct_fields__ if name != "version")
_FIELDS = frozenset(CHANGEABLE) - {"others"}


class Profiles:
    """The preferences of every user, each reached through a scope."""

    def __init__(self, store: Store, requests: Requests, clock: Clock) -> None:
        self._store = store
        self._requests = requests
        self._clock = clock

    async def get(self, scope: Scope) -> Preferences:
        """What a user prefers; nothing, for one who never said."""
        row = await self._store.get(scope, PREFERENCES, _KEY)
        return Preferences() if row is None else msgspec.structs.replace(row.value, version=row.version)

    async def update(
        self, scope: Scope, changes: Mapping[str, Any], *, version: int = 0, request_id: str = ""
    ) -> Preferences:
        """Changes what a user prefers.

        Raises InvalidArgument naming the field, or Conflict when `version` is given and another is there by now.
        """
        if unknown := sorted(set(changes) - set(CHANGEABLE)):
            raise InvalidArgument.field("update_mask", f"cannot change {', '.join(unknown)}")
        check(changes)
        body = digest(("preferences.update", dict(changes), f"{version:x}"))  # whatever number a client made up
        return await self._change(scope, lambda _: changes, body, version, request_id)

    async def note(self, scope: Scope, said: Mapping[str, str], *, request_id: str = "") -> Preferences:
        """Changes what a user prefers, as they say it: what is no field by its name is one of the `others`.

        An empty text takes a preference back. Raises InvalidArgument naming it.
        """

        def changes(before: Preferences) -> Mapping[str, Any]:
            made: dict[str, Any] = {name: _said(name, text) for name, text in said.items() if name in _FIELDS}
            others = before.others | {name: text for name, text in said.items() if name not in _FIELDS}
            others = {name: text for name, text in others.items() if text}
            _check_others(others)
            check(made)
            return made | {"others": others}

        return await self._change(scope, changes, digest(("preferences.note", dict(said))), 0, request_id)

    async def _change(
        self,
        scope: Scope,
        change: Callable[[Preferences], Mapping[str, Any]],
        body: bytes,
        version: int,
        request_id: str,
    ) -> Preferences:
        for _ in range(_TRIES):
            before = await self.get(scope)
            if await self._requests.find(scope, request_id, "preferences.update", body) is not None:
                return await self.get(scope)
            if version and version != before.version:
                raise Conflict("The preferences were changed since they were read.")
            after = msgspec.structs.replace(before, **change(before), version=0)
            writer = await self._store.writer(scope)
            writer.expect(PREFERENCES, _KEY, before.version or None)
            writer.put(PREFERENCES, _KEY, after)
            self._requests.add(writer, request_id, "preferences.update", body, True)
            audit.record(writer, "preferences.update", "", self._clock.now())
            try:
                return msgspec.structs.replace(after, version=await writer.commit())
            except Conflict:
                continue
        raise Conflict("The preferences are being changed by somebody else; try again.")


def _said(name: str, text: str) -> str | float:
    """The value of a field, as a user says it. Raises InvalidArgument."""
    try:
        return _NUMBERS[name](text or "0") if name in _NUMBERS else text
    except ValueError:
        raise InvalidArgument.field(f"preferences.{name}", "is no number") from None


def _check_others(others: Mapping[str, str]) -> None:
    if len(others) > _MOST_OTHERS:
        raise InvalidArgument.field("preferences.others", f"must have at most {_MOST_OTHERS} labels")
    for name, text in others.items():
        if not 1 <= len(name) <= _LABEL or len(text) > _LABEL_TEXT:
            raise InvalidArgument.field("preferences.others", "may have labels of 1 to 64, texts of 1,024 characters")


def check(changes: Mapping[str, Any]) -> None:
    """Raises InvalidArgument for a value that cannot be meant, naming its field."""
    zone, language = changes.get("time_zone", ""), changes.get("language", "")
    days, tokens = changes.get("episodic_days", 0.0), changes.get("context_tokens", 0)
    if len(changes.get("model", "")) > _MODEL:
        raise InvalidArgument.field("preferences.model", f"must have at most {_MODEL} characters")
    if zone and time_zone(zone) is None:
        raise InvalidArgument.field("preferences.time_zone", "is no time zone of the IANA's database")
    if language and not _LANGUAGE.fullmatch(language):
        raise InvalidArgument.field("preferences.language", "is no language tag such as de or de-AT")
    if not 0 <= days <= _MOST_DAYS:
        raise InvalidArgument.field("preferences.episodic_days", f"must be from 0 to {_MOST_DAYS:,}")
    if tokens and not _TOKENS[0] <= tokens <= _TOKENS[1]:
        raise InvalidArgument.field("preferences.context_tokens", f"must be 0, or {_TOKENS[0]} to {_TOKENS[1]:,}")
