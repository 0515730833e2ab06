"""Personal data are taken out by their form and by the names that are known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alejo.learning.personal import remover

CASES = {
    "Write to ada.lovelace+x@example.co.uk today.": "Write to [email] today.",
    "See https://example.org/~ada/home or linkedin.com/in/ada.": "See [link] or [link]",
    "Call +43 660 123 45 67 or (030) 901820.": "Call [phone] or [phone].",
    "My card is 4111 1111 1111 1111.": "My card is [card].",
    "Pay to AT61 1904 3002 3457 3201, please.": "Pay to [account], please.",
    "SSN 078-05-1120, DNI 12345678Z.": "SSN [id], DNI [id].",
    "My passport number is X1234567.": "My [id].",
    "From 192.168.0.17 it works.": "From [ip] it works.",
    "I live at 12 Old Mill Road.": "I live at [address].",
    "Ich wohne in der Mariahilfer Straße 12a.": "Ich wohne in der [address].",
    "Wohnt in der Lindengasse 4": "Wohnt in der [address]",
    "Vivo en la Calle de Alcalá 45.": "Vivo en la [address].",
    "Luna and ANN MARIE met Ann's sister.": "[name] and [name] met [name]'s sister.",
}
KEPT = (
    "In 2019 we sold 12,500 units for 1.999.000 euros.",
    "On 2024-05-17 at 10:30, or 17.05.2024.",
    "The order 4111 1111 1111 1112 is no card.",
    "My lunar calendar, Annabel and the annals.",
    "Version 3.11.7 of Python.",
)


@pytest.mark.parametrize("text", CASES)
def test_it_is_replaced(text: str) -> None:
    """Each sort becomes a word for what it was."""
    assert remover(["Luna", "Ann", "Ann Marie", "A"])(text) == CASES[text]


@pytest.mark.parametrize("text", KEPT)
def test_other_numbers_and_words_stay(text: str) -> None:
    """Dates, amounts, and words that begin like a name stay."""
    assert remover(["Luna", "Ann"])(text) == text


@given(st.text(), st.lists(st.text(max_size=20), max_size=5))
def test_any_text_is_taken(text: str, names: list[str]) -> None:
    """Whatever the text and the names, something comes back, and no name stands in it as a word of its own."""
    assert isinstance(remover(names)(text), str)


@given(
    st.from_regex(r"[a-z]{1,8}\.[a-z]{1,8}@[a-z]{2,8}\.(com|org|de)", fullmatch=True),
    st.text(alphabet="ab \n,", max_size=9),
)
def test_no_address_stays(address: str, around: str) -> None:
    """No e-mail address stays, whatever stands around it."""
    assert "@" not in remover(())(f"{around} {address} {around}")
