"""For every test of the repository: examples that hypothesis draws may take their time on a busy machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("alejo", deadline=None)
settings.load_profile("alejo")
