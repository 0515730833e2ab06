"""Language models at hand: which one is asked, how often, for how long, and at whose expense."""

from __future__ import annotations

from alejo.models.accounts import Accounts
from alejo.models.hand import Hand
from alejo.models.models import LanguageModels, Policy

__all__ = ["Accounts", "Hand", "LanguageModels", "Policy"]
