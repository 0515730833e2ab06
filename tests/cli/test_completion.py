"""Completion in the shells."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from alejo.cli.root import run

from .home import Home

# Each asks its shell what it would offer behind "alejo co" and "alejo sessions list --"; where zsh would show it on a
# terminal, it is printed.
SHELLS = {
    "bash": """
        eval "$(alejo completion bash)"
        ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _alejo_completion "$@"; printf '%s\\n' "${COMPREPLY[@]}"; }
        ask alejo co
        ask alejo sessions list --
    """,
    "zsh": """
        autoload -Uz compinit && compinit -u
        eval "$(alejo completion zsh)"
        compadd() { print -rl -- ${(P)@[-1]} }
        _describe() { print -rl -- ${(P)3} }
        words=(alejo co) CURRENT=2; _alejo_completion
        words=(alejo sessions list --) CURRENT=4; _alejo_completion
    """,
    "fish": """
        alejo completion fish | source
        complete -C 'alejo co'
        complete -C 'alejo sessions list --'
    """,
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_commands_and_options(shell: str, home: Home) -> None:
    """The printed script, read by the real shell, offers the commands and options there are."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"needs {shell} on PATH")
    path = f"{Path(sys.executable).parent}:{home.environment['PATH']}"
    environment = home.environment | {"PATH": path, "SHELL": program}
    done = subprocess.run(
        [program, "-c", SHELLS[shell]], check=False, capture_output=True, text=True, env=environment, timeout=60
    )
    offered = {line.split("\t")[0].split(":")[0].strip() for line in done.stdout.splitlines()}
    assert {"completion", "config", "--limit", "--json"} <= offered, done
    assert "serve" not in offered


@pytest.mark.parametrize("shell", SHELLS)
def test_each_script_can_be_read_anywhere(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The script is printed without a shell being there, and asks this command line; another shell is a usage error."""
    assert run(["completion", shell]) == 0
    made = capsys.readouterr()
    assert f"_ALEJO_COMPLETE={shell}_complete" in made.out
    assert made.err == ""
    assert run(["completion", "tcsh"]) == 2
    assert "fish" in capsys.readouterr().err
