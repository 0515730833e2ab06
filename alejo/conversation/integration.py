"""How much the sources of a workspace act together: the multi-information of their activity over the last turns.

With X_i whether source i brought something new into the workspace in a turn, this is, in bits,

    I(X_1; ...; X_n) = H(X_1) + ... + H(X_n) - H(X_1, ..., X_n)

the total correlation of S. Watanabe, "Information theoretical analysis of multivariate correlation", IBM Journal of
Research and Development 4(1), 1960. Each entropy is that of the observed frequencies, which is too small by about
(m - 1) / 2N nats where m states were seen in N turns, and is corrected by as much: G. Miller, "Note on the bias of
information estimates", in Information Theory in Psychology, 1955.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Hashable, Iterable, Sequence

WINDOW = 512  # turns
_FEWEST = 32  # turns, before which nothing is told


def entropy(states: Iterable[Hashable]) -> float:
    """The entropy of observed states in bits, corrected for their number; 0 where none was seen."""
    counts = Counter(states).values()
    total = sum(counts)
    if not total:
        return 0.0
    plain = -sum(count / total * math.log2(count / total) for count in counts)
    return plain + (len(counts) - 1) / (2 * total * math.log(2))


def multi_information(turns: Sequence[frozenset[str]]) -> float:
    """The multi-information, in bits and not below 0, of which sources were active in each turn."""
    sources = frozenset[str]().union(*turns)
    apart = sum(entropy(source in turn for turn in turns) for source in sources)
    return max(0.0, apart - entropy(turns))


class Integration:
    """The activity of the last turns of all users: which sources, and nothing of whom or what."""

    def __init__(self) -> None:
        self._turns: deque[frozenset[str]] = deque(maxlen=WINDOW)

    def seen(self, active: Iterable[str]) -> None:
        """Adds a turn with the sources that were active in it."""
        self._turns.append(frozenset(active))

    def bits(self) -> float:
        """The figure by now, 0 while fewer than 32 turns were seen. For any thread."""
        turns = list(self._turns.copy())
        return multi_information(turns) if len(turns) >= _FEWEST else 0.0
