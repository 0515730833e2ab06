"""The code blocks of a Markdown page, and how each kind is run.

    python    runs as a program of its own
    console   lines after "$ " run in one bash; the other lines are what they print, "..." standing for anything
    toml json are parsed
    sh        is not run, and says why in a comment before it: <!-- not run: because ... -->

Other kinds (text, proto, mermaid, rust ...) show something that is not run. The blocks of a page share a home folder.
On a page that says <!-- beside: alejo serve -->, a server runs meanwhile: 127.0.0.1:50151 stands for where it listens.
"""

from __future__ import annotations

import doctest
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BESIDE = "<!-- beside: alejo serve -->"
USUAL_ADDRESS = "127.0.0.1:50151"
NOT_RUN = re.compile(r"<!-- not run: \S.* -->\s*\Z")
RUN = {"python", "console", "toml", "json"}
SHOWN = {"text", "proto", "mermaid", "rust"}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
DEADLINE = 60.0  # seconds, for one block


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, its kind, its text, and whether a reason not to run it stands before it."""

    page: str
    line: int
    kind: str
    text: str
    excused: bool

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str, markdown: str) -> list[Block]:
    """Every fenced block of a page, in order."""
    return [
        Block(page, markdown.count("\n", 0, at.start()) + 1, at[1], at[2], bool(NOT_RUN.search(markdown[: at.start()])))
        for at in FENCE.finditer(markdown)
    ]


@contextmanager
def beside(page: str, folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """The page as its blocks shall be run: where it asks for a server, one runs, and its address is written in."""
    if BESIDE not in page:
        yield page
        return
    address = environment["ALEJO_SERVER_ADDRESS"]
    with (folder / "server.log").open("wb") as log:
        command = [sys.executable, "-m", "alejo", "serve"]
        server = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            with grpc.insecure_channel(address) as channel:
                grpc.channel_ready_future(channel).result(DEADLINE)
            yield page.replace(USUAL_ADDRESS, address)
        finally:
            server.kill()
            server.wait()


def run(block: Block, folder: Path, environment: Mapping[str, str]) -> None:
    """Runs a block in a folder. Raises AssertionError if it fails or prints something else than it shows."""
    match block.kind:
        case "toml":
            tomllib.loads(block.text)
        case "json":
            json.loads(block.text)
        case "python":
            _execute(block, [sys.executable, "-"], block.text, folder, environment)
        case "console":
            lines = block.text.splitlines()
            commands = "\n".join(line[2:] for line in lines if line.startswith("$ "))
            printed = _execute(block, ["bash", "-euo", "pipefail", "-c", commands], "", folder, environment)
            shown = "\n".join(line for line in lines if not line.startswith("$ "))
            if shown and not doctest.OutputChecker().check_output(shown + "\n", printed, FLAGS):
                raise AssertionError(f"{block} shows\n{shown}\nand prints\n{printed}")


def _execute(block: Block, command: list[str], given: str, folder: Path, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        command, input=given, cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=DEADLINE
    )
    if done.returncode:
        raise AssertionError(f"{block} ends in exit code {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
