"""Completions that need not be asked for again: the same request of the same user to the same model, word for word.

A key holds all that an answer depends on. Kept is what ended by itself and calls no tool. What one asks for while
another asks for it too is asked once; whoever waits is told all of it when it is whole. Forgetting, and erasing a user,
take their completions out of every tier, and what began before that is not kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from alejo import __version__
from alejo.cache import Cache, Vault
from alejo.completions import Endpoint, ModelEvent, ModelRequest
from alejo.errors import StartupError
from alejo.settings import Settings
from alejo.storage.requests import digest
from alejo.types import Scope

NEVER, DETERMINISTIC, ALWAYS = "never", "deterministic", "always"
_MODES = (NEVER, DETERMINISTIC, ALWAYS)
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(tuple[ModelEvent, ...])
_Events = tuple[ModelEvent, ...]


class _Flight:
    """A completion that is being asked for, for a generation of its user."""

    def __init__(self, since: int) -> None:
        self.since = since
        self.whole: asyncio.Future[_Events | None] = asyncio.get_running_loop().create_future()


class Answers:
    """The completions of all users. `mode` says of which requests: never, deterministic (at temperature 0), always."""

    def __init__(self, cache: Cache, mode: str, endpoints: Mapping[str, Endpoint]) -> None:
        self._cache = cache
        self._space = cache["completions"]
        self._mode = mode
        self._endpoints = endpoints
        self._flights: dict[str, _Flight] = {}

    @classmethod
    def of(cls, settings: Settings, cache: Cache) -> Answers:
        """As it is set. Raises StartupError for a mode that is none."""
        mode = settings["model.cache"]
        if mode not in _MODES:
            why = f"model.cache must be {', '.join(_MODES[:-1])} or {_MODES[-1]}, not {mode}."
            raise StartupError(why, hint="alejo config show", exit_code=78)
        return cls(cache, mode, settings.endpoints)

    async def seat(self, scope: Scope, provider: str, model: str, request: ModelRequest) -> Seat | None:
        """Where the completion of a request is found or kept; None for one that is always asked for anew."""
        if not model or self._mode == NEVER or (self._mode == DETERMINISTIC and request.temperature != 0):
            return None
        vault = await self._cache.vaults.vault(scope)
        if vault is None:
            return None
        asked = msgspec.structs.replace(request, model=model, seconds=0.0, id="")
        place = self._endpoints.get(provider, Endpoint()).url
        return Seat(self, vault, digest((__version__, provider, place, asked)).hex())

    def find(self, vault: Vault, key: str) -> tuple[_Events | None, int]:
        """A completion that was kept, and what keeping one is to be told."""
        value, since = self._space.find(vault, key)
        return None if value is None else _DECODER.decode(value), since

    def flight(self, name: str, since: int) -> _Flight | None:
        """Who asks for a completion now; None for whoever is the first to."""
        flight = self._flights.get(name)
        return flight if flight is not None and flight.since == since else None

    def begin(self, name: str, since: int) -> _Flight:
        """Notes that it is being asked for."""
        flight = self._flights[name] = _Flight(since)
        return flight

    def end(self, name: str, flight: _Flight, events: _Events | None) -> None:
        """Tells those who wait what came of it: the completion, or None, and then one of them asks."""
        if self._flights.get(name) is flight:
            del self._flights[name]
        flight.whole.set_result(events)

    def keep(self, vault: Vault, key: str, events: _Events, since: int) -> None:
        """Keeps a completion."""
        self._space.keep(vault, key, _ENCODER.encode(events), since)


class Seat:
    """One request's place: look whether it was answered, else hand it the events of the answer, and leave it."""

    def __init__(self, answers: Answers, vault: Vault, key: str) -> None:
        self._answers = answers
        self._vault = vault
        self._key = key
        self._name = vault.name + key
        self._events: list[ModelEvent] = []
        self._flight: _Flight | None = None

    async def found(self, seconds: float) -> Sequence[ModelEvent] | None:
        """The events of a completion that was kept, or that another asks for and has within so many seconds.

        With None it is to be asked for.
        """
        try:
            async with asyncio.timeout(seconds):
                while True:
                    events, since = self._answers.find(self._vault, self._key)
                    flight = None if events is not None else self._answers.flight(self._name, since)
                    if flight is None:
                        break
                    events = await asyncio.shield(flight.whole)
                    if events is not None:
                        break
        except TimeoutError:
            return None
        if events is None:
            self._flight = self._answers.begin(self._name, since)
        return events

    def add(self, event: ModelEvent) -> None:
        """Takes an event of the answer."""
        self._events.append(event)

    def leave(self) -> None:
        """Keeps the answer if it is one to keep, and lets those know who wait."""
        flight, self._flight = self._flight, None
        if flight is None:
            return
        events = tuple(map(_free, self._events)) if _sound(self._events) else None
        if events is not None:
            self._answers.keep(self._vault, self._key, events, flight.since)
        self._answers.end(self._name, flight, events)


def _sound(events: Sequence[ModelEvent]) -> bool:
    """Whether an answer ended by itself and asks for nothing to be done."""
    end = events[-1].end if events else None
    return end is not None and end.reason == "stop" and all(event.call is None for event in events)


def _free(event: ModelEvent) -> ModelEvent:
    """An event as it is told again: it uses no tokens."""
    if event.end is None:
        return event
    end = msgspec.structs.replace(event.end, input_tokens=0, output_tokens=0, cached_tokens=0)
    return msgspec.structs.replace(event, end=end)
