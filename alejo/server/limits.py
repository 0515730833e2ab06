"""How much the gate lets in: the settings `limits.*` as values."""

from __future__ import annotations

import msgspec

from alejo.settings import Settings


class Limits(msgspec.Struct, frozen=True):
    """The limits of one gate; each is told at its setting, `limits.NAME`."""

    calls: int
    calls_per_address: int
    calls_per_key: int
    turns_per_key: int
    streams_per_key: int
    requests_per_second: float
    burst: int
    items_per_second: float
    items_burst: int
    table: str
    first_message_seconds: float
    unary_seconds: float
    stream_seconds: float
    queue_seconds: float

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits that are set."""
        return cls(**{name: settings[f"limits.{name}"] for name in cls.__struct_fields__})
