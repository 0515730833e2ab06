"""An event loop in a thread of its own, for the calls of one plugin, and the watch that notices when it is stuck.

Everything here is touched on the server's loop ("home") but the methods that say they run on the lane.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import ctypes
import math
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, NamedTuple, TypeVar

import structlog

from . import places

T = TypeVar("T")
BEAT = 0.25
_ARRIVING = 1000  # steps of Python, in which an interruption arrives
_PATIENCE = 60.0  # seconds between interruptions of what does not end, at the most
WINDOW = 16
log = structlog.get_logger("alejo.plugins")


class Outcome(NamedTuple):
    """How a call ended. `why` is empty if the plugin itself ended it, else "timeout" or "quarantined"."""

    value: Any = None
    error: BaseException | None = None
    why: str = ""


class Interrupted(BaseException):
    """Raised inside a thread that does not come back, to end a loop written in Python."""


class Job:
    """One call on a lane. `deadline` is in seconds of the server's loop: past it, a lane that blocks is stuck."""

    __slots__ = ("deadline", "future", "is_dropped", "task")

    def __init__(self, home: asyncio.AbstractEventLoop, deadline: float) -> None:
        self.future: asyncio.Future[Outcome] = home.create_future()
        self.deadline = deadline
        self.task: asyncio.Task[None] | None = None
        self.is_dropped = False

    def end(self, outcome: Outcome) -> None:
        """Tells the caller, unless it was told before."""
        if not self.future.done():
            self.future.set_result(outcome)


class Lane:
    """Runs a plugin's coroutines. `on_blocked` and `on_stuck` hear the place where the loop does not answer,
    `on_silent` for how many more seconds it has not."""

    def __init__(
        self,
        name: str,
        package: str,
        on_blocked: Callable[[str], None],
        on_stuck: Callable[[str], None],
        on_silent: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self.home = asyncio.get_running_loop()
        self.is_retired = False
        self._is_closing = False  # of the loop, which no interruption may leave half closed
        self._package = package
        self._on_blocked = on_blocked
        self._on_stuck = on_stuck
        self._on_silent = on_silent
        self._jobs: set[Job] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._asked = self._answered = 0
        self._asked_at = self._due = 0.0
        self._is_blocked = False
        self._ended = asyncio.Event()
        self.loop = asyncio.new_event_loop()
        self.loop.set_default_executor(DaemonThreads())
        self.loop.set_exception_handler(self._report)
        self._name = name
        self.thread = threading.Thread(target=self._main, name=f"alejo-plugin-{name}", daemon=True)
        self.thread.start()

    def submit(self, make: Callable[[], Coroutine[Any, Any, Any]], deadline: float) -> Job:
        """Starts a coroutine on the lane, in an empty context: nothing of one user's call is seen by another's."""
        job = Job(self.home, deadline)
        self._jobs.add(job)
        self.loop.call_soon_threadsafe(self._begin, job, make, context=contextvars.Context())
        if self._timer is None:
            self._ask()
        return job

    def drop(self, job: Job) -> None:
        """The caller waits no longer: the coroutine is cancelled, and the watch sees that it ends."""
        job.is_dropped = True
        self.send(self._cancel, job)
        if self._is_blocked and not self.is_retired:
            self._look()

    def expire(self, job: Job) -> None:
        """The call's time is over: its caller is told at once, and a lane that does not answer is stuck from now on."""
        job.deadline = self.home.time()
        job.end(Outcome(why="timeout"))
        self.drop(job)

    def send(self, function: Callable[..., object], *arguments: Any) -> None:
        """Runs a function on the lane, in an empty context, if the lane still lives."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(function, *arguments, context=contextvars.Context())

    def retire(self) -> None:
        """Gives the lane up: whoever waits is told, and the thread ends as soon as it can."""
        self.is_retired = True
        if self._timer is not None:
            self._timer.cancel()
        for job in self._jobs:
            job.is_dropped = True  # one that waits behind what hangs must not begin when that has ended
            job.end(Outcome(why="quarantined"))
        self._jobs.clear()
        self.send(self._wind_down)

    def abandon(self) -> None:
        """Retires a lane whose thread hangs, and interrupts the thread until it ends: one time may be caught."""
        self.retire()
        self._insist(BEAT)

    def interrupt(self) -> None:
        """Ends what the thread does if that is Python code; a call into C is ended when it returns, or never."""
        if self.thread.ident is not None and not self._is_closing:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.thread.ident), ctypes.py_object(Interrupted))

    async def close(self, seconds: float) -> bool:
        """Retires the lane, waits for its thread at most `seconds`, then interrupts it; returns whether it ended."""
        self.retire()
        for patience in (seconds, BEAT):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._ended.wait(), patience)
            if self._ended.is_set():
                return True
            self.interrupt()  # the process may go on for long, and a loop in Python would burn a core all the while
        return False

    def _insist(self, patience: float) -> None:
        if self.thread.is_alive():
            self.interrupt()
            self.home.call_later(patience, self._insist, min(2 * patience, _PATIENCE))

    # The watch

    def _ask(self) -> None:
        self._asked += 1
        self._asked_at = self.home.time()
        self.send(self._answer, self._asked)
        self._wait()

    def _wait(self) -> None:
        self._due = self.home.time() + BEAT
        self._timer = self.home.call_later(BEAT, self._tick)

    def _tick(self) -> None:
        # A late tick means that the server's own loop was held up, so the lane may not have had its turn either.
        is_late = self.home.time() - self._due > BEAT / 2
        if self._answered == self._asked:
            self._is_blocked = False
            # Jobs that were overdue when the loop answered only ignore their cancellation; the loop lives.
            self._jobs = {job for job in self._jobs if job.deadline > self._asked_at}
            self._timer = None
            if self._jobs:
                self._ask()
            return
        self._wait()
        if not is_late:
            self._on_silent(BEAT)
            self._look()

    def _look(self) -> None:
        place = places.of_thread(self.thread.ident, self._package)
        if not place:
            return
        now = self.home.time()
        if any(job.deadline <= now for job in self._jobs):
            self._on_stuck(place)
        elif not self._is_blocked:
            self._is_blocked = True
            self._on_blocked(place)

    def _finish(self, job: Job, outcome: Outcome) -> None:
        self._jobs.discard(job)
        job.end(outcome)

    # On the lane

    def _main(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self.is_retired:
            try:
                self.loop.run_forever()
            except BaseException as error:  # noqa: BLE001  a task of the plugin raised SystemExit; its loop goes on
                log.warning("plugin_loop_raised", plugin=self._name, error=places.of_error(error, self._package))
        while not self._is_closing:
            with contextlib.suppress(BaseException):  # an interruption that is on its way arrives here
                self._is_closing = True
                sum(1 for _ in range(_ARRIVING))
        with contextlib.suppress(BaseException):
            self.loop.close()
        with contextlib.suppress(RuntimeError):
            self.home.call_soon_threadsafe(self._ended.set)

    def _answer(self, number: int) -> None:
        self._answered = number

    def _begin(self, job: Job, make: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        if not job.is_dropped:
            job.task = self.loop.create_task(self._run(job, make))
        else:
            self._deliver(job, Outcome())

    def _cancel(self, job: Job) -> None:
        if job.task is not None:
            job.task.cancel()

    async def _run(self, job: Job, make: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        try:
            outcome = Outcome(await make())
        except BaseException as error:  # noqa: BLE001  whatever a plugin raises ends here and is told to its caller
            outcome = Outcome(error=error)
        self._deliver(job, outcome)

    def _deliver(self, job: Job, outcome: Outcome) -> None:
        with contextlib.suppress(RuntimeError):
            self.home.call_soon_threadsafe(self._finish, job, outcome)

    def _wind_down(self) -> None:
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        # Cancelled tasks get their chance to clean up, and no more than that.
        self.loop.call_later(BEAT if tasks else 0, self.loop.stop)

    def _report(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        name = places.of_error(error, self._package) if error is not None else str(context.get("message", ""))
        log.warning("plugin_task_failed", plugin=self._name, error=name)


class Pieces:
    """A stream of a plugin on its way to the server's loop, at most WINDOW pieces ahead of its reader."""

    def __init__(self, lane: Lane, make: Callable[[], AsyncIterator[Any]], check: Callable[[Any], Any]) -> None:
        self._lane = lane
        self._make = make
        self._check = check
        self._buffer: deque[Any] = deque()
        self._room = asyncio.Semaphore(WINDOW)
        self._taken = 0
        self._wake = asyncio.Event()
        self._job = lane.submit(self._pump, math.inf)
        self._job.future.add_done_callback(lambda _: self._wake.set())

    async def next(self, seconds: float) -> Any | Outcome:
        """The next piece, or an Outcome at the end."""
        home = self._lane.home
        if not self._buffer and not self._job.future.done():
            self._wake.clear()
            self._job.deadline = home.time() + seconds
            timer = home.call_later(seconds, self._lane.expire, self._job)
            try:
                await self._wake.wait()
            finally:
                timer.cancel()
                if not self._job.future.done():
                    self._job.deadline = math.inf
        if not self._buffer:
            return self._job.future.result()
        self._taken += 1
        if self._taken % (WINDOW // 2) == 0:
            self._lane.send(self._make_room)
        return self._buffer.popleft()

    def close(self) -> None:
        """Cancels the stream if it has not ended; from now on a lane that does not answer is stuck."""
        if not self._job.future.done():
            self._lane.expire(self._job)

    def _push(self, piece: Any) -> None:
        self._buffer.append(piece)
        self._wake.set()

    # On the lane

    def _make_room(self) -> None:
        for _ in range(WINDOW // 2):
            self._room.release()

    async def _pump(self) -> None:
        source = self._make()
        try:
            async for piece in source:
                await self._room.acquire()
                self._lane.home.call_soon_threadsafe(self._push, self._check(piece))
        finally:
            close = getattr(source, "aclose", None)
            if close is not None:
                await close()


class DaemonThreads(concurrent.futures.ThreadPoolExecutor):
    """What `asyncio.to_thread` uses on a lane: threads that do not keep the process from ending when they hang."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[T]:
        """Runs a function in a new daemon thread."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001  as every executor does: the error is the future's
                future.set_exception(error)

        threading.Thread(target=run, name="alejo-plugin-worker", daemon=True).start()
        return future
