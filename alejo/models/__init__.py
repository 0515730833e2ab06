"""Language models at hand: which one is asked, how often, for how long, and at whose expense."""

from __future__ import annotations

from alejo.models.accounts import Accounts
from alejo.models.counting import exact
from alejo.models.gauge import Gauge
from alejo.models.hand import Hand, at_hand
from alejo.models.models import REMEMBERED, LanguageModels, Policy, Wish

__all__ = ["REMEMBERED", "Accounts", "Gauge", "Hand", "LanguageModels", "Policy", "Wish", "at_hand", "exact"]
