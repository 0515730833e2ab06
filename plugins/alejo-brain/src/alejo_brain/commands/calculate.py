"""Arithmetic."""

from __future__ import annotations

from alejo.roles import Turn

from .describing import described, given
from .replies import heard
from .sums import Wrong, calculate

_SHOWN = 100  # characters of an expression that is refused


class Calculate:
    """Calculates."""

    spec = described(
        "calculate",
        "calculates: + - * / ** and brackets, percent and money",
        "calculate 15% of 80",
        ("calculate {expression}", "what is {expression}", "how much is {expression}"),
        expression="What to calculate, such as 80*15/100, 64.90-20%, (2+3)**2 or €12.50*3.",
    )

    async def run(self, arguments: str, turn: Turn) -> str:
        """The value, exact where it has an end, else rounded and told as that."""
        expression, locale = given(arguments).get("expression", ""), await heard(turn)
        if not expression:
            return locale.say("calculate_what")
        try:
            value, exact = calculate(expression)
        except Wrong as wrong:
            return locale.say("calculate_refused", expression=expression[:_SHOWN], why=str(wrong))
        return locale.say("calculated" if exact else "approximately", expression=expression, value=value)
