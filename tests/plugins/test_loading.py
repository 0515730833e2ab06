"""What is taken of a plugin, and why the rest is refused."""

from __future__ import annotations

import sys

import pytest

from alejo.hooks import Specs
from alejo.plugins.discovery import discover
from alejo.plugins.loading import HOOKS, NAMES, Offer, Stuck, in_time, load
from alejo.plugins.states import Refusal
from alejo.settings import Source

from .shelf import Shelf

HEAD = """
from alejo.errors import InvalidArgument
from alejo.hooks import hookimpl
from alejo.roles import Observer
from alejo.types import Appraisal, CommandSpec

class Feeling:
    async def appraise(self, text):
        return Appraisal(0.0, 0.0)

class Saying:
    spec = CommandSpec("say", "Says it.")
    async def run(self, arguments, turn):
        return arguments
"""


def load_code(shelf: Shelf, code: str, attribute: str = "", **settings: object) -> list[Offer]:
    """Loads a plugin of this code and returns what it offers."""
    shelf.add("some", HEAD + code, attribute=attribute)
    (candidate,) = discover([], shelf.entry_points())
    return load(candidate, Source(dict(settings))).offers


def emotion(value: str) -> str:
    return f"@hookimpl\ndef alejo_register_emotion(settings):\n    return {value}\n"


def returning(hook: str, value: str, body: str) -> str:
    return f"{body}\n@hookimpl\ndef alejo_register_{hook}(settings):\n    return {value}\n"


REFUSED = {
    "misspelt": ("@hookimpl\ndef alejo_register_emotoin(settings): return Feeling()", "no hook alejo_register_emotoin"),
    "misspelt, unmarked": ("def alejo_register_comands(settings): return []", "no hook alejo_register_comands"),
    "marked, other name": ("@hookimpl\ndef register(settings): return Feeling()", "no hook register"),
    "not marked": ("def alejo_register_emotion(settings): return Feeling()", "not marked as a hook"),
    "too many arguments": ("@hookimpl\ndef alejo_register_emotion(settings, host): return 1", "(settings, host) asks"),
    "async": ("@hookimpl\nasync def alejo_register_emotion(settings): return Feeling()", "not a plain function"),
    "wrapper": (
        "@hookimpl(wrapper=True)\ndef alejo_register_emotion(settings): return (yield)",
        "not a plain function",
    ),
    "raises": (emotion("1 / 0"), "alejo_register_emotion raised ZeroDivisionError at some.py:17"),
    "exits": (emotion("exit(3)"), "alejo_register_emotion raised SystemExit"),
    "settings": (
        "@hookimpl\ndef alejo_register_emotion(settings): raise InvalidArgument.field('mood', 'must be good.')",
        "settings are wrong: mood: must be good.",
    ),
    "no hooks": ("", "implements no hook"),
    "fails to import": ("import no_such_module", "No module named 'no_such_module'"),
    "exits at import": ("raise SystemExit", "SystemExit"),
    "no method": (emotion("object()"), "emotion has no method appraise"),
    "plain method": (
        returning("emotion", "Plain()", "class Plain:\n    def appraise(self, text): return None"),
        "emotion.appraise is not a coroutine function",
    ),
    "no argument": (
        returning("emotion", "Less()", "class Less:\n    async def appraise(self): return None"),
        "emotion.appraise takes (), but is called with 1 argument",
    ),
    "more arguments": (
        returning("emotion", "More()", "class More:\n    async def appraise(self, text, mood): return None"),
        "emotion.appraise takes (text, mood), but is called with 1 argument",
    ),
    "attribute": (returning("emotion", "Odd()", "class Odd:\n    appraise = 3"), "emotion.appraise is not a method"),
    "class": (emotion("Feeling"), "emotion.appraise takes (self, text), but is called"),
    "property raises": (
        returning("emotion", "Odd()", "class Odd:\n    @property\n    def appraise(self): raise SystemExit"),
        "Looking at its emotion raised SystemExit",
    ),
    "brain without yield": (
        returning("brain", "Mute()", "class Mute:\n    async def respond(self, turn): return 'x'"),
        "brain.respond is a coroutine function; it must be an async generator",
    ),
    "one command": (returning("commands", "Saying()", ""), "returned Saying, not a list"),
    "no spec": (
        returning("commands", "[Bare()]", "class Bare:\n    async def run(self, arguments, turn): return ''"),
        "has no spec",
    ),
    "wrong spec": (returning("commands", "[Saying()]", "Saying.spec = CommandSpec('say', 3)"), "field of a wrong type"),
    "two words": (returning("commands", "[Saying()]", "Saying.spec = CommandSpec('say it', '')"), "not one word"),
    "not an observer": (returning("observers", "[Feeling()]", ""), "observer has no method message_received"),
    "nameless learner": (
        returning(
            "learners", "[Keen()]", "class Keen:\n    wants = ()\n    async def learn(self, lesson): return None"
        ),
        "learner name None is not one word",
    ),
    "greedy learner": (
        returning(
            "learners",
            "[Keen()]",
            "class Keen:\n    name, wants = 'keen', ('all',)\n    async def learn(self, lesson): return None",
        ),
        "learner keen wants",
    ),
    "no openers": (returning("storage", "['x:']", ""), "openers by URL scheme"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_with_a_reason(shelf: Shelf, case: str) -> None:
    """Each mistake an author can make is named."""
    code, reason = REFUSED[case]
    with pytest.raises(Refusal) as refused:
        load_code(shelf, code)
    assert reason in refused.value.reason
    assert refused.value.reason.endswith(".")


@pytest.mark.parametrize("name", ["alejo_register_emotoin", "alejo_register_command", "alejo_register_visoin"])
def test_a_misspelt_hook_is_recognised(shelf: Shelf, name: str) -> None:
    """A hook's name with a slip in it is answered with the name that was meant."""
    with pytest.raises(Refusal) as refused:
        load_code(shelf, f"@hookimpl\ndef {name}(settings): return None")
    assert refused.value.hint in {f"Did you mean {hook}?" for hook in HOOKS}


def test_every_hook_has_a_role() -> None:
    """The loader knows exactly the hooks that are specified."""
    assert set(NAMES) == {name for name in vars(Specs) if name.startswith("alejo_")}


def test_a_module_offers_what_its_hooks_return(shelf: Shelf) -> None:
    """One plugin may fill several roles; a hook that returns None offers nothing."""
    code = """
class Hearing(Observer):
    async def message_received(self, message): pass

class Talking:
    def respond(self, turn): return self.say()
    async def say(self): yield "x"
""" + "\n".join([
        returning("emotion", "Feeling()", ""), returning("commands", "[Saying()]", ""), returning("vision", "None", ""),
        returning("observers", "(Hearing(), Hearing())", ""), returning("brain", "Talking()", ""),
        returning("storage", "{'x': print}", ""),
    ])  # fmt: skip
    roles = [offer.role for offer in load_code(shelf, code)]
    assert sorted(roles) == ["brain", "command", "emotion", "observer", "observer", "storage"]


@pytest.mark.parametrize("attribute", ["Plugin", "plugin"])
def test_an_object_or_a_class_can_be_the_plugin(shelf: Shelf, attribute: str) -> None:
    """The entry point may name a class, of which one object is made, or an object."""
    code = """
class Plugin:
    alejo_note = "a value of any name is no hook"
    @hookimpl
    def alejo_register_emotion(self): return Feeling()
plugin = Plugin()
"""
    assert [offer.role for offer in load_code(shelf, code, attribute)] == ["emotion"]


def test_hooks_get_the_plugins_own_settings(shelf: Shelf) -> None:
    """Each hook gets a copy of the settings: what one changes, neither another nor the host sees."""
    code = """
@hookimpl
def alejo_register_emotion(settings):
    assert settings == {"words": ["a"]}
    settings["words"].append("b")
    return Feeling()
@hookimpl
def alejo_register_commands(settings):
    assert settings == {"words": ["a"]}
    settings["words"].append("c")
    return [Saying()]
"""
    words = ["a"]
    assert len(load_code(shelf, code, words=words)) == 2
    assert words == ["a"]


async def test_a_hook_that_hangs_is_left_behind(shelf: Shelf) -> None:
    """Loading that does not end within its time is refused, naming the line; the loop goes on meanwhile."""
    code = """
import threading
GATE = threading.Event()
@hookimpl
def alejo_register_emotion(settings):
    GATE.wait()
"""
    with pytest.raises(Stuck, match=r"did not end within 0.2 s \(it hangs at some.py:20\)"):
        await in_time(lambda: load_code(shelf, code), 0.2, "some", "some")
    sys.modules["some"].GATE.set()
