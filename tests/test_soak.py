"""The soak notices growth; the full run is scripts/soak.py --minutes 15."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "soak.py"


def test_a_short_soak_holds_its_load() -> None:
    """For a few seconds a server is held at its load; descriptors, threads and readers do not grow."""
    command = [sys.executable, SCRIPT, "--minutes", "0.1"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    figures = json.loads(done.stdout)
    assert figures["turns"] > 20, done
    for name in ("descriptors", "threads", "readers"):
        assert not figures[name]["grew"], figures


def test_growth_is_noticed() -> None:
    """Memory that rises steadily and descriptors that are not given back are called growth; what stands is not."""
    spec = importlib.util.spec_from_file_location("soak", SCRIPT)
    assert spec
    assert spec.loader
    soak = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(soak)
    samples = [soak.Sample(float(at), 100.0 + at / 5, 30 + at // 5, 14, 1) for at in range(90)]
    grew = {name: verdict[2] for name, verdict in soak.judged(samples).items()}
    assert grew == {"rss_mib": True, "descriptors": True, "threads": False, "readers": False}
