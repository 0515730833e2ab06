"""What a conscience judges and how it rules. Plugins find these values in `alejo.types`."""

from __future__ import annotations

import enum

import msgspec


class Value(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The base of every value. Encoded as an array: fields are only ever added at the end, each with a default."""


class Ruling(enum.StrEnum):
    """What is to become of what was judged."""

    ALLOW = "allow"
    TRANSFORM = "transform"  # goes on in other words
    ASK = "ask"  # goes on once the user confirms
    SUPPORT = "support"  # is answered with help
    REFUSE = "refuse"


class Matter(Value, frozen=True):
    """What is to be judged: a "request" of the user, a "command" before it runs, or an "answer" before it is given.

    `origin` is who it comes from: "user", "model", or "memory" and "image" for what was stored or seen. Of a command
    there are its name and effects. `pending` is what the user was asked to confirm just before; `confirmed`, that they
    did. `language`, a tag of BCP 47, is what the user prefers, `zone` the IANA's name of the time zone they are in.

    `destination` is where it goes: to the "user", who keeps what is theirs; to a language model, "local" on this
    machine or "remote"; or into the "world", by a command that acts outside or a file for others. "" is anywhere.
    """

    about: str
    text: str
    origin: str = "user"
    command: str = ""
    effects: tuple[str, ...] = ()
    pending: str = ""
    confirmed: bool = False
    language: str = ""
    zone: str = ""
    destination: str = ""


class Verdict(Value, frozen=True):
    """A ruling, by which rule and why. `severity` is 0 to 1; `text` is what stands in the place of what was judged.

    `words` are those that weighed most, where it was words.
    """

    ruling: Ruling = Ruling.ALLOW
    rule: str = ""
    category: str = ""
    reason: str = ""
    severity: float = 0.0
    text: str = ""
    words: tuple[str, ...] = ()


class Replacement(Value, frozen=True):
    """What stands in the place of all of an answer that was given so far."""

    text: str
