"""Setting up: nothing to do the second time, and one clear sentence when a tool is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .imports import ROOT

COMPILERS = ("cc", "gcc", "clang", "cargo", "rustc", "rustup", "python")


def setup(tree: Path, path: Path, level: str = "run") -> subprocess.CompletedProcess[str]:
    """Runs setup.sh of a tree with a PATH of one folder and an empty home."""
    environment = {"PATH": str(path), "HOME": str(tree), "LANG": "C.UTF-8"}
    command = ["/bin/bash", str(tree / "scripts" / "setup.sh"), level]
    return subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=60)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with every program of this machine but Python and the compilers."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for place in ("/usr/bin", "/bin"):
        for program in os.scandir(place):
            if not program.name.startswith(COMPILERS) and not (folder / program.name).is_symlink():
                (folder / program.name).symlink_to(program.path)
    return folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A clone with an environment in which nothing is installed yet."""
    clone = tmp_path / "clone"
    for name in ("pyproject.toml", "Cargo.toml", "Cargo.lock", "core_rs/Cargo.toml", "scripts/setup.sh"):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_bytes((ROOT / name).read_bytes())
    programs = clone / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    (programs / "pip").touch()
    (programs / "activate").write_text(str(clone / ".venv"))
    (clone / ".venv" / "pyvenv.cfg").touch()
    return clone


def script(path: Path, body: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def steps(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The first word of every step that was told."""
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return [line.split()[1] for line in done.stderr.splitlines()]


def test_only_what_changed_is_done_again(tree: Path, tools: Path) -> None:
    """The second time is silent; a change of the core or of a plugin's metadata repeats its own step alone."""
    script(tools / "cargo", "echo cargo 1.99.0")
    script(tools / "cc", "exit 0")
    script(tree / ".venv" / "bin" / "python", f"mkdir -p {tree}/alejo; touch {tree}/alejo/_core.abi3.so")
    plugin = tree / "plugins" / "alejo-brain" / "pyproject.toml"
    plugin.parent.mkdir(parents=True)
    plugin.touch()
    assert steps(setup(tree, tools)) == ["building", "installing"]
    assert steps(setup(tree, tools)) == []
    assert steps(setup(tree, tools, "dev")) == ["fetching"]
    assert steps(setup(tree, tools, "dev")) == []
    (tree / "core_rs" / "new.rs").touch()
    assert steps(setup(tree, tools)) == ["building"]
    plugin.write_text("[project]")
    assert steps(setup(tree, tools)) == ["installing"]
    (tree / "alejo" / "_core.abi3.so").unlink()
    assert steps(setup(tree, tools)) == ["building"]
    assert steps(setup(tree, tools)) == []


def test_without_rust(tree: Path, tools: Path) -> None:
    """A missing Rust toolchain is one sentence, with the command that installs it."""
    done = setup(tree, tools)
    assert done.returncode == 1
    assert "The Rust toolchain is missing" in done.stderr
    assert "sh.rustup.rs" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 2


def test_with_an_old_rust(tree: Path, tools: Path) -> None:
    """A Rust toolchain older than the core needs is named with its version."""
    script(tools / "cargo", "echo cargo 1.63.0")
    done = setup(tree, tools)
    assert done.returncode == 1
    assert "Rust 1.63.0 is too old" in done.stderr
    assert "rustup update stable" in done.stderr


def test_without_a_c_compiler(tree: Path, tools: Path) -> None:
    """A missing C compiler is one sentence, with the command that installs it."""
    script(tools / "cargo", "echo cargo 1.99.0")
    done = setup(tree, tools)
    assert done.returncode == 1
    assert "A C compiler is missing" in done.stderr
    assert "apt-get install build-essential" in done.stderr


def test_without_python(tree: Path, tools: Path) -> None:
    """Without a Python of at least 3.11 one sentence says so, with the command that installs it."""
    (tree / ".venv" / "bin" / "pip").unlink()
    script(tools / "python3", "exit 1")
    done = setup(tree, tools)
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
    assert "apt-get install python3" in done.stderr


def test_a_failed_step_shows_the_end_of_its_log(tree: Path, tools: Path) -> None:
    """When a step fails its last lines are shown, then where all of them are; nothing is stamped as done."""
    script(tools / "cargo", "echo cargo 1.99.0")
    script(tools / "cc", "exit 0")
    script(tree / ".venv" / "bin" / "python", "echo what went wrong; exit 1")
    done = setup(tree, tools)
    assert done.returncode == 1
    assert "· building the Rust core" in done.stderr
    assert "what went wrong\n\nThis step failed" in done.stderr
    assert not (tree / ".venv" / "core.stamp").exists()


def test_make_run_prints_the_answers_alone(tmp_path: Path) -> None:
    """`make run` with piped lines prints one answer a line on stdout and nothing else; steps go to stderr."""
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "scripts").mkdir()
    script(tmp_path / "scripts" / "setup.sh", "echo '· a step' >&2")
    folders = {f"XDG_{kind}_HOME": f"{tmp_path}/{kind.lower()}" for kind in ("CONFIG", "DATA", "CACHE")}
    done = subprocess.run(
        ["make", "run"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | folders,
        input="My dog is called Luna.\nWhat is my dog called?\n",
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("· a step\n")
    told, recalled = done.stdout.splitlines()
    assert told
    assert "Luna" in recalled
