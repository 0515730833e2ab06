"""What the server counts, for Prometheus. No label has values that a caller
may choose, so their number is bounded.

Counting is plain integers of the event loop's thread; a scrape, in a thread of its own, reads them.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from http.server import HTTPServer

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_NAMES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)


def code_name(code: int) -> str:
    """The name of a gRPC status code."""
    return _NAMES[code]


class MethodCalls:
    """The calls of one method that have ended."""

    __slots__ = ("buckets", "codes", "seconds")

    def __init__(self) -> None:
        self.codes = [0] * len(_NAMES)
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0

    def ended(self, code: int, seconds: float) -> None:
        """Counts a call that ended with a gRPC status code after so many seconds."""
        self.codes[code] += 1
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds


class Metrics:
    """All counts of one server: what Prometheus calls a collector. Its library is loaded when one is to be read."""

    def __init__(self) -> None:
        self._methods: dict[str, MethodCalls] = {}
        self._gauges: list[tuple[str, str, Sequence[str], Callable[[], Mapping[tuple[str, ...], float]]]] = []
        self._counters: list[tuple[str, str, str, Callable[[], Mapping[str, float]]]] = []

    @cached_property
    def registry(self) -> CollectorRegistry:
        """These, with what Prometheus tells of every process."""
        from prometheus_client import (  # noqa: PLC0415 - 4 MiB that nobody needs who reads no metrics
            CollectorRegistry,
            GCCollector,
            PlatformCollector,
            ProcessCollector,
        )

        registry = CollectorRegistry(auto_describe=False)
        for each in (ProcessCollector, PlatformCollector, GCCollector):
            each(registry=registry)
        registry.register(self)
        return registry

    def method(self, name: str) -> MethodCalls:
        """The counts of a method, made at first use. To be asked for at start, not in a call."""
        return self._methods.setdefault(name, MethodCalls())

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A number read at each scrape, in the scraper's thread."""
        self.gauges(name, text, (), lambda: {(): read()})

    def gauges(
        self, name: str, text: str, labels: Sequence[str], read: Callable[[], Mapping[tuple[str, ...], float]]
    ) -> None:
        """Numbers by the values of these labels, read at each scrape in the scraper's thread."""
        self._gauges.append((name, text, labels, read))

    def counter(self, name: str, text: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """Numbers that only grow, by the values of one label, read at each scrape in the scraper's thread."""
        self._counters.append((name, text, label, read))

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of time."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The families of one scrape."""
        from prometheus_client.core import (  # noqa: PLC0415
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        calls = CounterMetricFamily("alejo_calls", "Calls that have ended.", labels=("method", "code"))
        seconds = HistogramMetricFamily("alejo_call_seconds", "How long calls took.", labels=("method",))
        for name, counts in list(self._methods.items()):
            for code, count in enumerate(list(counts.codes)):
                if count:
                    calls.add_metric((name, _NAMES[code]), count)
            total, rows = 0, []
            for bound, count in zip((*map(str, BUCKETS), "+Inf"), list(counts.buckets), strict=True):
                total += count
                rows.append((bound, total))
            seconds.add_metric((name,), rows, counts.seconds)
        yield calls
        yield seconds
        for name, text, labels, numbers in self._gauges:
            gauges = GaugeMetricFamily(name, text, labels=labels)
            for values, number in numbers().items():
                gauges.add_metric(values, number)
            yield gauges
        for name, text, label, read_all in self._counters:
            family = CounterMetricFamily(name, text, labels=(label,))
            for value, number in read_all().items():
                family.add_metric((value,), number)
            yield family


class Scrape:
    """The HTTP port metrics are read from. Raises OSError when it cannot be opened."""

    def __init__(self, metrics: Metrics, host: str, port: int) -> None:
        from prometheus_client import start_http_server  # noqa: PLC0415

        self._http: HTTPServer
        self._thread: threading.Thread
        self._http, self._thread = start_http_server(port, host, metrics.registry)
        self.port = int(self._http.server_address[1])

    def close(self) -> None:
        """Closes the port and ends its thread. Waits up to half a second."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
