"""The example clients, run as their READMEs say, over a way on which calls fail once."""

from __future__ import annotations

import asyncio
import doctest
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import msgspec
import pytest

from alejo.app import Assistant
from alejo.server import Server
from alejo.types import Page, Scope
from alejo.v1 import chat_pb2, memory_pb2

from .relay import Relay, relay

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
CACHE = ROOT / ".cache" / "go"  # of the Go in .venv; the machine's own has its own
PATH = os.pathsep.join([os.environ["PATH"], str(Path(sys.executable).parent)])  # of both, the machine's own wins
ANN = Scope("shop", "ann")
SECONDS = 60.0
SAID = (
    "remembered: My dog is called Luna.\n"
    'answered: Luna. You told me today, ...: "My dog is called Luna."\n'
    "recalled: My dog is called Luna.\n"
)


class Ended(msgspec.Struct, frozen=True):
    """How a program ended."""

    code: int
    out: str
    err: str


def need(program: str, fetched: Path) -> str:
    """Where a program is. Skips the test where it or what it needs was not set up; in CI that is a failure."""
    found = shutil.which(program, path=PATH)
    if found and fetched.exists():
        return found
    missing = f"{fetched.relative_to(ROOT)} is missing" if found else f"{program} is neither on PATH nor in .venv"
    told = f"{missing}: scripts/setup.sh dev"
    return pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go client, built from what was fetched before."""
    go, program = need("go", EXAMPLES / "go" / "gen"), tmp_path_factory.mktemp("go") / "alejo"
    offline = {"GOPROXY": "off", "GOFLAGS": ""}
    if Path(go).parent == Path(sys.executable).parent:
        offline |= {"GOMODCACHE": str(CACHE / "mod"), "GOCACHE": str(CACHE / "build")}
    command = [go, "build", "-C", str(EXAMPLES / "go"), "-buildvcs=false", "-o", str(program), "."]
    made = subprocess.run(command, env=os.environ | offline, check=False, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return program


@pytest.fixture(params=["go", "node", "python"])
def client(request: pytest.FixtureRequest) -> tuple[str, list[str]]:
    """A client: its folder and its command."""
    folder: str = request.param
    match folder:
        case "go":
            return folder, [str(request.getfixturevalue("built"))]
        case "node":
            return folder, [need("node", EXAMPLES / "node" / "node_modules"), "alejo.mjs"]
    return folder, [sys.executable, "talk.py"]


@pytest.fixture
async def way(assistant: Assistant) -> AsyncIterator[Relay]:
    """A relay to a server of the assistant."""
    server = Server(assistant, tcp=False, metrics=False)
    await server.start()
    async with relay(f"unix:{server.socket_path}") as one:
        yield one
    await server.drain(0.0)


async def run(client: tuple[str, list[str]], url: str, **environment: str) -> Ended:
    """Runs a client in its folder against a server."""
    folder, command = client
    given = {"HOME": "/nonexistent", "PATH": PATH, "ALEJO_CLIENT_URL": url} | environment
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, cwd=EXAMPLES / folder, env=given, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate()
    return Ended(process.returncode or 0, out.decode(), err.decode())


async def test_a_client_gets_through(client: tuple[str, list[str]], way: Relay, assistant: Assistant) -> None:
    """With key, user and deadline; a lost answer and a refusal are sent again under the same request id, done once."""
    _, key = await assistant.keys.add("app", tenant="shop")
    way.faults |= {"Remember": "lose", "ChatStream": "refuse", "Recall": "refuse"}
    ended = await run(client, f"http://{way.address}", ALEJO_API_KEY=key, ALEJO_USER="ann")
    assert (ended.code, ended.err) == (0, "")
    assert doctest.OutputChecker().check_output(SAID, ended.out, doctest.ELLIPSIS), ended.out
    for method in ("Remember", "ChatStream", "Recall"):
        first, second = way.attempts(method)
        assert (first.code, second.code) == (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.OK)
        assert first.frames == second.frames
        for one in (first, second):
            assert (one.metadata["authorization"], one.metadata["x-alejo-user"]) == (f"Bearer {key}", "ann")
            assert one.seconds is not None
            assert 1 < one.seconds < 31  # gRPC rounds up
    assert memory_pb2.RememberRequest.FromString(way.attempts("Remember")[0].frames[0]).request_id
    assert chat_pb2.ChatStreamRequest.FromString(way.attempts("ChatStream")[0].frames[0]).chat.request_id
    memories, _ = await assistant.memories.list(ANN, Page())
    assert [one.text for one in memories].count("My dog is called Luna.") == 1
    assert len((await assistant.sessions.list(ANN, Page()))[0]) == 1


async def test_a_client_says_why_it_was_refused(client: tuple[str, list[str]], way: Relay) -> None:
    """A wrong key is named by its reason on stderr, and the program ends with 1; it is not tried again."""
    ended = await run(client, f"http://{way.address}", ALEJO_API_KEY="alejo_wrong")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines()[0].startswith("KEY_INVALID: ")
    assert len(way.seen) == 1


async def test_a_client_says_that_nobody_is_there(client: tuple[str, list[str]]) -> None:
    """Without a server the program ends with 1 and one line, after its retries."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        ended = await run(client, f"http://127.0.0.1:{nobody.getsockname()[1]}")
    assert (ended.code, ended.out, len(ended.err.splitlines())) == (1, "", 1)
    assert ended.err.partition(":")[0].upper() in {"UNAVAILABLE", "NOT_REACHABLE"}


@pytest.mark.parametrize("file", ["go/main.go", "node/alejo.mjs", "python/talk.py"])
def test_a_client_fits_on_a_page(file: str) -> None:
    """Each client has at most 80 lines."""
    assert len((EXAMPLES / file).read_text().splitlines()) <= 80


def test_what_is_locked_names_no_host() -> None:
    """The lock file of Node says what is fetched by its hash, not where from."""
    locked = json.loads((EXAMPLES / "node" / "package-lock.json").read_text())["packages"]
    assert [name for name, one in locked.items() if name and ("resolved" in one or "integrity" not in one)] == []
