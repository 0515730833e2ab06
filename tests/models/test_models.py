"""Which model is asked, how often, and what is said of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import pytest

from alejo import Assistant, testing
from alejo.clock import FakeClock
from alejo.completions import ModelEnd, ModelEvent, ModelRequest, Prompt
from alejo.errors import ModelFailed, StartupError
from alejo.hooks import hookimpl
from alejo.identity import LOCAL
from alejo.models import Wish, at_hand
from alejo.roles import Brain, Turn
from alejo.types import Answer, Ask, Degraded, ModelUse, Role

from .scripted import Passing, Scripted

HELLO = ModelRequest((Prompt(Role.USER, "Hello"),))


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A town and how many live there."""

    town: str
    people: int


def opened(provider: Scripted, *names: str, **options: Any) -> AbstractAsyncContextManager[Assistant]:
    """An assistant whose models are these, on loops of their own as strangers' plugins are."""
    return testing.assistant(provider, Passing(), model__names=list(names), **options)


async def asked(provider: Scripted, *names: str, **options: Any) -> Answer:
    async with opened(provider, *names, **options) as assistant:
        return await assistant.chat("Hello")


async def test_without_a_setting_no_model_is_asked() -> None:
    """A plugin that speaks to models, and even a key, change nothing until a model or an address is named."""
    provider = Scripted(a=[["Hi."]])
    answer = await asked(provider, model__key="secret")
    assert (answer.message.text, answer.model, provider.requests) == ("There is none.", None, [])


async def test_a_model_answers_and_is_named() -> None:
    """An answer names its model, why it was that one and what it used; so does the stored one of the same request."""
    provider = Scripted(a=[["Hel", "lo."]])
    async with opened(provider, "a") as assistant:
        answer = await assistant.chat("Hello", request_id="r")
        assert (answer.message.text, answer.degraded[:0]) == ("Hello.", ())
        assert answer.model == ModelUse("a", "configured", 100, 10)
        assert (await assistant.chat("Hello", request_id="r")).model == answer.model


async def test_the_first_model_there_is_answers_where_none_is_named() -> None:
    """An address alone is enough: its first model is asked."""
    answer = await asked(Scripted(z=[["Hi."]], a=[["No."]]), model__base_url="http://127.0.0.1:9")
    assert answer.model == ModelUse("z", "configured", 100, 10)


@pytest.mark.parametrize("why", ["unavailable", "cut", "invalid", "rate_limited"])
async def test_before_its_first_word_a_model_is_asked_again(why: str) -> None:
    """What may pass is tried again under the same id, and the answer is whole."""
    provider = Scripted(a=[[ModelFailed(why, "a", retry_after=0.01 if why == "rate_limited" else None)], ["Hello."]])
    answer = await asked(provider, "a")
    assert (answer.message.text, answer.model) == ("Hello.", ModelUse("a", "configured", 100, 10))
    assert len({request.id for request in provider.requests}) == 1


@pytest.mark.parametrize("why", ["rejected", "refused"])
async def test_what_would_fail_again_goes_to_the_next(why: str) -> None:
    """A request that is not accepted is not sent again; the next model is asked, and the answer says so."""
    provider = Scripted(a=[[ModelFailed(why, "a")]], b=[["Hello."]])
    answer = await asked(provider, "a", "b")
    assert [request.model for request in provider.requests] == ["a", "b"]
    assert answer.model == ModelUse("b", f"fallback: {why}", 100, 10)


async def test_a_silent_model_is_given_up() -> None:
    """A model that says nothing for too long is not asked again."""
    provider = Scripted(a=[[600.0]])
    answer = await asked(provider, "a", model__silence_seconds=0.05)
    assert answer.model == ModelUse("local", "timeout")
    assert len(provider.requests) == 1


async def test_a_model_that_took_too_long_is_followed_by_the_next() -> None:
    """Who ran out of time is not asked again; there is time for the next."""
    provider = Scripted(a=[[ModelFailed("timeout", "a")]], b=[["Hello."]])
    answer = await asked(provider, "a", "b")
    assert answer.model == ModelUse("b", "fallback: timeout", 100, 10)
    assert [request.model for request in provider.requests] == ["a", "b"]


async def test_after_its_first_word_nothing_is_asked_again() -> None:
    """An answer that breaks off stays what it was, and is degraded."""
    provider = Scripted(a=[["Hel", ModelFailed("cut", "a")]], b=[["Hello."]])
    answer = await asked(provider, "a", "b")
    assert answer.message.text == "Hel(cut)"
    assert answer.model is not None
    assert answer.model.model == "a"
    assert Degraded("language_model", "a", "cut") in answer.degraded
    assert len(provider.requests) == 1


async def test_when_none_answers_it_is_said() -> None:
    """The brain hears why, and so does who asked."""
    answer = await asked(Scripted(a=[[ModelFailed("rejected", "a")]]), "a")
    assert (answer.message.text, answer.model) == ("(rejected)", ModelUse("local", "rejected"))
    assert Degraded("language_model", "a", "rejected") in answer.degraded


async def test_a_model_that_stops_without_an_end_was_cut() -> None:
    """No end, no answer: the stream that just stops is a failure, never an empty success."""
    provider = Scripted(a=[[ModelEvent(text="")]])
    assert (await asked(provider, "a", model__retries=0)).message.text == "(cut)"


async def test_a_failing_model_is_left_alone_and_tried_again() -> None:
    """After failures in a row it is not asked for a while; then one request tries it, and it is back."""
    clock = FakeClock()
    failing = [ModelFailed("unavailable", "a")]
    provider = Scripted(a=[failing, failing, ["Hello."]])
    async with opened(provider, "a", clock=clock, model__failures=2, model__retries=0) as assistant:
        said = [(await assistant.chat("Hello")).message.text for _ in range(3)]
        assert said == ["(unavailable)", "(unavailable)", "(resting)"]
        clock.advance(31)
        assert (await assistant.chat("Hello")).message.text == "Hello."
        assert (await assistant.chat("Hello")).message.text == "Hello."
    assert len(provider.requests) == 4


async def test_a_model_that_asks_for_rest_gets_it() -> None:
    """A Retry-After that is longer than there is time for is kept, by later turns too."""
    clock = FakeClock()
    provider = Scripted(a=[[ModelFailed("rate_limited", "a", retry_after=600.0)], ["Hello."]])
    async with opened(provider, "a", clock=clock) as assistant:
        assert (await assistant.chat("Hello")).message.text == "(rate_limited)"
        clock.advance(599)
        assert (await assistant.chat("Hello")).message.text == "(resting)"
        clock.advance(2)
        assert (await assistant.chat("Hello")).message.text == "Hello."


async def test_a_user_prefers_among_those_the_owner_named() -> None:
    """The preferred model is asked first; one that the owner did not name is not."""
    provider = Scripted(a=[["A."]], b=[["B."]], c=[["C."]])
    async with opened(provider, "a", "b") as assistant:
        await assistant.profiles.update(LOCAL, {"model": "b"})
        assert (await assistant.chat("Hello")).model == ModelUse("b", "preferred", 100, 10)
        await assistant.profiles.update(LOCAL, {"model": "c"})
        assert (await assistant.chat("Hello")).model == ModelUse("a", "configured", 100, 10)


async def test_the_cheapest_is_asked_first() -> None:
    """With model.order cheapest the price decides, those without one come last; a preference is first in any case."""
    provider = Scripted(a=[["A."]], b=[["B."]], c=[["C."]])
    given = {"model__order": "cheapest", "model__prices": ["a 2 8", "c 1 2"]}
    async with opened(provider, "b", "a", "c", **given) as assistant:
        assert (await assistant.chat("Hello")).model == ModelUse("c", "cheapest", 100, 10)
        assert [one.model for one in assistant.models.chain()] == ["c", "a", "b"]
        assert [one.model for one in assistant.models.chain(Wish("b"))] == ["b", "c", "a"]


async def test_the_fastest_is_asked_first() -> None:
    """With model.order fastest each is tried once, and then the one whose first words came soonest, in the median."""
    async with opened(Scripted(a=[["A."]], b=[["B."]]), "a", "b", model__order="fastest") as assistant:
        models = assistant.models
        for model in ("a", "b"):
            assert (await assistant.chat("Hello")).model == ModelUse(model, "fastest", 100, 10)
        a, b = sorted(models.chain())
        for _ in range(64):
            models.took(a, 0.9)
            models.took(b, 0.3)
        for _ in range(20):
            models.took(b, 5.0)
        assert [one.model for one in models.chain()] == ["b", "a"]


async def test_an_order_that_is_none_is_refused() -> None:
    """A wrong word is an error at start."""
    with pytest.raises(StartupError, match=r"model\.order"):
        async with opened(Scripted(a=[["A."]]), "a", model__order="alphabet"):
            pass


async def test_a_provider_is_named_before_a_slash() -> None:
    """PROVIDER/MODEL goes to that provider, and a slash of the model's own stays in its name."""
    first, second = Scripted("openai", **{"org/x": [["X."]]}), Scripted("other", y=[["Y."]])
    models = ["other/y", "org/x"]
    async with testing.assistant(first, _Other(second), Passing(), model__names=models) as assistant:
        assert (await assistant.chat("Hello")).message.text == "Y."
        await assistant.profiles.update(LOCAL, {"model": "org/x"})
        assert (await assistant.chat("Hello")).message.text == "X."


class _Other:
    """A second plugin, so with a name of its own."""

    def __init__(self, model: Scripted) -> None:
        self.alejo_register_language_models = model.alejo_register_language_models


async def test_an_object_is_checked_and_repaired_once() -> None:
    """What does not fit the schema is given back with the reason; what fits then is the answer."""
    provider = Scripted(a=[['{"town": 5}'], ['Here: ```json\n{"town": "Bonn", "people": 3}\n```']])
    async with opened(provider, "a") as assistant:
        hand = at_hand(assistant.models, LOCAL)
        assert hand is not None
        assert await hand.value(HELLO, Place) == Place("Bonn", 3)
        assert hand.use == ModelUse("a", "configured", 200, 20)
    schema = provider.requests[0].schema
    assert schema is not None
    assert schema["required"] == ["town", "people"]
    assert "town" in provider.requests[1].prompts[-1].text


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (["nothing of the kind"], "invalid"),
        ([""], "invalid"),
        (['{"town": "Bonn"}'], "invalid"),
        (["I will not.", ModelEvent(end=ModelEnd("a", "refused"))], "refused"),
        (['{"town": "Bo', ModelEvent(end=ModelEnd("a", "length"))], "cut"),
    ],
)
async def test_an_object_that_is_none_is_a_failure(script: list[Any], why: str) -> None:
    """No empty success: what is no answer after one repair says why."""
    async with opened(Scripted(a=[script]), "a") as assistant:
        hand = at_hand(assistant.models, LOCAL)
        assert hand is not None
        with pytest.raises(ModelFailed) as failed:
            await hand.value(HELLO, Place)
        assert failed.value.why == why
        assert assistant.models.failed[why] == 1


async def test_what_a_user_uses_is_counted_by_day() -> None:
    """Tokens and cost add up in the user's records; beyond the day's budget no model is asked until the next day."""
    clock = FakeClock()
    provider = Scripted(a=[["Hello."]])
    options = {"model__daily_tokens": 150, "model__prices": ["a 2 10"]}
    async with opened(provider, "a", clock=clock, **options) as assistant:
        said = [(await assistant.chat("Hello")).message.text for _ in range(3)]
        assert said == ["Hello.", "Hello.", "(budget)"]
        used = await assistant.models.accounts.of(LOCAL)
        assert (used.input_tokens, used.output_tokens, used.cost) == ({"a": 200}, {"a": 20}, 600)
        clock.advance(86_400)
        assert (await assistant.conversation.chat(LOCAL, Ask("Hello"))).message.text == "Hello."


async def test_an_answer_that_broke_off_is_counted_about() -> None:
    """No provider says what it cost; it is estimated, so that a budget holds for it too."""
    provider = Scripted(a=[["I will not end this.", ModelFailed("cut", "a")]])
    async with opened(provider, "a", model__daily_tokens=7) as assistant:
        said = [(await assistant.chat("Hello")).message.text for _ in range(2)]
        assert said == ["I will not end this.(cut)", "(budget)"]
        used = await assistant.models.accounts.of(LOCAL)
        assert (used.input_tokens, used.output_tokens) == ({"a": 2}, {"a": 5})


async def test_a_price_that_is_none_is_refused_at_start() -> None:
    """A line of model.prices that cannot be read names itself."""
    with pytest.raises(StartupError, match=r"model\.prices: 'a much'"):
        await asked(Scripted(a=[["Hi."]]), "a", model__prices=["a much"])


class Hasty:
    """A brain that reads only the beginning of what a model says."""

    async def respond(self, turn: Turn) -> AsyncIterator[str]:
        assert turn.models is not None
        async for event in turn.models.complete(HELLO):
            yield event.text
            return

    @hookimpl
    def alejo_register_brain(self, settings: Any) -> Brain:
        return self


async def test_what_nobody_reads_on_is_ended() -> None:
    """A brain on a loop of its own may stop listening: the answer is ended, and the model may be asked again."""
    ended = asyncio.Event()

    class Long(Scripted):
        async def complete(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
            try:
                while True:
                    yield ModelEvent(text="more ")
            finally:
                loop.call_soon_threadsafe(ended.set)

    loop = asyncio.get_running_loop()
    async with testing.assistant(Long(a=[]), Hasty(), model__names=["a"]) as assistant:
        assert (await assistant.chat("Hello")).message.text == "more "
        await ended.wait()
        assert assistant.models.breaker(assistant.models.chain()[0]).admit()
