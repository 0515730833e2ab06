"""The rooms above storage do over files what they do over sealed records: their own tests, run once more."""

from __future__ import annotations

from pathlib import Path

import pytest

import alejo.settings
from alejo.settings import Settings
from tests.memory.test_memories import *  # noqa: F403
from tests.ownership.test_ownership import *  # noqa: F403
from tests.test_sessions import *  # noqa: F403

# What is sealed, and how many records fit a step, is no matter of the backend.
del test_an_altered_memory_does_not_hide_the_others, test_any_number_of_changes_is_followed  # noqa: F821


@pytest.fixture
def settings(environment: dict[str, str], tmp_path: Path) -> Settings:
    """The settings of the tests, over a folder of files."""
    over = {"server.address": "127.0.0.1:0", "data.path": f"files:{tmp_path / 'notes'}"}
    return alejo.settings.read(environment, over)
