"""What happened, told to the observers of plugins: after the fact, and at nobody's cost but their own.

Each observer has a mailbox. Events of one session reach it in their order and one at a time, those of several sessions
at the same time. A mailbox has so much room and no more: who is slow or fails misses events, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import Any, NamedTuple

import structlog

from alejo.errors import AlejoError
from alejo.plugins import PluginHost, Slot
from alejo.roles import Observer
from alejo.types import Message

EVENTS = tuple(name for name in vars(Observer) if not name.startswith("_"))
AT_ONCE = 8  # sessions of which an observer is told at the same time
ROOM = 64 << 20  # bytes of messages that may wait for an observer
CLOSING_SECONDS = 0.5


class Event(NamedTuple):
    """What happened: the method of Observer that hears of it, its arguments, and the bytes of the messages in them."""

    name: str
    values: tuple[Any, ...]
    size: int


class Mailbox:
    """What one observer has not heard yet. `dropped` counts the events it never will; its slot is None while it is off.

    `_ready` are the sessions with a line of events of which nobody is telling.
    """

    def __init__(self, plugins: PluginHost, slot: Slot, capacity: int) -> None:
        self.slot: Slot | None = slot
        self.dropped = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self._plugins = plugins
        self._capacity = capacity
        self._lines: dict[str, deque[Event]] = {}
        self._ready: deque[str] = deque()
        self._telling = 0
        self._waiting = 0
        self._bytes = 0
        self._missed = 0
        self._log = structlog.get_logger()

    def put(self, session_id: str, event: Event) -> None:
        """Takes in an event of a session, if there is room."""
        if self._waiting >= self._capacity or (self._waiting and self._bytes + event.size > ROOM):
            self._drop()
            return
        self._waiting += 1
        self._bytes += event.size
        line = self._lines.get(session_id)
        if line is not None:
            line.append(event)
            return
        self._lines[session_id] = deque((event,))
        self._ready.append(session_id)
        if self._telling < AT_ONCE:
            self._telling += 1
            task = asyncio.get_running_loop().create_task(self._tell())
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    def _drop(self) -> None:
        self.dropped += 1
        if not self._missed and self.slot is not None:
            self._log.warning("an observer is slow and misses events", plugin=self.slot.plugin)
        self._missed += 1

    async def _tell(self) -> None:
        """Tells of one session after the other, an event each, until no session is ready."""
        while self._ready:
            session_id = self._ready.popleft()
            line = self._lines[session_id]
            await self._hand(line[0])
            self._bytes -= line.popleft().size
            self._waiting -= 1
            if line:
                self._ready.append(session_id)
            else:
                del self._lines[session_id]
            await asyncio.sleep(0)  # a trusted observer may never wait, and others want their turn
        self._telling -= 1
        if self._missed and not self._waiting and self.slot is not None:
            self._log.warning("an observer has missed events", plugin=self.slot.plugin, count=self._missed)
            self._missed = 0

    async def _hand(self, event: Event) -> None:
        if self.slot is None:
            return
        try:
            await self._plugins.call(self.slot, event.name, *event.values)
        except AlejoError:
            return  # the plugin's status tells; nobody waits for an observer


class Events:
    """Tells every observer what happened. `capacity` is how many events may wait for each."""

    def __init__(self, plugins: PluginHost, capacity: int) -> None:
        self._plugins = plugins
        self._capacity = capacity
        self._boxes: dict[tuple[str, int], Mailbox] = {}
        self._hearing: dict[str, list[Mailbox]] = {}
        plugins.on_change(self._look)
        self._look()

    def tell(self, name: str, session_id: str, *values: Any) -> None:
        """Tells of an event of a session, by its method of Observer; returns at once."""
        boxes = self._hearing[name]
        if boxes:
            event = Event(name, values, sum(map(_size, values)))
            for box in boxes:
                box.put(session_id, event)

    def dropped(self) -> dict[str, float]:
        """How many events the observers of each plugin missed."""
        counts: Counter[str] = Counter()
        for (plugin, _), box in list(self._boxes.items()):
            counts[plugin] += box.dropped
        return {plugin: float(count) for plugin, count in counts.items()}

    async def close(self, seconds: float = CLOSING_SECONDS) -> None:
        """Lets observers hear what waits, for so long."""
        tasks = {task for box in self._boxes.values() for task in box.tasks}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()

    def _look(self) -> None:
        """Finds the observers there are now. One that was loaded anew hears what waited for the old one."""
        there: dict[tuple[str, int], Slot] = {}
        counts: Counter[str] = Counter()
        for slot in self._plugins.every("observer"):
            there[slot.plugin, counts[slot.plugin]] = slot
            counts[slot.plugin] += 1
        for place, box in self._boxes.items():
            box.slot = there.get(place)
        for place in there.keys() - self._boxes.keys():
            self._boxes[place] = Mailbox(self._plugins, there[place], self._capacity)
        self._hearing = {
            name: [self._boxes[place] for place, slot in there.items() if _hears(slot.object, name)] for name in EVENTS
        }


def _hears(observer: object, name: str) -> bool:
    """Whether an observer has a method of its own for an event."""
    return getattr(type(observer), name, getattr(Observer, name)) is not getattr(Observer, name)


def _size(value: Any) -> int:
    """The bytes of a message; what other values hold is of no account."""
    if not isinstance(value, Message):
        return 0
    return len(value.text) + sum(len(image.data) for image in value.images)
