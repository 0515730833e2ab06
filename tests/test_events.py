"""What happened, told to observers."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future

from hypothesis import given
from hypothesis import strategies as st

from alejo import testing
from alejo.errors import InvalidArgument
from alejo.events import EVENTS, ROOM, Events
from alejo.hooks import hookimpl
from alejo.identity import LOCAL
from alejo.jobs import Cause, Job
from alejo.roles import Observer, Work
from alejo.types import Findings, Image, JobState, Memory, MemoryDraft, Message, Role, Session, SessionState


class Ear(Observer):
    """Notes what it hears of messages, by session; the first word of one says what it does besides."""

    def __init__(self) -> None:
        self.heard: defaultdict[str, list[str]] = defaultdict(list)
        self.under_way: set[str] = set()
        self.most = 0
        self.count = 0
        self.home = asyncio.get_running_loop()
        self.more = asyncio.Event()
        self.gate: Future[None] = Future()

    @hookimpl
    def alejo_register_observers(self) -> list[Observer]:
        return [self]

    async def message_received(self, message: Message) -> None:
        assert message.session_id not in self.under_way, "two events of a session at once"
        self.under_way.add(message.session_id)
        self.most = max(self.most, len(self.under_way))
        try:
            if message.text.startswith("wait"):
                await asyncio.shield(asyncio.wrap_future(self.gate))
            if message.text.startswith("pause"):
                await asyncio.sleep(0)
            self.heard[message.session_id].append(message.text)
            self.count += 1
            self.wake()
            if message.text.startswith("fail"):
                raise RuntimeError
        finally:
            self.under_way.discard(message.session_id)

    def wake(self) -> None:
        self.home.call_soon_threadsafe(self.more.set)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds():
                self.more.clear()
                await self.more.wait()


class Deaf(Ear):
    """Another plugin, which waits for ever."""

    async def message_received(self, message: Message) -> None:
        self.most += 1
        self.wake()
        await asyncio.Event().wait()


def said(session_id: str, text: str, images: tuple[Image, ...] = ()) -> Message:
    return Message("m", session_id, 1, Role.USER, text, 0, 0, images=images)


def tell(events: Events, session_id: str, text: str) -> None:
    events.tell("message_received", session_id, said(session_id, text))


@given(
    told=st.lists(
        st.tuples(st.sampled_from("abcdefghijkl"), st.sampled_from(("say", "pause", "fail", "wait"))), max_size=60
    ),
    capacity=st.integers(1, 40),
    trusted=st.booleans(),
)
def test_each_session_is_heard_in_order_and_what_has_no_room_is_counted(
    told: list[tuple[str, str]], capacity: int, trusted: bool
) -> None:
    """Whatever an observer does, it hears of a session in order and one at a time; what is missing was counted."""

    async def run() -> None:
        ear = Ear()
        options = {"plugins__failures": 1000, "plugins__call_seconds": 30.0}
        async with testing.host(ear, trusted=trusted, **options) as host:
            events = Events(host.plugins, capacity)
            wanted: defaultdict[str, list[str]] = defaultdict(list)
            dropped = 0
            for number, (session_id, what) in enumerate(told):
                before = events.dropped()["ear"]
                tell(events, session_id, text := f"{what} {number}")
                if events.dropped()["ear"] == before:
                    wanted[session_id].append(text)
                else:
                    dropped += 1
            assert dropped == max(0, len(told) - capacity)
            ear.gate.set_result(None)
            await ear.until(lambda: ear.count == sum(map(len, wanted.values())))
            assert ear.heard == wanted
            assert ear.most <= 8
            await events.close()
            tell(events, "a", "say again")
            await ear.until(lambda: ear.heard["a"][-1:] == ["say again"])

    asyncio.run(run())


async def test_nobody_waits_for_a_deaf_observer() -> None:
    """One that never answers costs another nothing, and what it misses is its own."""
    ear, deaf = Ear(), Deaf()
    async with testing.host(ear, deaf, plugins__call_seconds=600.0) as host:
        events = Events(host.plugins, 10)
        for number in range(100):
            tell(events, str(number), "say")
            await ear.until(lambda number=number: ear.count == number + 1)  # type: ignore[misc]
        await deaf.until(lambda: deaf.most == 8)
        assert events.dropped() == {"ear": 0.0, "deaf": 90.0}
        await events.close()


async def test_pictures_do_not_fill_the_memory() -> None:
    """Of large messages fewer wait than of small ones; one alone always may."""
    ear = Ear()
    async with testing.host(ear, plugins__call_seconds=600.0) as host:
        events = Events(host.plugins, 1000)
        large = said("a", "wait", (Image(b"x" * (ROOM // 2 + 1)),))
        for _ in range(3):
            events.tell("message_received", "a", large)
        assert events.dropped() == {"ear": 2.0}
        tell(events, "a", "say")
        ear.gate.set_result(None)
        await ear.until(lambda: ear.heard["a"] == ["wait", "say"])


async def test_only_who_has_a_method_is_told() -> None:
    """An observer that leaves a method as it is is not called for it, and one without job_failed is none the worse."""
    ear = Ear()
    async with testing.host(ear) as host:
        events = Events(host.plugins, 10)
        events.tell("session_ended", "a", Session("a", SessionState.COMPLETED, 0, 0))
        tell(events, "a", "say")
        await ear.until(lambda: ear.count == 1)
        assert host.status("ear").calls == 1
        assert EVENTS[-1] == "job_failed"


async def test_what_is_remembered_outside_a_turn_is_told() -> None:
    """A memory that a program has remembered is told once, however often the same request comes."""
    heard: list[str] = []

    class Keen(Observer):
        @hookimpl
        def alejo_register_observers(self) -> list[Observer]:
            return [self]

        async def memory_formed(self, memory: Memory) -> None:
            heard.append(memory.text)

    async with testing.assistant(Keen()) as assistant:
        for text in ("Luna is a cat.", "Luna is a cat.", "Rex is a dog."):
            await assistant.memories.remember(LOCAL, MemoryDraft(text), request_id=text)
    assert sorted(heard) == ["Luna is a cat.", "Rex is a dog."]


async def test_a_failed_job_is_told() -> None:
    """Whoever hears of jobs is told of one that failed, with its history, behind the events of its turn."""
    heard: asyncio.Queue[Job] = asyncio.Queue()

    class Sour(Observer):
        name = "sour"
        wants = ()

        @hookimpl
        def alejo_register_observers(self) -> list[Observer]:
            return [self]

        @hookimpl
        def alejo_register_reflectors(self) -> list[Sour]:
            return [self]

        async def reflect(self, work: Work) -> Findings:
            raise InvalidArgument("Not today.")

        async def job_failed(self, job: Job) -> None:
            heard.put_nowait(job)

    async with testing.assistant(Sour(), trusted=True) as assistant:
        answer = await assistant.chat("Luna is a cat.")
        job = await asyncio.wait_for(heard.get(), 30)
    assert (job.session_id, job.state) == (answer.session_id, JobState.DEAD)
    assert [(each.failure.cause, each.failure.processor) for each in job.attempts] == [(Cause.PERMANENT, "sour")]


async def test_a_turn_is_told_as_it_goes() -> None:
    """A message and its memories are told when they are on disk, also where no answer follows; the answer after it."""
    heard: list[str] = []
    done = asyncio.Event()

    class Diary(Observer):
        @hookimpl
        def alejo_register_observers(self) -> list[Observer]:
            return [self]

        async def message_received(self, message: Message) -> None:
            heard.append(f"message {message.text}")

        async def memory_formed(self, memory: Memory) -> None:
            heard.append(f"memory {memory.text}")

        async def response_generated(self, question: Message, answer: Message) -> None:
            heard.append(f"answer {answer.text} to {question.text}")

        async def session_ended(self, session: Session) -> None:
            heard.append("end")
            done.set()

    async with testing.assistant(Diary()) as assistant:
        answer = await assistant.chat("Luna is a cat.", request_id="one")
        assert (await assistant.chat("Luna is a cat.", request_id="one")).replayed
        await assistant.sessions.update(LOCAL, answer.session_id, state=SessionState.COMPLETED)
        await asyncio.wait_for(done.wait(), 30)
    assert heard[0] == "message Luna is a cat."
    assert heard[-2:] == ["answer Luna is a cat. to Luna is a cat.", "end"]
    assert all(each.startswith("memory") for each in heard[1:-2])
