"""A disk that is full or fails: no acknowledgement of what is not kept, reads go on, writes resume."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from .conftest import Script

PLACES = 16


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_failing_disk(script: Script, recorder: Path, tmp_path: Path, error: str) -> None:
    """Whichever write or sync fails: what was acknowledged is there, nothing else is, and a failed sync stops all."""
    found = Counter(script("faults.py", tmp_path / "data", error, PLACES, LD_PRELOAD=str(recorder)))
    print(found)
    assert found["kept"] > 0
    assert found["went on"] + found["stopped"] == PLACES
    assert found["read on"] > found["read nothing"]
    if error == "EIO":
        assert found["stopped"] == PLACES
        assert found["Unavailable"] > 0
    else:
        assert found["went on"] > found["stopped"]
        assert found["StorageFull"] > 0
