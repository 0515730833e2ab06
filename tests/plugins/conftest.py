"""A shelf of tiny plugins that the tests fill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .shelf import Shelf


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """An empty shelf that Python imports from."""
    monkeypatch.syspath_prepend(str(tmp_path))
    shelf = Shelf(tmp_path)
    yield shelf
    shelf.forget_modules()
