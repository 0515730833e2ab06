"""What is counted."""

from __future__ import annotations

import subprocess
import sys
import urllib.request

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from alejo.errors import Status
from alejo.metrics import BUCKETS, Metrics, Scrape, code_name


def families(metrics: Metrics) -> dict[str, list[tuple[dict[str, str], float]]]:
    text = generate_latest(metrics.registry).decode()
    return {
        sample.name: [(one.labels, one.value) for one in family.samples if one.name == sample.name]
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_calls_are_counted_by_method_and_code() -> None:
    """Counts, sums and cumulative buckets are those of the calls that ended."""
    metrics = Metrics()
    calls = metrics.method("S/M")
    assert metrics.method("S/M") is calls
    for code, seconds in ((0, 0.0004), (0, 0.003), (14, 99.0)):
        calls.ended(code, seconds)
    found = families(metrics)
    assert found["alejo_calls_total"] == [
        ({"method": "S/M", "code": "OK"}, 2.0),
        ({"method": "S/M", "code": "UNAVAILABLE"}, 1.0),
    ]
    buckets = [(labels["le"], value) for labels, value in found["alejo_call_seconds_bucket"]]
    assert buckets[0] == ("0.0005", 1.0)
    assert dict(buckets)["0.005"] == 2.0
    assert buckets[-2:] == [(str(BUCKETS[-1]), 2.0), ("+Inf", 3.0)]
    assert found["alejo_call_seconds_count"] == [({"method": "S/M"}, 3.0)]
    assert found["alejo_call_seconds_sum"][0][1] == pytest.approx(99.0034)


def test_a_gauge_is_read_when_it_is_asked_for() -> None:
    """A gauge has the value of the moment of the scrape."""
    metrics, values = Metrics(), [1.0, 2.0]
    metrics.gauge("alejo_things", "Things.", lambda: values.pop(0))
    assert families(metrics)["alejo_things"] == [({}, 1.0)]
    assert families(metrics)["alejo_things"] == [({}, 2.0)]


def test_codes_have_their_names() -> None:
    """Every status has the name gRPC gives it."""
    assert {code_name(one) for one in Status} == {one.name for one in Status}


def test_two_servers_count_apart() -> None:
    """Each server has a registry of its own, and its port gives it back when closed."""
    one, two = Metrics(), Metrics()
    one.method("S/M").ended(0, 1.0)
    assert "alejo_calls_total" not in families(two)
    scrape = Scrape(one, "127.0.0.1", 0)
    with urllib.request.urlopen(f"http://127.0.0.1:{scrape.port}/metrics", timeout=10) as answer:
        assert b'alejo_calls_total{code="OK",method="S/M"} 1.0' in answer.read()
    with pytest.raises(OSError, match="in use"):
        Scrape(two, "127.0.0.1", scrape.port)
    scrape.close()
    Scrape(two, "127.0.0.1", scrape.port).close()


def test_nothing_is_loaded_for_metrics_that_nobody_reads() -> None:
    """A server counts without the library that tells the counts, which takes 4 MiB."""
    lines = "import sys, alejo.app, alejo.server; alejo.metrics.Metrics(); print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
