"""Arithmetic in exact fractions, with percent and money: a small parser of its own, bounded in size and depth.

Grammar: sums of products of powers of signed values; "%" behind a value is a hundredth of it, and behind "+" or "-" a
part of what stands before; "of" is a product. A currency stands before or behind a number. Money adds to money of the
same currency, and is multiplied and divided by numbers.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal, InvalidOperation
from fractions import Fraction
from typing import NamedTuple

LONGEST = 500  # characters of an expression
DEEPEST = 40  # brackets and signs within each other
_BITS = 4_096  # of a number's numerator and denominator
_DIGITS = 12  # that are told of a number that has no end
_PLACES = 30  # of one that ends
_CURRENCIES = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR", "euro": "EUR", "euros": "EUR"}
_CURRENCIES |= {"dollar": "USD", "dollars": "USD", "pounds": "GBP", "yen": "JPY", "rupees": "INR", "francs": "CHF"}
_CURRENCIES |= {code.lower(): code for code in ("EUR", "USD", "GBP", "JPY", "INR", "CHF", "SEK", "NOK", "DKK", "PLN")}
_WORDS = {
    "plus": "+",
    "minus": "-",
    "times": "*",
    "x": "*",
    "^": "**",
}
_WORDS |= {"mal": "*", "durch": "/", "por": "*", "entre": "/", "más": "+", "mas": "+", "menos": "-", "over": "/"}
_WORDS |= {"of": "of", "von": "of", "de": "of", "percent": "%", "prozent": "%"}
_SIGNS = str.maketrans({0xD7: "*", 0xB7: "*", 0xF7: "/", 0x2212: "-", 0x2013: "-"})  # as they are typeset
_TOKEN = re.compile(r"\s*(?:(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)|(\*\*|[-+*/()%^€$£¥₹])|([^\W\d_]+))")


class Wrong(Exception):
    """What cannot be calculated; the text says why."""


class Amount(NamedTuple):
    """A number, of a currency if it is money. `percent` says that it was told as one; `rough`, that it is rounded."""

    number: Fraction
    unit: str = ""
    percent: bool = False
    rough: bool = False


def calculate(expression: str) -> tuple[str, bool]:
    """The value as a decimal number, and whether it is exact. Raises Wrong."""
    if len(expression) > LONGEST:
        raise Wrong("it is too long")
    expression = re.sub(r"divided by|dividido (?:por|entre)|geteilt durch", "/", expression.strip().rstrip("=?. "))
    expression = expression.translate(_SIGNS)
    reader = _Reader(_tokens(expression))
    amount = reader.sum(0)
    if reader.rest:
        raise Wrong(f"I do not understand {reader.rest[0]}")
    return _written(amount)


def _tokens(text: str) -> list[str]:
    found, place = [], 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise Wrong(f"I do not understand {text[place:].strip()[:20]}")
        word = match[0].strip().lower()
        found.append(_WORDS.get(word, word.replace(",", "")))
        place = match.end()
    return found


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self.rest = tokens

    def _peek(self) -> str:
        return self.rest[0] if self.rest else ""

    def _take(self) -> str:
        token = self._peek()
        self.rest = self.rest[1:]
        return token

    def sum(self, depth: int) -> Amount:
        """Products that are added and taken away."""
        total = self._product(depth)
        while self._peek() in {"+", "-"}:
            sign = -1 if self._take() == "-" else 1
            part = self._product(depth)
            if part.percent and not total.percent:  # 80 - 20 % is 64
                part = Amount(total.number * part.number, total.unit, rough=part.rough)
            if part.unit != total.unit:
                raise Wrong("amounts of different kinds cannot be added")
            total = _bounded(total.number + sign * part.number, total.unit, total.rough or part.rough)
        return total

    def _product(self, depth: int) -> Amount:
        total = self._power(depth)
        while self._peek() in {"*", "/", "of"}:
            divides = self._take() == "/"
            part = self._power(depth)
            rough = total.rough or part.rough
            if divides:
                if not part.number:
                    raise Wrong("nothing can be divided by zero")
                if part.unit and part.unit != total.unit:
                    raise Wrong("that is no division that has a meaning")
                total = _bounded(total.number / part.number, "" if part.unit else total.unit, rough)
            else:
                if part.unit and total.unit:
                    raise Wrong("money cannot be multiplied by money")
                total = _bounded(total.number * part.number, part.unit or total.unit, rough)
        return total

    def _power(self, depth: int) -> Amount:
        if depth > DEEPEST:
            raise Wrong("it is nested too deeply")
        if self._peek() in {"+", "-"}:
            negative = self._take() == "-"
            value = self._power(depth + 1)
            return value._replace(number=-value.number) if negative else value
        base = self._value(depth)
        if self._peek() not in {"**", "^"}:
            return base
        self._take()
        return _raised(base, self._power(depth + 1))

    def _value(self, depth: int) -> Amount:
        word = self._take()
        unit = _CURRENCIES.get(word, "")
        if unit:
            word = self._take()
        if word == "(":
            amount = self.sum(depth + 1)
            if self._take() != ")":
                raise Wrong("a bracket is missing")
            number, unit, rough = amount.number, unit or amount.unit, amount.rough
        elif word and (word[0].isdecimal() or word[0] == "."):
            number, rough = Fraction(word), False
        else:
            raise Wrong("a number is missing" if not word else f"I do not understand {word}")
        if self._peek() == "%":
            self._take()
            return Amount(number / 100, unit, percent=True, rough=rough)
        if not unit and self._peek() in _CURRENCIES:
            unit = _CURRENCIES[self._take()]
        return _bounded(number, unit, rough)


def _bounded(number: Fraction, unit: str = "", rough: bool = False) -> Amount:
    if max(number.numerator.bit_length(), number.denominator.bit_length()) > _BITS:
        raise Wrong("the numbers become too large")
    return Amount(number, unit, rough=rough)


def _raised(base: Amount, power: Amount) -> Amount:
    if power.unit or base.unit:
        raise Wrong("money has no powers")
    number, exponent = base.number, power.number
    size = max(number.numerator.bit_length(), number.denominator.bit_length())
    if abs(exponent) * size > _BITS:
        raise Wrong("the numbers become too large")
    if not number and exponent < 0:
        raise Wrong("nothing can be divided by zero")
    if exponent.denominator == 1:
        return _bounded(number**exponent.numerator, rough=base.rough or power.rough)
    try:
        context = Context(prec=40)
        root = context.power(_decimal(number, context), _decimal(exponent, context))
        return _bounded(Fraction(root), rough=True)
    except (InvalidOperation, ValueError, OverflowError):
        raise Wrong("that has no real value") from None


def _decimal(number: Fraction, context: Context) -> Decimal:
    return context.divide(Decimal(number.numerator), Decimal(number.denominator))


def _written(amount: Amount) -> tuple[str, bool]:
    number = amount.number
    text, exact = _plain(number)
    exact = exact and not amount.rough
    if amount.unit and len(text) < _PLACES:
        cents = _decimal(number, Context(prec=_PLACES)).quantize(Decimal("0.01"))
        exact = exact and Fraction(cents) == number
        text = f"{cents} {amount.unit}"
    elif amount.unit:
        text = f"{text} {amount.unit}"
    return text, exact


def _plain(number: Fraction) -> tuple[str, bool]:
    """A number without an exponent as long as it is short, and whether that is all of it."""
    rest = number.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest == 1:
        context = Context(prec=2 * _BITS)
        told = _decimal(number, context)
        text = f"{told:f}"
        if len(text) <= _PLACES + 2:
            return (text.rstrip("0").rstrip(".") if "." in text else text) or "0", True
    told = _decimal(number, Context(prec=_DIGITS))
    whole = abs(told.adjusted()) < _DIGITS
    return (f"{told.normalize():f}" if whole else f"{told.normalize():e}"), False
