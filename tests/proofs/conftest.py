"""A house and a seed for every proof."""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .house import House


@pytest.fixture
def chance() -> random.Random:
    """What a proof leaves to chance. A failure prints the seed; ALEJO_SEED repeats its choices."""
    seed = int(os.environ.get("ALEJO_SEED") or secrets.randbits(32))
    print(f"ALEJO_SEED={seed} repeats these choices")
    return random.Random(seed)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    one = House(tmp_path)
    yield one
    await one.close()
    # A failure shows what the server knows of it.
    print("\n".join(line for line in one.log if '"level":"error"' in line or "Traceback" in line))
