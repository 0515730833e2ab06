"""A conscience that judges nothing but what pictures say."""

from __future__ import annotations

from typing import Any

from alejo.hooks import hookimpl
from alejo.types import Matter, Ruling, Verdict


class Withholding:
    """Refuses a picture that gives orders, and takes a number out of one that has it."""

    async def review(self, matter: Matter) -> Verdict:
        """The verdict on a picture's words."""
        if matter.origin != "image":
            return Verdict()
        if "ignore" in matter.text:
            return Verdict(Ruling.REFUSE, "orders", "injection", "It gives orders.", 0.8)
        if "4711" in matter.text:
            return Verdict(Ruling.TRANSFORM, "numbers", "secrets", text=matter.text.replace("4711", "[number]"))
        return Verdict()


@hookimpl
def alejo_register_conscience(settings: Any) -> Withholding:
    """Returns the conscience of these tests."""
    return Withholding()
