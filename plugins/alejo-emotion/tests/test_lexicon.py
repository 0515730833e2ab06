"""The tables the feeling is read from."""

from __future__ import annotations

from alejo_emotion.lexicon import lexicon


def test_every_entry_is_within_bounds() -> None:
    """Valence, arousal and shares are in range, and every entry with a feeling names an emotion."""
    entries = lexicon().entries
    assert len(entries) > 1000
    for form, entry in entries.items():
        assert -1.0 <= entry.valence <= 1.0, form
        assert 0.0 <= entry.arousal <= 1.0, form
        assert all(0.0 < share <= 1.0 for _, share in entry.emotions), form
        assert entry.emotions or abs(entry.valence) < 0.1, form


def test_all_emotions_of_the_scheme_occur() -> None:
    """Each of the 27 names is carried by some word, and no other name is."""
    names = {name for entry in lexicon().entries.values() for name, _ in entry.emotions}
    assert len(names) == 27


def test_every_form_is_found() -> None:
    """By itself, as what it is; so is everything that turns or scales it."""
    known = lexicon()
    for place, form in enumerate(known.entries):
        assert [each[0] for each in known.finder.found(form)] == [place], form
    for place, modifier in enumerate(known.modifiers):
        assert known.finder.found(f"{modifier.words} happy")[-1][4][0] == (place, 1), modifier.words
