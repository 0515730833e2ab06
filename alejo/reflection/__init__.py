"""What becomes of what was said, afterwards: jobs are taken from the queue and worked through by processors."""

from __future__ import annotations

from alejo.reflection.reflection import Reflection
from alejo.reflection.worker import Effects, Later, Piece, Processing, Unfit, Worker

__all__ = ["Effects", "Later", "Piece", "Processing", "Reflection", "Unfit", "Worker"]
