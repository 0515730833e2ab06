"""What a power cut leaves of a data file that is being made anew: the old one or the new one, with all acknowledged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..proofs.size import size
from .conftest import Script

IMAGES = size(120, 10_000)
BATCHES = size(36, 300)


def judged(script: Script, recorder: Path, folder: Path, safety: str, images: int) -> Any:
    """Writes and compacts under the recorder, then judges the images of its record."""
    root, record, history = folder / "records", folder / "record", folder / "history.json"
    preload = {"RECORD": str(record), "RECORD_ROOT": str(root), "LD_PRELOAD": str(recorder)}
    script("workload.py", root, history, safety, BATCHES, 1, **preload)
    return script("tree_images.py", record, history, folder / "image", images, 1, "lmdb")


def test_a_compaction_loses_nothing(script: Script, tree_recorder: Path, tmp_path: Path) -> None:
    """Wherever the power is cut: it opens with all that was acknowledged, as a state of history, and takes writes."""
    found = judged(script, tree_recorder, tmp_path, "compacting", IMAGES)
    print(found)
    assert set(found["verdicts"]) == {"ok"}, found
    assert found["verdicts"]["ok"] >= IMAGES
    assert set(found["kinds"]) == {"none", "all", "some", "torn"}
    assert found["renames"] >= 3


def test_the_suite_finds_what_is_not_synced(script: Script, tree_recorder: Path, tmp_path: Path) -> None:
    """A new file that takes the place of the old one before it is on disk loses that one, and the suite says so."""
    found = judged(script, tree_recorder, tmp_path, "unsynced", IMAGES)
    print(found)
    assert sum(count for verdict, count in found["verdicts"].items() if verdict != "ok") >= 5, found
