"""Awaitables whose first step is taken before anything is set up for waiting: most end in it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Rest(Generic[T]):
    """An awaitable that was already run up to its first wait."""

    __slots__ = ("_signal", "_steps")

    def __init__(self, steps: Generator[Any, Any, T], signal: Any) -> None:
        self._steps = steps
        self._signal = signal

    def __await__(self) -> Generator[Any, Any, T]:
        # What `yield from` does, but that it cannot begin in the middle.
        steps, signal = self._steps, self._signal
        while True:
            try:
                sent = yield signal
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:  # noqa: BLE001  it is handed on, to where it belongs
                thrown: BaseException | None = error
            else:
                thrown = None
            try:
                signal = steps.send(sent) if thrown is None else steps.throw(thrown)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
