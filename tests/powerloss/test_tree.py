"""What a power cut leaves of a folder of files: every acknowledged batch, and a state that once was.

`ALEJO_CRASH_IMAGES` sets how many images are judged; without it as many as take seconds.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from .conftest import Script

IMAGES = int(os.environ.get("ALEJO_CRASH_IMAGES", "120"))
BATCHES = 36 if IMAGES <= 120 else 240
PLACES = 12


def judged(script: Script, tree_recorder: Path, folder: Path, safety: str, images: int) -> Any:
    """Runs the workload under the recorder, then judges the images of its record."""
    root, record, history = folder / "notes", folder / "record", folder / "history.json"
    preload = {"RECORD": str(record), "RECORD_ROOT": str(root), "LD_PRELOAD": str(tree_recorder)}
    script("tree_workload.py", root, history, safety, BATCHES, 1, **preload)
    return script("tree_images.py", record, history, folder / "image", images, 1, "files")


def test_nothing_acknowledged_is_lost(script: Script, tree_recorder: Path, tmp_path: Path) -> None:
    """Every image opens, holds all that was acknowledged, is exactly a state of history, takes writes, keeps them."""
    found = judged(script, tree_recorder, tmp_path, "safe", IMAGES)
    print(found)
    assert set(found["verdicts"]) == {"ok"}, found
    assert found["verdicts"]["ok"] >= IMAGES
    assert set(found["kinds"]) == {"none", "all", "some", "torn"}
    assert found["commits"] == BATCHES // 3 // 2 * 6 + 1


@pytest.mark.parametrize("safety", ["nosync", "nonames"])
def test_the_suite_finds_losses(script: Script, tree_recorder: Path, tmp_path: Path, safety: str) -> None:
    """A storage that syncs nothing, or not the names of what it is about to rename, loses what it acknowledged."""
    found = judged(script, tree_recorder, tmp_path, safety, 40)
    print(found)
    assert sum(count for verdict, count in found["verdicts"].items() if verdict != "ok") >= 5, found


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_failing_disk(script: Script, tree_recorder: Path, tmp_path: Path, error: str) -> None:
    """Whichever write, sync or rename fails: what was acknowledged is there, nothing else is, and writes resume."""
    root = tmp_path / "notes"
    preload = {"RECORD_ROOT": str(root), "LD_PRELOAD": str(tree_recorder)}
    found = Counter(script("tree_faults.py", root, error, PLACES, **preload))
    print(found)
    assert found["kept"] > 0
    assert found["went on"] + found["stopped"] == PLACES
    if error == "EIO":
        assert found["stopped"] > 0
        assert found["Unavailable"] > 0
    else:
        assert found["went on"] > found["stopped"]
        assert found["StorageFull"] > 0
