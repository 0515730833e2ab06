"""What becomes of a turn when a language model misbehaves, how soon what it says is given out, and how well its tokens
are known before it counts them. The model is the local protocol server's, over real HTTP, with all four plugins.

answer_ms         by protocol and fault: from the question to the whole answer, whose call has a second
first_segment_ms  by protocol: from the moment the server sends what ends the first sentence until that is given out,
                  judged by the conscience
tokens_over       of requests with what people said, how far the bound of their tokens is above what the model counts,
                  in the mean: at first, and after 20 answers; `exact` with the tokenizer's file
tokens_exceeded   those of them of which more were counted than the bound

The tokens are counted by a byte-pair tokenizer of 12,000 pieces, trained on one half of the corpus; the requests are of
the other half. That needs pip install 'alejo[tokenizers]'.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import alejo_brain
import alejo_emotion
import alejo_memory
import alejo_vision
import click

from alejo import __version__, testing
from alejo.app import Assistant
from alejo.clock import FakeClock, deadline
from alejo.completions import ModelRequest, Prompt
from alejo.identity import LOCAL
from alejo.models import Gauge, exact
from alejo.testing.model_server import FAULTS, ModelServer, Said, tokens
from alejo.types import MemoryDraft, Role

from . import corpora
from .report import Row, row

if TYPE_CHECKING:
    from .options import Options

PROTOCOLS = {"openai": "model__base_url", "anthropic": "model__anthropic_url"}
QUESTION = "Who knows the way to the old mill?"
SEGMENT = "The baker knows it best."
SAID = f"{SEGMENT} He walks there every morning before the shop opens."
_SECONDS = 1.0  # that a call has
_ROUNDS, _QUICK = 20, 3
_LEARNED = 20  # answers
_TURNS = 25  # in a request
_VOCABULARY = 12_000
_INSTRUCTIONS = "You are an assistant. Answer in the language of the user."


def run(options: Options) -> list[Row]:
    """The drills, the first segments and the tokens."""
    rounds = _QUICK if options.quick else _ROUNDS
    rows: list[Row] = []
    for protocol in PROTOCOLS:
        click.echo(f"models: {protocol}, {rounds} rounds", err=True)
        rows += asyncio.run(_talk(protocol, rounds))
    return rows + asyncio.run(_tokens(options))


@asynccontextmanager
async def _talking(server: ModelServer, protocol: str, clock: FakeClock) -> AsyncIterator[Assistant]:
    """An assistant with all its plugins whose model is this server's."""
    plugins = (alejo_brain, alejo_emotion, alejo_memory, alejo_vision)
    given: dict[str, Any] = {PROTOCOLS[protocol]: getattr(server, protocol), "model__failures": 1000}
    # Reflection would ask the model too, and turns would wait for it.
    given |= {"reflection__workers": 0, "reflection__heard_seconds": 1e9, "reflection__late_seconds": 1e9}
    async with testing.assistant(*plugins, trusted=True, clock=clock, model__retries=0, **given) as assistant:
        await assistant.memories.remember(LOCAL, MemoryDraft("The baker lives beside the old mill."))
        await assistant.chat(QUESTION)
        yield assistant


async def _talk(protocol: str, rounds: int) -> list[Row]:
    loop = asyncio.get_running_loop()
    rows, clock = [], FakeClock()
    async with ModelServer(seconds=2 * _SECONDS) as server, _talking(server, protocol, clock) as assistant:
        for fault in ("", *FAULTS):
            took = []
            for _ in range(rounds):
                server.faults[:] = [fault]
                deadline.set(loop.time() + _SECONDS)
                began = loop.time()
                await assistant.chat(QUESTION)
                took.append((loop.time() - began) * 1e3)
                clock.advance(2)  # beyond the rest that a model asked for
            rows.append(_row(f"{protocol} {fault or 'well'}", "answer_ms", "ms", took))
        server.faults.clear()
        deadline.set(loop.time() + 3600)
        given = [await _first_segment(server, assistant) for _ in range(10 * rounds)]
        rows.append(_row(protocol, "first_segment_ms", "ms", [each for each in given if each is not None]))
    return rows


async def _first_segment(server: ModelServer, assistant: Assistant) -> float | None:
    """From what ends the first sentence, the space behind it, until that is given out, in ms; None of no answer."""
    server.answers[:], server.said_at = [Said(SAID)], []
    given = 0.0
    async for event in assistant.stream(QUESTION):
        if isinstance(event, str) and not given:
            given = asyncio.get_running_loop().time()
    place = len(SEGMENT.split())
    return (given - server.said_at[place]) * 1e3 if len(server.said_at) > place else None


async def _tokens(options: Options) -> list[Row]:
    try:
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers  # noqa: PLC0415  an extra
    except ImportError:
        click.echo("models: tokens are not measured without tokenizers: pip install 'alejo[tokenizers]'", err=True)
        return []
    found = corpora.read(options.data).conversations
    learned, held = ([turn.text for each in half for turn in _turns(each)] for half in (found[::2], found[1::2]))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=_VOCABULARY, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(learned, trainer)
    asked = [_request("Hello"), *(_request("\n".join(held[at : at + _TURNS])) for at in range(0, len(held), _TURNS))]
    true = [tokens(_body(each), lambda text: len(tokenizer.encode(text).ids)) for each in asked]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tokenizer.json"
        tokenizer.save(str(file))
        async with testing.assistant() as assistant:
            for name, gauge in (
                ("bound", Gauge(assistant.store)),
                ("exact", Gauge(assistant.store, exact([f"exact {file}"]))),
            ):
                over = []
                for one, counted in zip(asked, true, strict=True):
                    weight = gauge.weigh(name, one)
                    over.append(await gauge.bound(name, weight) / counted - 1)
                    await gauge.learn(name, weight, counted)
                rows += _over(name, over)
    return rows


def _over(name: str, over: Sequence[float]) -> list[Row]:
    first, later = over[1], over[_LEARNED + 1 :]
    mean = sum(later) / len(later)
    rows = [_row(f"{name}, after {_LEARNED} answers", "tokens_over", "share", [mean])]
    rows.append(_row(name, "tokens_exceeded", "", [float(sum(each < 0 for each in over))]))
    return [_row(f"{name}, at first", "tokens_over", "share", [first]), *rows]


def _turns(conversation: corpora.Conversation) -> Sequence[corpora.Turn]:
    return list(itertools.chain.from_iterable(session.turns for session in conversation.sessions))


def _request(text: str) -> ModelRequest:
    return ModelRequest((Prompt(Role.SYSTEM, _INSTRUCTIONS), Prompt(Role.USER, text)))


def _body(request: ModelRequest) -> Any:
    """What the protocol server counts."""
    return {"messages": [{"role": "user", "content": prompt.text} for prompt in request.prompts]}


def _row(case: str, metric: str, unit: str, values: Sequence[float]) -> Row:
    return row("models", case, "alejo", __version__, metric, unit, values)
