"""Arithmetic: exact, and bounded whatever is asked."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from alejo_brain.commands.sums import Wrong, calculate
from hypothesis import example, given
from hypothesis import strategies as st

VALUES = {
    "80*15/100": "12",
    "15% of 80": "12",
    "80 - 20%": "64",
    "64.90-64.90*20/100": "51.92",
    "1024 / 32 =": "32",
    "6+7*2": "20",
    "-2**2": "-4",
    "2 ** -3": "0.125",
    "2**3**2": "512",
    "0.1+0.2": "0.3",
    "€12.50 * 3": "37.50 EUR",
    "10 EUR / 2 EUR": "5",
    "1,850 + 150": "2000",
    "17 mal 23": "391",
    "480 durch 12": "40",
    "20 entre 8": "2.5",
    "12 \u00d7 3 \u2212 6 \u00f7 2": "33",
    "10**25": "10000000000000000000000000",
}
ROUGH = {"1/3": "0.333333333333", "100 EUR / 3": "33.33 EUR", "2**0.5": "1.41421356237", "9**99": "2.95126654307e+94"}
REFUSED = ["", "abc", "1/0", "0**-1", "((1", "1)", "5 EUR + 3 USD", "2 EUR * 2 EUR", "9**9**9", "(-8)**(1/3)"]
REFUSED += ["1" * 501, "(" * 400, "-" * 400 + "1", "__import__('os')"]

NUMBERS = st.integers(0, 10**6).map(str) | st.decimals(0, 10**4, places=3).map(str)
PAIRS = "({0[0]} {0[1]} {0[2]})".format
TREES = st.recursive(NUMBERS, lambda part: st.tuples(part, st.sampled_from("+-*/"), part).map(PAIRS), max_leaves=12)


@pytest.mark.parametrize(("expression", "value"), VALUES.items())
def test_exact_values(expression: str, value: str) -> None:
    """What has an end is told whole."""
    assert calculate(expression) == (value, True)


@pytest.mark.parametrize(("expression", "value"), ROUGH.items())
def test_rounded_values(expression: str, value: str) -> None:
    """What has none is rounded, and told as that."""
    assert calculate(expression) == (value, False)


@pytest.mark.parametrize("expression", REFUSED, ids=lambda each: each[:20])
def test_what_cannot_be_calculated(expression: str) -> None:
    """What has no value, or a size without bounds, is refused with the reason."""
    with pytest.raises(Wrong):
        calculate(expression)


def reference(text: str) -> Fraction:
    """The value as Python's own grammar has it, over fractions."""
    import ast  # noqa: PLC0415 - only here

    def value(node: Any) -> Fraction:
        if isinstance(node, ast.BinOp):
            left, right = value(node.left), value(node.right)
            ways = {ast.Add: Fraction.__add__, ast.Sub: Fraction.__sub__, ast.Mult: Fraction.__mul__}
            return left / right if isinstance(node.op, ast.Div) else ways[type(node.op)](left, right)
        return Fraction(ast.get_source_segment(text, node) or "")

    return value(ast.parse(text, mode="eval").body)


@given(TREES)
def test_values_are_those_of_fractions(expression: str) -> None:
    """Sums of every shape have the value that exact fractions have, told whole or rounded to twelve digits."""
    try:
        wanted = reference(expression)
    except ZeroDivisionError:
        with pytest.raises(Wrong):
            calculate(expression)
        return
    except (SyntaxError, ValueError):  # a leading zero, which Python does not read
        return
    try:
        value, exact = calculate(expression)
    except Wrong:
        assert len(expression) > 500
        return
    found = Fraction(Decimal(value))
    assert found == wanted if exact else abs(found - wanted) <= abs(wanted) / 10**11


@example("\u00b2")
@given(st.text(alphabet="0123456789+-*/()%.^ EUR€ofx", max_size=600) | st.text(max_size=60))
def test_any_text_is_calculated_or_refused(expression: str) -> None:
    """No text does anything else, or takes long."""
    try:
        value, _ = calculate(expression)
    except Wrong:
        return
    assert len(value) < 100
