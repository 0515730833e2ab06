"""The log of a process."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alejo import log


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    log.configure("info", stream)
    yield stream
    log.configure("info", io.StringIO())


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_lines_are_written_together(written: io.StringIO) -> None:
    """While a loop runs, lines wait to be written in one go, without anybody asking."""
    logger = log.get()
    for number in range(100):
        logger.info("call", number=number)
    assert written.getvalue() == ""
    async with asyncio.timeout(10):
        while not written.getvalue():  # noqa: ASYNC110  it is the timer that is waited for
            await asyncio.sleep(log.FLUSH_SECONDS / 10)
    assert [one["number"] for one in lines(written)] == list(range(100))


async def test_a_warning_does_not_wait(written: io.StringIO) -> None:
    """A warning or error is written at once, behind what waited before it."""
    logger = log.get()
    logger.info("first")
    logger.error("second")
    assert [(one["event"], one["level"]) for one in lines(written)] == [("first", "info"), ("second", "error")]


def test_without_a_loop_nothing_waits(written: io.StringIO) -> None:
    """Outside an event loop each line is written as it comes, one JSON object with time and level."""
    log.get().info("plain", words="é \n", number=1.5)
    (line,) = lines(written)
    assert line.pop("at").startswith("20")
    assert line == {"level": "info", "event": "plain", "words": "é \n", "number": 1.5}


def test_the_level_is_kept() -> None:
    """What lies below the level is not written; another word for a level is refused."""
    stream = io.StringIO()
    log.configure("warning", stream)
    log.get().info("quiet")
    log.get().warning("loud")
    assert [one["event"] for one in lines(stream)] == ["loud"]
    with pytest.raises(ValueError, match=r"log\.level"):
        log.configure("loud")
    log.configure("info", io.StringIO())


def test_an_imported_library_says_nothing() -> None:
    """Without configure nothing is written, to neither output, and logging costs no error."""
    code = "from alejo import log; log.get().error('x'); log.get().critical('y'); log.flush()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_what_waits_is_written_at_the_end() -> None:
    """A process that ends with its loop still holding lines writes them."""
    code = (
        "import asyncio\nfrom alejo import log\nlog.configure()\n"
        "async def main(): log.get().info('last words')\nasyncio.run(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert json.loads(done.stderr)["event"] == "last words"


def test_a_trace_has_places_and_no_words(written: io.StringIO) -> None:
    """A trace names types and places of an error and its causes, and leaves their text out."""

    def deep() -> None:
        raise ValueError("the user's secret")

    try:
        try:
            deep()
        except ValueError as error:
            raise RuntimeError("another secret") from error
    except RuntimeError as error:
        told = log.trace(error)
    assert told[0] == "RuntimeError"
    assert "ValueError" in told
    assert any(place.endswith(" deep") for place in told)
    assert not any("secret" in place for place in told)


def test_libraries_are_heard_without_their_values(written: io.StringIO) -> None:
    """A warning of the standard library's logging is told with its place and template; what was filled in stays out."""
    logging.getLogger("some.library").warning("could not read %s", "the user's words")
    logging.getLogger("some.library").info("not a warning")
    (line,) = lines(written)
    assert (line["library"], line["level"], line["template"]) == ("some.library", "warning", "could not read %s")
    assert re.fullmatch(r"test_log:\d+", line["place"])
    assert "words" not in written.getvalue()


@pytest.mark.parametrize(
    "message", ["Got the user's words", "100 % of the words", "never retrieved\nfuture: 'the words'"]
)
def test_a_library_that_fills_in_its_message_itself(written: io.StringIO, message: str) -> None:
    """Of a message that has no places to fill in, as asyncio writes them, only who wrote it and where is told."""
    logging.getLogger("some.library").error(message)
    (line,) = lines(written)
    assert (line["library"], line["level"], "template" in line) == ("some.library", "error", False)
    assert line["place"].startswith("test_log:")
    assert "words" not in written.getvalue()


def test_a_closed_stream_is_no_error() -> None:
    """When nobody reads the log any more, the process goes on."""
    stream = io.StringIO()
    log.configure("info", stream)
    stream.close()
    log.get().error("nobody hears")
    log.configure("info", io.StringIO())


@pytest.mark.parametrize("own", [False, True])
def test_an_open_library_leaves_stdout_to_the_program(environment: dict[str, str], tmp_path: Path, own: bool) -> None:
    """Its warnings go to the program's logging, and so to stderr at first, unless the program logs by structlog."""
    program = f"""
import asyncio, alejo, structlog
if {own}:
    structlog.configure(processors=[lambda *_: "own"], logger_factory=structlog.PrintLoggerFactory())
async def main():
    async with alejo.open("files:{tmp_path}/notes", entry_points=[]):
        print("done")
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=60, check=True
    )
    assert done.stdout.splitlines() == (["own"] if own else []) + ["done"]
    assert ("plain text" in done.stderr) is not own
