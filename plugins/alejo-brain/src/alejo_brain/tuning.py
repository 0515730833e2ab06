"""Fine-tunes a model with a user's own questions and answers, over the OpenAI API, and measures what it gained.

One step a call, and each leaves its place in the state that the host keeps: files are brought, a job is begun (once for
its id, whatever is killed when), followed until it ends, and the files are taken away again. Every tenth pair, chosen
by its id, is held back: before and after, models answer those questions, and their answers are compared with the known.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from hashlib import blake2b

import msgspec
import structlog

from alejo.completions import ModelRequest, Prompt, Tuning, TuningDraft
from alejo.errors import ModelFailed
from alejo.roles import Lesson
from alejo.types import Learned, Metric, Pair, Role

from .openai import OpenAI

LEAST = 40  # pairs to begin with
MORE = 1.25  # times as many as the last time, to begin again
ASKED = 20  # questions that are held back and asked
POLL_SECONDS = 60.0
_TENTH = 10
_TOKENS = 512
_WORD = re.compile(r"\w+")


class State(msgspec.Struct):
    """Where a user's tuning stands. `phase` is "" (nothing is under way), "bring", "begin" or "follow"."""

    phase: str = ""
    id: str = ""
    pairs: int = 0  # of the job that was begun last
    files: list[str] = []
    job: str = ""
    result: str = ""  # the model that came of the last one
    before: float = 0.0


class FineTuner:
    """The learner of how this user is answered. `model` is what is tuned."""

    name = "fine_tune"
    wants = ("pairs",)

    def __init__(self, openai: OpenAI, model: str) -> None:
        self._openai = openai
        self.here = openai.here
        self._model = model

    async def learn(self, lesson: Lesson) -> Learned:
        """The next step. Raises ModelFailed when the endpoint cannot be asked; the step is then done again."""
        state = msgspec.json.decode(lesson.state, type=State) if lesson.state else State()
        train = [pair for pair in lesson.pairs if not _is_held(pair)]
        held = [pair for pair in lesson.pairs if _is_held(pair)][-ASKED:]
        if state.phase == "bring":
            return await self._bring(state, train, held)
        if state.phase == "begin":
            return await self._begin(state, held)
        if state.phase == "follow":
            return await self._follow(state, held)
        if len(train) < LEAST or len(train) < MORE * state.pairs:
            return Learned(_kept(state), "too_few_pairs" if not state.pairs else "nothing_new")
        ends = f"{lesson.session.id} {train[0].message_id} {train[-1].message_id} {len(train)}"
        state.phase, state.id = "bring", blake2b(ends.encode(), digest_size=16).hexdigest()
        return Learned(_kept(state), "preparing", again=0.0)

    async def _bring(self, state: State, train: Sequence[Pair], held: Sequence[Pair]) -> Learned:
        if not train:  # it was all forgotten meanwhile
            return Learned(_kept(State(pairs=state.pairs, result=state.result)), "too_few_pairs")
        there = await self._openai.files()  # who was killed in the middle of this step finds them
        wanted = {f"{state.id}.jsonl": train} | ({f"{state.id}-held.jsonl": held} if held else {})
        state.files = [
            there.get(name) or await self._openai.upload(name, _lines(pairs)) for name, pairs in wanted.items()
        ]
        state.phase, state.pairs = "begin", len(train)
        return Learned(_kept(state), "brought", again=0.0)

    async def _begin(self, state: State, held: Sequence[Pair]) -> Learned:
        validation = state.files[1] if len(state.files) > 1 else ""
        job = await self._openai.tune(TuningDraft(self._model, state.files[0], validation, "alejo", state.id))
        state.before = await self._measure(self._model, held)
        state.phase, state.job = "follow", job.id
        return Learned(_kept(state), "tuning", again=POLL_SECONDS)

    async def _follow(self, state: State, held: Sequence[Pair]) -> Learned:
        job = await self._openai.tuning(state.job)
        if job.state in ("queued", "running"):
            return Learned(_kept(state), "tuning", metrics=_losses(job, job), again=POLL_SECONDS)
        metrics = await self._losses(job)
        if job.state == "succeeded" and job.result:
            after = await self._measure(job.result, held)
            metrics = (Metric("answer_f1", state.before, after, len(held)), *metrics)
            # It is for the owner to name it in model.names: no answer comes of another model by itself.
            structlog.get_logger().info("a model was tuned", model=job.result, before=state.before, after=after)
        for file in state.files:
            await self._openai.discard(file)
        done = State(pairs=state.pairs, result=job.result or state.result)
        outcome = "tuned" if job.state == "succeeded" else f"tuning_{job.state}"
        return Learned(_kept(done), outcome, metrics=metrics)

    async def _losses(self, job: Tuning) -> tuple[Metric, ...]:
        """The losses of a job that has ended, as they were told first and last."""
        told = [event.metrics for event in await self._openai.tuning_events(job.id) if event.metrics]
        return _losses(msgspec.structs.replace(job, metrics=told[0] if told else {}), job)

    async def _measure(self, model: str, held: Sequence[Pair]) -> float:
        """How alike a model's answers are to those that were given: the mean F1 of their words."""
        scores = [f1(await self._answer(model, pair.question), pair.answer) for pair in held]
        return sum(scores) / len(scores) if scores else 0.0

    async def _answer(self, model: str, question: str) -> str:
        request = ModelRequest((Prompt(Role.USER, question),), model, max_tokens=_TOKENS)
        async with aclosing(self._openai.complete(request)) as events:  # type: ignore[type-var]  # it is a generator
            said = "".join([event.text async for event in events])
        if not said:
            raise ModelFailed("invalid", model, detail="it said nothing")
        return said

    async def close(self) -> None:
        """Lets go of its connections."""
        await self._openai.close()


def f1(said: str, wanted: str) -> float:
    """How alike two texts are by their words, 0 to 1: the harmonic mean of what either has of the other."""
    ours, theirs = (Counter(_WORD.findall(text.casefold())) for text in (said, wanted))
    shared = sum((ours & theirs).values())
    return 2 * shared / (sum(ours.values()) + sum(theirs.values())) if shared else 0.0


def _is_held(pair: Pair) -> bool:
    return blake2b(pair.message_id.encode(), digest_size=2).digest()[0] % _TENTH == 0


def _lines(pairs: Sequence[Pair]) -> bytes:
    """Pairs as the API wants them to tune a chat."""
    return b"".join(
        msgspec.json.encode(
            {
                "messages": [
                    {"role": "user", "content": pair.question},
                    {"role": "assistant", "content": pair.answer},
                ]
            }
        )
        + b"\n"
        for pair in pairs
    )


def _losses(before: Tuning, after: Tuning) -> tuple[Metric, ...]:
    return tuple(
        Metric(name, before.metrics.get(name, after.metrics[name]), after.metrics[name])
        for name in ("train_loss", "valid_loss")
        if name in after.metrics
    )


def _kept(state: State) -> bytes:
    return msgspec.json.encode(state)
