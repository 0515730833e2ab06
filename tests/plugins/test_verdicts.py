"""The first import in a child process, and what is remembered of it."""

from __future__ import annotations

import os
import select
import sys
import time

import msgspec
import pytest

from alejo.plugins.discovery import Candidate, discover
from alejo.plugins.states import Refusal
from alejo.plugins.verdicts import RETRY, Verdict, Verdicts, key

from .shelf import Shelf

HOUR = RETRY


def candidate(shelf: Shelf) -> Candidate:
    (found,) = discover([], shelf.entry_points())
    return found


def verdicts(shelf: Shelf, now: int = HOUR, seconds: float = 10.0) -> Verdicts:
    return Verdicts(shelf.home / "plugins.json", now, seconds)


@pytest.mark.parametrize(("code", "reason"), [
    ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    ("from json import nothing", "cannot import name 'nothing' from 'json'."),
    ("raise RuntimeError('one {two}\\nthree')", "RuntimeError: one {two} three"),
    ("import sys; sys.exit(7)", "SystemExit: 7"),
    ("import os; os._exit(7)", "ended the process (exit code 7)"),
    ("import os; os.kill(os.getpid(), 11)", "killed the process (SIGSEGV)"),
    ("while True: print('x' * 4096)", "writes without end"),
    ("syntax error", "SyntaxError"),
])  # fmt: skip
def test_a_bad_import_is_told_in_one_sentence(shelf: Shelf, code: str, reason: str) -> None:
    """Whatever an import does to its process ends in a reason and a hint, and this process lives."""
    shelf.add("bad", code)
    verdict = verdicts(shelf).judge(candidate(shelf))
    assert reason in verdict.reason
    assert "(/" not in verdict.reason
    assert verdict.hint
    assert "bad" not in sys.modules


def test_a_hanging_import_ends_with_its_budget(shelf: Shelf) -> None:
    """An import that hangs is killed when its time is over, and its line is named."""
    shelf.add("slow", "import time\n\n\ntime.sleep(600)\n")
    started = time.monotonic()
    verdict = verdicts(shelf, seconds=1.0).judge(candidate(shelf))
    assert time.monotonic() - started < 60
    assert verdict.reason == "Its import did not end within 1 s (it hangs at slow.py:4)."


def test_what_an_import_started_dies_with_it(shelf: Shelf) -> None:
    """A process that a plugin starts while it is imported does not outlive the child."""
    noted = shelf.folder / "pid"
    code = f"""
        import pathlib, subprocess
        child = subprocess.Popen(["sleep", "600"])
        pathlib.Path({str(noted)!r}).write_text(str(child.pid))
    """
    shelf.add("forks", code)
    assert verdicts(shelf).judge(candidate(shelf)).reason == ""
    assert has_ended(int(noted.read_text()))


def has_ended(pid: int) -> bool:
    """Whether a process ends within some seconds: the signal that kills it may still be on its way."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with open(descriptor, "rb", buffering=0) as process:
        return bool(select.select([process], [], [], 5)[0])


def test_a_good_import_may_print_and_leave_threads(shelf: Shelf) -> None:
    """Some output, a thread and an exit function do not make an import bad, nor slow."""
    code = """
        import atexit, threading, time
        print("hello")
        threading.Thread(target=time.sleep, args=(600,)).start()
        atexit.register(time.sleep, 600)
    """
    shelf.add("loud", code)
    assert verdicts(shelf, seconds=10.0).judge(candidate(shelf)).reason == ""


def test_a_missing_attribute_is_told(shelf: Shelf) -> None:
    """An entry point that names what its module lacks is refused."""
    shelf.add("hollow", "", attribute="plugin")
    assert "AttributeError" in verdicts(shelf).judge(candidate(shelf)).reason


def test_verdicts_are_kept_on_disk(shelf: Shelf) -> None:
    """What one process learned another finds, and other entries stay."""
    verdicts(shelf).keep({"a": Verdict(1)})
    verdicts(shelf).keep({"b": Verdict(2)})
    assert verdicts(shelf).find("a") == Verdict(1)
    assert verdicts(shelf).find("b") == Verdict(2)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b"\xff" * 100])
def test_a_damaged_file_is_ignored(shelf: Shelf, content: bytes) -> None:
    """A cache that cannot be read is as good as none, and is written anew."""
    (shelf.home / "plugins.json").parent.mkdir()
    (shelf.home / "plugins.json").write_bytes(content)
    assert verdicts(shelf).find("a") is None
    verdicts(shelf).keep({"a": Verdict(1)})
    assert verdicts(shelf).find("a") == Verdict(1)


def test_a_cache_that_cannot_be_written_costs_nothing(shelf: Shelf) -> None:
    """A home that is a file keeps no verdicts and raises nothing."""
    shelf.home.write_text("")
    verdicts(shelf).keep({"a": Verdict(1)})
    assert verdicts(shelf).find("a") is None


def test_a_bad_verdict_does_not_last(shelf: Shelf) -> None:
    """A bad verdict holds for an hour at most, and neither with a longer budget nor among other packages."""
    shelf.add("bad", "import no_such_module")
    bad = verdicts(shelf).judge(candidate(shelf))
    verdicts(shelf).keep({"a": bad})
    assert verdicts(shelf, now=2 * HOUR - 1).find("a") == bad
    assert verdicts(shelf, now=2 * HOUR).find("a") is None
    assert verdicts(shelf, now=0).find("a") is None
    assert verdicts(shelf, seconds=11.0).find("a") is None
    shelf.add("no-such-module", "")
    assert verdicts(shelf).find("a") is None


def test_the_newest_verdicts_are_kept(shelf: Shelf) -> None:
    """The file does not grow without end."""
    verdicts(shelf).keep({str(number): Verdict(number) for number in range(600)})
    kept = msgspec.json.decode((shelf.home / "plugins.json").read_bytes())
    assert set(kept) == {str(number) for number in range(100, 600)}


def test_other_code_is_another_plugin(shelf: Shelf) -> None:
    """A verdict holds for one RECORD: the same name and version with other files is not known."""
    shelf.add("some", "first = 1")
    first = key(candidate(shelf))
    assert key(candidate(shelf)) == first
    shelf.add("some", "second = 2")
    assert key(candidate(shelf)) != first


def test_an_editable_install_is_known_by_its_sources(shelf: Shelf) -> None:
    """Where the sources are used in place, a touched file makes it another plugin though RECORD stays."""
    module = shelf.add("some", "first = 1")
    direct = shelf.folder / "some-1.0.dist-info" / "direct_url.json"
    direct.write_text('{"url": "file:///somewhere", "dir_info": {"editable": true}}')
    first = key(candidate(shelf))
    assert key(candidate(shelf)) == first
    os.utime(shelf.folder / f"{module}.py", ns=(1, 1))
    assert key(candidate(shelf)) != first


def test_a_verdict_speaks(shelf: Shelf) -> None:
    """A bad verdict refuses with its reason and hint; a good one lets pass."""
    Verdict(1).check()
    with pytest.raises(Refusal) as refused:
        Verdict(1, "why", "what helps").check()
    assert (refused.value.reason, refused.value.hint) == ("why", "what helps")
