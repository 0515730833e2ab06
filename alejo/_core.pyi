"""The performance-critical part of ALEJO, written in Rust (`core_rs/`).

Numbers that do not fit their type (a negative document number or limit) raise OverflowError, and strings with lone
surrogates UnicodeEncodeError, before anything is changed.
"""

from collections.abc import Sequence
from typing import final

__all__ = ["DamagedIndex", "InvalidValue", "LexicalIndex", "__version__", "debug_build", "tokens"]

__version__: str

class InvalidValue(ValueError):
    """A value the core has no meaning for: a parameter out of range, a language without a stemmer."""

class DamagedIndex(RuntimeError):
    """An index whose invariants do not hold; build it again."""

def debug_build() -> bool:
    """Whether this extension was compiled without optimisation, so that its speed means nothing."""

def tokens(text: str, language: str = "en") -> list[str]:
    """The terms `text` is found by, in its order: folded, without English stopwords, stemmed.

    `language` is an ISO 639-1 code with a Snowball stemmer, or "" to keep words as they are; raises InvalidValue for
    another. Text written without spaces (Chinese, Japanese, Korean, Thai, Lao, Khmer, Myanmar) becomes pairs of
    neighbours, whatever the language.
    """

@final
class LexicalIndex:
    """An exact BM25 index over one user's documents, by number; a change is visible at once, from every thread.

    Many threads may search while one writes; a long search or a busy lock lets other Python threads run.
    """

    def __new__(cls, k1: float = 0.9, b: float = 0.0, language: str = "en") -> LexicalIndex:
        """An empty index. `k1`, 0 to 100: how much repetition counts. `b`, 0 to 1: how much a long document loses.

        Raises InvalidValue for other values, or a `language` that `tokens` does not know.
        """

    def upsert(self, doc: int, fields: Sequence[tuple[float, str]]) -> None:
        """Puts a document in, replacing the one with the same number (0 to 2^64-1).

        Each field is (weight of one occurrence, text); a term's weighted frequency is summed over the fields. Raises
        InvalidValue for a weight outside 0.001 to 1000.
        """

    def remove(self, doc: int) -> bool:
        """Takes a document out; False if there is none of that number."""

    def search(self, query: str, limit: int = 10) -> list[tuple[int, float, float]]:
        """The documents sharing a term with `query`, as (number, score, coverage), best first, equals by number.

        `limit` 0 means all of them. Scores compare within one search. Coverage, 0 to 1, is the share of the query's
        meaning found in the document: idf of the matched distinct terms over idf of all, where a term that no document
        holds counts with the highest idf.
        """

    def explain(self, doc: int, query: str) -> list[tuple[str, float]]:
        """Each matching word of `query`, folded, with its share of the document's score, the largest first.

        The shares add up to 1; there are none if the document is not there or does not match.
        """

    def validate(self) -> None:
        """Checks every invariant; slow, for tests. Raises DamagedIndex naming the first that does not hold."""

    def __len__(self) -> int:
        """How many documents it holds."""
