"""An assistant over a folder of files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

import alejo
from alejo.settings import read
from alejo.storage.files import FilesStorage

Opener = Callable[[], AbstractAsyncContextManager[alejo.Assistant]]


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """The folder."""
    return tmp_path / "notes"


@pytest.fixture
def opened(environment: dict[str, str], notes: Path) -> Opener:
    """Opens an assistant over the folder, without plugins; the storage looks at the files before each read."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[alejo.Assistant]:
        settings = read(environment, {"data.path": f"files:{notes}"})
        async with alejo.open(settings=settings, entry_points=[]) as assistant:
            assert isinstance(assistant.storage, FilesStorage)
            assistant.storage.rest = 0.0
            await assistant.storage.look()  # from now on; those before were followed by a rest
            yield assistant

    return opened


def pages(notes: Path, pattern: str = "users/me/memories/**/*.md") -> list[Path]:
    """The files of memories, or those of the pattern."""
    return sorted(notes.glob(pattern))
