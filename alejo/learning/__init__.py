"""What becomes better by what was said: topics, pairs to train with, weights of recall, and what else plugins learn."""

from __future__ import annotations

from alejo.learning.learning import Learning
from alejo.learning.pairs import FORMS
from alejo.learning.tracking import Track, start

__all__ = ["FORMS", "Learning", "Track", "start"]
