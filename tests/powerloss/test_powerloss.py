"""What a power cut leaves: every acknowledged batch, and a state that once was.

`ALEJO_CRASH_IMAGES` sets how many images are judged (1,000 by default; a long run takes 10,000 and more).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ..proofs.size import size
from .conftest import Script

IMAGES = int(os.environ.get("ALEJO_CRASH_IMAGES", "1000"))


def judged(script: Script, recorder: Path, folder: Path, safety: str, images: int) -> Any:
    """Runs the workload under the recorder, then judges the images of its record."""
    record, history = folder / "record", folder / "history.json"
    script("workload.py", folder / "data", history, safety, 100, 1, RECORD=str(record), LD_PRELOAD=str(recorder))
    return script("images.py", record, history, folder / "image", images, 1)


def test_nothing_acknowledged_is_lost(script: Script, recorder: Path, tmp_path: Path) -> None:
    """Every image opens, holds all that was acknowledged, is exactly a state of history, and takes writes."""
    found = judged(script, recorder, tmp_path, "safe", IMAGES)
    print(found)
    assert set(found["verdicts"]) == {"ok"}, found
    assert found["verdicts"]["ok"] >= IMAGES
    assert set(found["kinds"]) == {"none", "all", "some", "torn"}
    assert found["acknowledged"] == found["stats"]["commits"] > found["stats"]["groups"]
    assert found["syncs"] == found["stats"]["syncs"] + 1  # and one for the new file


def test_no_turn_and_no_promise_is_lost(script: Script, recorder: Path, tmp_path: Path) -> None:
    """Cut while turns are told and worked through, every image is exactly as it was after one of the commits."""
    record, history = tmp_path / "record", tmp_path / "history.json"
    given = {"RECORD": str(record), "LD_PRELOAD": str(recorder)}
    script("queue_workload.py", tmp_path / "data", history, size(60, 400), 1, **given)
    found = script("images.py", record, history, tmp_path / "image", size(500, 2_000), 1)
    print(found)
    assert set(found["verdicts"]) == {"ok"}, found
    assert found["verdicts"]["ok"] >= size(500, 2_000)
    assert found["acknowledged"] == found["stats"]["commits"]


@pytest.mark.parametrize("safety", ["nosync", "nometasync"])
def test_the_suite_finds_losses(script: Script, recorder: Path, tmp_path: Path, safety: str) -> None:
    """An environment that does not wait for the disk loses acknowledged batches, and the suite says so."""
    found = judged(script, recorder, tmp_path, safety, 100)
    print(found)
    assert found["verdicts"].get("lost", 0) >= 10, found
    if safety == "nosync":
        assert len(set(found["verdicts"]) - {"ok", "lost"}) >= 1, "nothing was torn"
