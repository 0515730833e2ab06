"""How large a proof is: quick with every run of the tests, at its full size with ALEJO_PROOFS=full and --timeout 0."""

from __future__ import annotations

import os

FULL = os.environ.get("ALEJO_PROOFS") == "full"


def size(quick: int, full: int) -> int:
    """The one for this run."""
    return full if FULL else quick
