"""Reminders: made, told when they fall due until somebody says they were heard, and dismissed."""

from __future__ import annotations

from alejo.reminders.bell import Bell
from alejo.reminders.reminders import Listener, Reminders

__all__ = ["Bell", "Listener", "Reminders"]
