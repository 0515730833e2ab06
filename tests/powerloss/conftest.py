"""The recorder, built once, and what runs a script under it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
Script = Callable[..., Any]


@pytest.fixture(scope="session")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library to preload."""
    library = tmp_path_factory.mktemp("recorder") / "recorder.so"
    subprocess.run(
        ["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, HERE / "recorder.c", "-ldl"], check=True
    )
    return library


@pytest.fixture(scope="session")
def tree_recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library to preload where folders matter."""
    library = tmp_path_factory.mktemp("recorder") / "tree.so"
    source = HERE / "tree.c"
    subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.fixture
def script() -> Script:
    """Runs a script of this folder in a process of its own and returns what it printed as JSON."""

    def run(name: str, *arguments: str | Path | int, **environment: str) -> Any:
        done = subprocess.run(
            [sys.executable, HERE / name, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
            stdout=subprocess.PIPE,
            check=True,
            timeout=3600,
        )
        lines = done.stdout.splitlines()  # the last one is the answer, log lines come before
        return json.loads(lines[-1]) if lines else None

    return run
