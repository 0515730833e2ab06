"""For every test of the repository: it is UTC, and examples that hypothesis draws may take their time."""

from __future__ import annotations

import os

from hypothesis import settings

os.environ["TZ"] = "UTC"

settings.register_profile("alejo", deadline=None)
settings.load_profile("alejo")
