"""What asks for attention in a turn, and what got it. Plugins find these values in `alejo.types`."""

from __future__ import annotations

from typing import Annotated

import msgspec

from alejo.verdicts import Value

Part = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Candidate(Value, frozen=True):
    """Something that asks for attention: which "memory" or "message" it is `about`, by its id, how much, and why.

    `salience` is 0 to 1, `why` a stable word. The host writes the `source`: "appraisal", "percept" (about a "picture":
    the id of its message, "/" and its place there), "memory", or "drive." and the name of the drive.
    """

    about: str
    reference: str
    salience: Part
    why: str
    source: str = ""


class Focus(Value, frozen=True):
    """A candidate after the competition, `turns` after it came in, and its strength by now, 0 to 1.

    `outcome` is "won", or why it did not: "faint", "quota" (its source had its share), "crowded".
    """

    candidate: Candidate
    strength: Part
    outcome: str
    turns: int = 0


class Workspace(Value, frozen=True):
    """What was attended to in a turn: all that asked for it, strongest first.

    `surprise` is how little what was recalled first was expected, 0 to 1, 0 where nothing was expected.
    `missing` says by the name of a drive why nothing is known of what it would have proposed.
    """

    turn_id: str
    foci: tuple[Focus, ...] = ()
    missing: dict[str, str] = {}
    surprise: Part = 0.0

    @property
    def winners(self) -> tuple[Focus, ...]:
        """What got attention, strongest first."""
        return tuple(focus for focus in self.foci if focus.outcome == "won")
