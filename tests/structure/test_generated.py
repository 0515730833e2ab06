"""Generated files are committed, marked, and what `make generate` writes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .imports import ROOT

MARK = re.compile(r"do not edit", re.IGNORECASE)
CODE = sorted((ROOT / "alejo" / "v1").glob("*_pb2*.py*"))


def test_generated_files_are_what_make_generate_writes() -> None:
    """Generating everything again changes nothing."""
    run = subprocess.run(
        [sys.executable, ROOT / "scripts" / "generate.py", "--check"], check=False, capture_output=True, text=True
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    """A generated file that was edited is named, and ends the check in exit code 1."""
    for name in ("alejo", "proto", "scripts", "docs", "benchmarks", "README.md"):
        (tmp_path / name).symlink_to(ROOT / name)
    copy = tmp_path / "scripts"
    copy.unlink()
    copy.mkdir()
    for script in (ROOT / "scripts").glob("*.py"):
        (copy / script.name).write_bytes(script.read_bytes())
    (tmp_path / "docs").unlink()
    (tmp_path / "docs").mkdir()
    for page in (ROOT / "docs").glob("*.md"):
        (tmp_path / "docs" / page.name).write_bytes(page.read_bytes())
    with (tmp_path / "docs" / "api.md").open("a") as page:
        page.write("edited\n")
    run = subprocess.run([sys.executable, copy / "generate.py", "--check"], check=False, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (1, "docs/api.md is not what make generate writes\n")


@pytest.mark.parametrize("file", CODE, ids=lambda file: file.name)
def test_generated_code_is_marked(file: Path) -> None:
    """Every generated file says in its head that it is not to be edited."""
    assert MARK.search("".join(file.read_text().splitlines(keepends=True)[:10]))
