"""What a scrape of a server tells."""

from __future__ import annotations

import asyncio
import re
import urllib.request
from pathlib import Path

from .house import house

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


async def test_every_metric_is_told(tmp_path: Path) -> None:
    """docs/metrics.md has a row for every metric of a server, with its kind, and no other."""
    async with house(tmp_path, server__metrics_address="127.0.0.1:0") as home:
        url = f"http://127.0.0.1:{home.server.metrics_port}/metrics"
        text = (await asyncio.to_thread(urllib.request.urlopen, url, timeout=10)).read().decode()
    kinds = dict(re.findall(r"^# TYPE (alejo_\w+) (\w+)$", text, re.M))
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", PAGE.read_text(), re.M)
    assert dict(rows) == kinds
    assert len(rows) == len(kinds)
