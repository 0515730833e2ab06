"""The tables the feeling is read from."""

from __future__ import annotations

from alejo_emotion.lexicon import lexicon, tokens


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


def test_longest_covers_every_phrase() -> None:
    """The length kept per first token is that of its longest phrase, so that no phrase is missed."""
    known = lexicon()
    for form in known.entries:
        assert known.longest[form[0]] >= len(form)


def test_tokens_keep_words_marks_and_faces_apart() -> None:
    """Apostrophes stay inside words, exclamation marks together, emoticons and emojis whole."""
    assert tokens("I can\u2019t :( wait!!! \U0001f600\U0001f600") == [
        "I",
        "can't",
        ":(",
        "wait",
        "!!!",
        "\U0001f600",
        "\U0001f600",
    ]
