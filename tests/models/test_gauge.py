"""No model counts more tokens than it is sent at most, whatever is said, in whatever script, by whatever tokenizer."""

from __future__ import annotations

import asyncio
import builtins
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import alejo_brain
import alejo_memory
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alejo import testing
from alejo.completions import ModelRequest, Prompt, ToolSpec
from alejo.errors import StartupError
from alejo.identity import LOCAL
from alejo.models import Gauge, at_hand, exact
from alejo.storage.keyring import Keyring
from alejo.storage.lmdb import LmdbStorage
from alejo.storage.opener import open_lmdb
from alejo.storage.store import Store
from alejo.testing.model_server import ModelServer, Said, tokens
from alejo.types import Degraded, Image, MemoryDraft, ModelUse, Role

from .scripted import Scripted
from .tokenizing import KINDS, count, texts, trained

SYSTEM = "You are an assistant. Answer in the language of the user."
TOOLS = (ToolSpec("recall", "Finds what was said.", {"type": "object", "properties": {"query": {"type": "string"}}}),)
PICTURE = Image(b"\x89PNG")
SCRIPTS = (
    "abcdefghijklmnopqrstuvwxyz ",
    "ABCDEFGHIJKLMNOP abc",
    "0123456789 .,-\n",
    "!?#$%&*()[]{}<>\\ \t\n",
    "äöüßéñçøåł abc",
    "абвгдежзийклмнопрстуфхцчшщъыьэюя ",
    "αβγδεζηθικλμνξοπρστυφχψω ",
    "अआइईउऊकखगघचछजझा ि ी",
    "漢字仮名交じり文我打算明年ひらがなカタカナ",
    "한국어어제는비가와서집에서",
    "אבגדהוזחטיכל ",
    "ابتثجحخدذرزس ",
    "ქართულიენა ",
    "😀🎉🚲🌧️ ",
)
natural = st.lists(st.sampled_from(range(len(texts()))), min_size=1, max_size=40).map(
    lambda places: "\n".join(texts()[place] for place in places)
)
scrambled = st.sampled_from(SCRIPTS).flatmap(lambda script: st.text(script, min_size=1, max_size=400))
said = st.one_of(natural, scrambled, st.text(max_size=100))


def request(texts_: Sequence[str], *, tools: bool = False, pictures: int = 0) -> ModelRequest:
    prompts = [Prompt(Role.SYSTEM, SYSTEM)]
    prompts += [Prompt(Role.USER if place % 2 == 0 else Role.ASSISTANT, each) for place, each in enumerate(texts_)]
    if pictures:
        prompts.append(Prompt(Role.USER, "What is this?", (PICTURE,) * pictures))
    return ModelRequest(tuple(prompts), tools=TOOLS if tools else ())


def counted(kind: str, asked: ModelRequest) -> int:
    """What the protocol server reports of a request, by its own tokenizer."""
    body = {"messages": [{"role": "user", "content": prompt.text} for prompt in asked.prompts]}
    tools = [{"type": "function", "function": {"name": each.name, "parameters": each.schema}} for each in asked.tools]
    return tokens(body | ({"tools": tools} if tools else {}), lambda text: count(kind, text))


def seen(kind: str, asked: ModelRequest, each: int) -> int:
    """The same of a server for which each picture has so many tokens."""
    return counted(kind, asked) + each * sum(len(prompt.images) for prompt in asked.prompts)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> LmdbStorage:
    return open_lmdb(f"lmdb:{tmp_path_factory.mktemp('gauge')}", map_size=1 << 24)


@pytest.fixture(scope="module")
def store(storage: LmdbStorage) -> Store:
    return Store(storage, Keyring(bytes(32)))


@pytest.mark.parametrize("kind", KINDS)
def test_no_request_has_more_tokens_than_its_bound(store: Store, kind: str) -> None:
    """From the first request on, and however the bounds were corrected meanwhile; they are learned from all before."""
    gauge = Gauge(store)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(said, min_size=1, max_size=4), st.booleans())
    def holds(messages: list[str], tools: bool) -> None:
        async def once() -> None:
            asked = request(messages, tools=tools)
            weight, true = gauge.weigh(kind, asked), counted(kind, asked)
            assert true <= await gauge.bound(kind, weight), (true, messages)
            await gauge.learn(kind, weight, true)

        asyncio.run(once())

    holds()
    assert gauge.exceeded.total() == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_a_bound_is_corrected_by_what_is_counted(store: Store, storage: LmdbStorage, kind: str) -> None:
    """At first it is the bytes; after some answers to what people say it is below double of what is counted."""
    gauge, model = Gauge(store), f"corrected {kind}"
    asked = [request(["Hello"]), *(request([text]) for text in _paragraphs())]
    first = await gauge.bound(model, gauge.weigh(model, asked[-1]))
    assert first >= len("".join(prompt.text for prompt in asked[-1].prompts).encode())
    for each in asked:
        await gauge.learn(model, gauge.weigh(model, each), counted(kind, each))
    # Another process finds what this one learned.
    there = Gauge(Store(storage, Keyring(bytes(32))))
    bounds = [await there.bound(model, there.weigh(model, each)) for each in asked]
    true = [counted(kind, each) for each in asked]
    assert sum(true) <= sum(bounds) < 2 * sum(true)
    assert bounds[-1] < first


def _paragraphs() -> list[str]:
    """What people said, some two thousand characters at a time."""
    english = [text for text in texts() if text.isascii() and len(text) > 40]
    return ["\n".join(english[start : start + 25]) for start in range(0, 500, 25)]


async def test_what_was_thought_too_little_is_unknown_again(store: Store) -> None:
    """A model that counts more than it could, as one whose tokenizer was exchanged, is counted by bytes again."""
    gauge, model, asked = Gauge(store), "exchanged", [request(["Hello"]), *(request([text]) for text in _paragraphs())]
    first = await gauge.bound(model, gauge.weigh(model, asked[-1]))
    for each in asked:
        await gauge.learn(model, gauge.weigh(model, each), counted("large", each))
    assert await gauge.bound(model, gauge.weigh(model, asked[-1])) < first
    await gauge.learn(model, gauge.weigh(model, asked[-1]), first)
    assert gauge.exceeded == {model: 1}
    assert await gauge.bound(model, gauge.weigh(model, asked[-1])) == first


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_picture_that_took_more_no_request_has_more_than_its_bound(store: Store, kind: str) -> None:
    """Those with pictures and those without; and so again when a model's pictures take more still."""
    gauge, model = Gauge(store), f"seeing {kind}"

    async def once(asked: ModelRequest, each: int, *, known: bool) -> None:
        weight, true = gauge.weigh(model, asked), seen(kind, asked, each)
        bound = await gauge.bound(model, weight)
        assert (true <= bound) == known, (true, bound)
        await gauge.learn(model, weight, true)

    for each in (3_000, 25_000):
        asyncio.run(once(request([], pictures=1), each, known=False))

        @settings(max_examples=30, deadline=None, derandomize=True)
        @given(st.just(each), st.lists(said, min_size=1, max_size=3), st.integers(0, 3))
        def holds(each: int, messages: list[str], pictures: int) -> None:
            asyncio.run(once(request(messages, pictures=pictures), each, known=True))

        holds()
    assert gauge.exceeded == {model: 2}


async def test_a_picture_that_takes_more_leaves_what_is_known_of_texts(store: Store) -> None:
    """What was learned of words and of what stands first holds as before."""
    gauge, model = Gauge(store), "looking"
    asked = [request(["Hello"]), *(request([text]) for text in _paragraphs())]
    for each in asked:
        await gauge.learn(model, gauge.weigh(model, each), counted("large", each))
    before = await gauge.bound(model, gauge.weigh(model, asked[-1]))
    picture = request(["Look."], pictures=1)
    await gauge.learn(model, gauge.weigh(model, picture), seen("large", picture, 10_000))
    assert gauge.exceeded == {model: 1}
    assert await gauge.bound(model, gauge.weigh(model, asked[-1])) == before
    assert 10_000 < await gauge.bound(model, gauge.weigh(model, picture)) < 12_000


async def test_a_picture_first_seen_beside_a_long_text_is_told_from_it_later(store: Store) -> None:
    """It is taken for all that was counted until one comes with few words; then it is what that one takes."""
    gauge, model = Gauge(store), "reading and looking"
    asked = [request(["Hello"]), *(request([text]) for text in _paragraphs())]
    for each in asked:
        await gauge.learn(model, gauge.weigh(model, each), counted("large", each))
    few = request(["Look."], pictures=1)
    much = request(["\n".join(_paragraphs()[:10])], pictures=1)
    await gauge.learn(model, gauge.weigh(model, much), seen("large", much, 25_000))
    assert gauge.exceeded == {model: 1}
    assert await gauge.bound(model, gauge.weigh(model, few)) > counted("large", much)
    assert seen("large", much, 25_000) <= await gauge.bound(model, gauge.weigh(model, much))
    for _ in range(4):
        await gauge.learn(model, gauge.weigh(model, few), seen("large", few, 25_000))
        assert 25_000 < await gauge.bound(model, gauge.weigh(model, few)) < 30_000
        await gauge.learn(model, gauge.weigh(model, much), seen("large", much, 25_000))
    assert gauge.exceeded == {model: 1}


async def test_a_picture_does_not_teach_that_texts_cost_nothing(store: Store) -> None:
    """What it takes is not counted to what stands first, from which the rates of texts are reckoned."""
    gauge, model = Gauge(store), "only pictures"
    picture = request([], pictures=1)
    for _ in range(3):
        await gauge.learn(model, gauge.weigh(model, picture), seen("small", picture, 25_000))
    for times in (50, 200):
        text = request(["ქართული ენა " * times])
        assert await gauge.bound(model, gauge.weigh(model, text)) >= counted("small", text)
        await gauge.learn(model, gauge.weigh(model, text), counted("small", text))
    assert gauge.exceeded == {model: 1}


async def test_a_text_is_weighed_once_in_a_turn() -> None:
    """However often a brain asks what room is left."""
    weighed: list[str] = []

    def counting(text: str) -> int:
        weighed.append(text)
        return 1

    async with testing.assistant(Scripted(a=[["Hi."]]), model__names=["a"]) as assistant:
        assistant.models.gauge = Gauge(assistant.store, {"a": counting})
        hand = at_hand(assistant.models, LOCAL)
        assert hand is not None
        for asked in (request(["Hello", "Hi."]), request(["Hello", "Hi.", "What else?"])):
            assert await hand.spare(asked) > 0
            assert [event async for event in hand.complete(asked)]
    assert sorted(weighed) == sorted(["", SYSTEM, "Hello", "Hi.", "What else?"])


async def test_a_tokenizer_s_file_counts_exactly(store: Store, tmp_path: Path) -> None:
    """Texts have the tokens that the file gives them; only what stands around them is a bound."""
    file = tmp_path / "with a blank" / "tokenizer.json"
    file.parent.mkdir()
    trained("large").save(str(file))
    gauge = Gauge(store, exact([f"m {file}"]))
    for text in _paragraphs():
        asked = request([text])
        weight = gauge.weigh("m", asked)
        true, bound = counted("large", asked), await gauge.bound("m", weight)
        assert true <= bound <= true + 128
        await gauge.learn("m", weight, true)


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
@pytest.mark.parametrize("most", [2500, 4000])
async def test_a_turn_keeps_its_budget(protocol: str, most: int) -> None:
    """What a server counts by its own tokenizer, and reports, is never beyond it: notes are left out for that."""
    setting = {"openai": "model__base_url", "anthropic": "model__anthropic_url"}[protocol]
    async with ModelServer() as server:
        server.count = functools.partial(count, "large")
        options = {setting: getattr(server, protocol), "model__prompt_tokens": most}
        async with testing.assistant(alejo_brain, alejo_memory, trusted=True, **options) as assistant:
            for text in (*_paragraphs()[:6], *(script * 40 for script in SCRIPTS)):
                await assistant.memories.remember(LOCAL, MemoryDraft(text[:1200]))
            for text in ("Hello there, you.", *texts()[:200:20], *(script * 3 for script in SCRIPTS)):
                answer = await assistant.chat(f"My neighbour said: {text}")
                assert answer.model is not None
                assert answer.model.reason in ("configured", "not_asked")  # of some it is a command
            bodies = [asked.json() for asked in server.requests if asked.method == "POST"]
            used = [tokens(body, server.count) for body in bodies]
            assert len(used) >= len(SCRIPTS)
            assert max(used) <= most
            assert max(used) > most / 3
            assert assistant.models.gauge.exceeded.total() == 0


async def test_a_message_that_is_too_long_is_not_sent() -> None:
    """The answer is one without a model, and says why."""
    async with ModelServer() as server:
        options = {"model__base_url": server.openai, "model__prompt_tokens": 500}
        async with testing.assistant(alejo_brain, alejo_memory, trusted=True, **options) as assistant:
            answer = await assistant.chat("My neighbour waters his plants in the evening. " * 50)
            assert answer.model == ModelUse("local", "too_long")
            assert Degraded("language_model", "parrot", "too_long") in answer.degraded
            assert [asked.path for asked in server.requests] == ["/v1/models"]


async def test_a_tool_s_result_that_is_too_long_is_left_out() -> None:
    """The model is told so, and answers."""
    async with ModelServer() as server:
        server.respond = _calling
        options = {"model__base_url": server.openai, "model__prompt_tokens": 6000}
        async with testing.assistant(alejo_brain, alejo_memory, trusted=True, **options) as assistant:
            for number in range(20):
                await assistant.memories.remember(LOCAL, MemoryDraft(f"{number} " + "abc xyz " * 100))
            answer = await assistant.chat("Why is the sky blue?")
    assert answer.message.text == "This is too long to be told."


def _calling(body: Any) -> Said:
    """A model that lists what is remembered, and says what it was told."""
    last = body["messages"][-1]
    return Said(last["content"]) if last["role"] == "tool" else Said(calls=[("list", "{}")])


@pytest.mark.parametrize("line", ["m", "m /nowhere/tokenizer.json"])
def test_a_tokenizer_that_cannot_be_read_is_refused_at_start(line: str) -> None:
    """The line names itself, and how it is written."""
    with pytest.raises(StartupError, match=r"model\.tokenizers: 'm") as refused:
        exact([line])
    assert "MODEL FILE" in refused.value.hint


def test_without_the_library_the_command_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    found = builtins.__import__

    def missing(name: str, *given: object, **named: object) -> object:
        if name == "tokenizers":
            raise ImportError(name)
        return found(name, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(StartupError) as refused:
        exact(["m /models/tokenizer.json"])
    assert refused.value.hint == "pip install 'alejo[tokenizers]'"
