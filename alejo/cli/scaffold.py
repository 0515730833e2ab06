"""The files of a new plugin: one role, its settings, its tests, a README. They pass `alejo plugins check`."""

from __future__ import annotations

from typing import NamedTuple

from alejo import __version__


class Role(NamedTuple):
    """What differs between the roles: imports, class, hook, and the part of the test that calls it."""

    types: str
    code: str
    hook: str
    test: str


_PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "alejo-{name}"
version = "0.1.0"
description = "A plugin for ALEJO."
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["alejo>={least},<{most}"]

[project.entry-points.alejo]
{name} = "{module}"

[dependency-groups]
dev = ["pytest>=9", "pytest-asyncio>=1.3"]

[tool.hatch.build.targets.wheel]
packages = ["src/{module}"]

[tool.pytest.ini_options]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "function"
pythonpath = ["src"]
"""

_README = """\
# alejo-{name}

A plugin for ALEJO: {what}.

`pip install alejo-{name}` beside ALEJO and start the server again, or `alejo plugins reload {name}` while it runs.

## Settings

In `alejo.toml`, as the table `[plugin.{name}]`, or in the environment:

| setting | default | environment | |
|---|---|---|---|
| `plugin.{name}.word` | `"Hello"` | `{variable}` | The word it uses. |
"""

_MODULE = '''\
"""A plugin for ALEJO: {what}."""

from __future__ import annotations

from typing import Annotated

import msgspec

from alejo.hooks import hookimpl
{types}

class Settings(msgspec.Struct):
    """What [plugin.{name}] may say."""

    word: Annotated[str, msgspec.Meta(description="The word it uses.", min_length=1)] = "Hello"

{code}

@hookimpl
def alejo_register_settings() -> type[Settings]:
    """The schema of its settings."""
    return Settings


@hookimpl
{hook}
'''

_TEST = '''\
"""The plugin in a real host."""

from __future__ import annotations

import {module}

from alejo import testing
from alejo.types import {test_types}PluginState


async def test_it_works() -> None:
    """It is loaded and does what it is for, with its settings."""
    async with testing.host({module}, settings={{"{name}": {{"word": "Hi"}}}}) as host:
        assert host.status().state is PluginState.ACTIVE, host.status().reason
{test}

async def test_a_wrong_setting_is_told() -> None:
    """An empty word is refused with file and key."""
    async with testing.host({module}, settings={{"{name}": {{"word": ""}}}}) as host:
        assert host.status().reason.startswith("alejo.toml: plugin.{name}.word: ")
'''

ROLES = {
    "command": Role(
        "from alejo.roles import Command, Turn\nfrom alejo.types import CommandSpec\n",
        '''
class {cls}:
    """The command `{word}`."""

    spec = CommandSpec("{word}", "Greets somebody.", usage="{word} Luna", effects=(), phrases=("{word} to {{name}}",))

    def __init__(self, word: str) -> None:
        self._word = word

    async def run(self, arguments: str, turn: Turn) -> str:
        """What it says."""
        return f"{{self._word}}, {{arguments or 'you'}}!"
''',
        '''def alejo_register_commands(settings: Settings) -> list[Command]:
    """The commands."""
    return [{cls}(settings.word)]''',
        """        assert await host.run("{word}", "Luna") == "Hi, Luna!"
""",
    ),
    "brain": Role(
        "from collections.abc import AsyncIterator\n\nfrom alejo.roles import Brain, Turn\n",
        '''
class {cls}:
    """Answers."""

    def __init__(self, word: str) -> None:
        self._word = word

    async def respond(self, turn: Turn) -> AsyncIterator[str]:
        """The answer, piece by piece."""
        context = await turn.desk.context()
        yield f"{{self._word}}! "
        yield f"I know {{len(context.items)}} things about that."
''',
        '''def alejo_register_brain(settings: Settings) -> Brain:
    """What answers."""
    return {cls}(settings.word)''',
        """        pieces = [piece async for piece in host.stream("brain", "respond", testing.turn("Who are you?"))]
        assert pieces[0] == "Hi! "
""",
    ),
    "emotion": Role(
        "from alejo.roles import EmotionModel\nfrom alejo.types import Appraisal\n",
        '''
class {cls}:
    """Feels."""

    def __init__(self, word: str) -> None:
        self._word = word

    async def appraise(self, text: str) -> Appraisal:
        """What is in a text: valence from -1 to 1, arousal from 0 to 1."""
        return Appraisal(0.5 if self._word in text else 0.0, 0.1)
''',
        '''def alejo_register_emotion(settings: Settings) -> EmotionModel:
    """What feels."""
    return {cls}(settings.word)''',
        """        assert (await host.call("emotion", "appraise", "Hi there")).valence == 0.5
""",
    ),
    "vision": Role(
        "from alejo.roles import Vision\nfrom alejo.types import Image, Percept\n",
        '''
class {cls}:
    """Sees."""

    def __init__(self, word: str) -> None:
        self._word = word

    async def perceive(self, image: Image) -> Percept:
        """What is in a picture. Raise alejo.errors.InvalidArgument when the bytes are none."""
        return Percept(0, 0, "unknown", summary=f"{{self._word}}: {{len(image.data)}} bytes.")
''',
        '''def alejo_register_vision(settings: Settings) -> Vision:
    """What sees."""
    return {cls}(settings.word)''',
        """        assert (await host.call("vision", "perceive", Image(b"1234"))).summary == "Hi: 4 bytes."
""",
    ),
    "embedder": Role(
        "from array import array\nfrom collections.abc import Sequence\n\nfrom alejo.roles import Embedder\n"
        "from alejo.types import EmbeddingModel\n",
        '''
class {cls}:
    """Turns texts into vectors."""

    def __init__(self, word: str) -> None:
        self._word = word

    async def model(self) -> EmbeddingModel:
        """Which model it is; another name when its vectors change."""
        return EmbeddingModel("letters 1", 26)

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        """A vector for each text: here, how often it has each letter, and the word of the settings all of them."""
        return [array("f", [1 + self._count(text, letter) for letter in range(97, 123)]).tobytes() for text in texts]

    def _count(self, text: str, letter: int) -> int:
        return (self._word + text).lower().count(chr(letter))
''',
        '''def alejo_register_embedder(settings: Settings) -> Embedder:
    """What turns texts into vectors."""
    return {cls}(settings.word)''',
        """        assert (await host.call("embedder", "model")).dimensions == 26
        assert len(await host.call("embedder", "embed", ["a", "b"])) == 2
""",
    ),
    "learner": Role(
        "from alejo.roles import Learner, Lesson\nfrom alejo.types import Learned, Metric\n",
        '''
class {cls}:
    """Learns from sessions that have ended; here, how often the user said its word."""

    name = "{word}"
    wants = ("pairs",)

    def __init__(self, word: str) -> None:
        self._word = word

    async def learn(self, lesson: Lesson) -> Learned:
        """What was learned of a session."""
        before = int(lesson.state or b"0")
        said = sum(self._word in pair.question for pair in lesson.pairs if pair.session_id == lesson.session.id)
        return Learned(b"%d" % (before + said), metrics=(Metric("said", before, before + said),))
''',
        '''def alejo_register_learners(settings: Settings) -> list[Learner]:
    """What learns from sessions that have ended."""
    return [{cls}(settings.word)]''',
        """        learned = await host.call("learner", "learn", testing.lesson())
        assert learned.state == b"0"
""",
    ),
    "memory": Role(
        "from collections.abc import Sequence\n\nfrom alejo.roles import MemoryStrategy\n"
        "from alejo.types import Layer, MemoryDraft, Message, RecallPlan\n",
        '''
class {cls}:
    """Judges what to keep and how to look for it."""

    def __init__(self, word: str) -> None:
        self._word = word

    async def keep(self, message: Message) -> Sequence[MemoryDraft]:
        """What of a message becomes a memory."""
        return () if message.text.startswith(self._word) else (MemoryDraft(message.text, Layer.EPISODIC),)

    async def complete(self, draft: MemoryDraft) -> MemoryDraft:
        """The draft with layer and importance chosen where they were left open."""
        layer = Layer.SEMANTIC if draft.layer is None else draft.layer
        importance = 0.5 if draft.importance is None else draft.importance
        return msgspec.structs.replace(draft, layer=layer, importance=importance)

    async def plan(self, query: str) -> RecallPlan:
        """How a recall looks for it."""
        return RecallPlan()
''',
        '''def alejo_register_memory(settings: Settings) -> MemoryStrategy:
    """What judges memories."""
    return {cls}(settings.word)''',
        """        assert len(await host.call("memory", "keep", testing.message("My dog is called Luna."))) == 1
        assert await host.call("memory", "keep", testing.message("Hi")) == ()
""",
    ),
    "observer": Role(
        "from alejo.roles import Observer\nfrom alejo.types import Message\n",
        '''
class {cls}(Observer):
    """Hears what happened; override what you need of alejo.roles.Observer."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.heard = 0

    async def message_received(self, message: Message) -> None:
        """A user's message is on disk."""
        self.heard += 1
''',
        '''def alejo_register_observers(settings: Settings) -> list[Observer]:
    """What wants to hear of events."""
    return [{cls}(settings.word)]''',
        """        await host.call("observer", "message_received", testing.message("Hello"))
        assert host.plugins.every("observer")[0].object.heard == 1
""",
    ),
}


def files(name: str, role: str) -> dict[str, str]:
    """The files of a new plugin by their path. `name` is one word, or several with hyphens."""
    chosen = ROLES[role]
    major, minor, *_ = __version__.split(".")
    word = name.replace("-", "_")
    words = {
        "name": name,
        "module": f"alejo_{word}",
        "cls": "".join(part.capitalize() for part in name.split("-")),
        "word": word,
        "variable": f"ALEJO_PLUGIN_{word.upper()}_WORD",
        "what": f"a {role} to begin with" if role[0] not in "aeiou" else f"an {role} to begin with",
        "least": f"{major}.{minor}.0.dev0",
        "most": f"{major}.{int(minor) + 1}",
    }
    words |= {key: getattr(chosen, key).format(**words) for key in ("code", "hook", "test")}
    head, _, rest = chosen.types.rpartition("\n\n")
    words["types"] = rest
    module = _MODULE.format(**words)
    if head:
        module = module.replace("from typing import", f"{head}\nfrom typing import", 1)
    return {
        "pyproject.toml": _PYPROJECT.format(**words),
        "README.md": _README.format(**words),
        f"src/alejo_{word}/__init__.py": module,
        f"src/alejo_{word}/py.typed": "",
        f"tests/test_{word}.py": _TEST.format(**words, test_types="Image, " if role == "vision" else ""),
    }
