"""The conscience: what may be asked, run and said, by rules that people can read."""

from __future__ import annotations

from .conscience import DISCREET, Conscience, Destination
from .rules import SHIPPED

__all__ = ["DISCREET", "SHIPPED", "Conscience", "Destination"]
