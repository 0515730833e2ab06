"""The tables of figures in the docs, from the files that the benchmarks wrote into benchmarks/figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Row = dict[str, Any]

# What README shows: bench, case, system, metric, and what it is called.
SHOWN = (
    ("overhead", "1", "alejo", "throughput_ratio", "durable turns ÷ bare echoes a second, one at a time"),
    ("overhead", "64", "alejo", "throughput_ratio", "the same, 64 at once"),
    ("overhead", "64-all", "alejo", "throughput_ratio", "the same with all four plugins, recall over 1,000 memories"),
    ("overhead", "64", "alejo", "turns_per_second", "durable turns a second, 64 at once"),
    ("overhead", "1", "alejo", "fsyncs_per_turn", "flushes to disk a turn, one at a time"),
    ("overhead", "64", "alejo", "fsyncs_per_turn", "flushes to disk a turn, 64 at once"),
    ("overhead", "64", "alejo+log", "interceptor_us", "processor time of the gate a call, log line included"),
    ("footprint", "server", "alejo", "environment_mb", "server and plugins on disk"),
    ("footprint", "server", "alejo", "warm_start_s", "start until it serves"),
    ("footprint", "server", "alejo", "first_start_s", "the first start ever"),
    ("footprint", "server", "alejo", "idle_rss_anon_mb", "memory of an idle server (RssAnon)"),
    ("footprint", "server", "alejo", "idle_cpu_percent", "processor time of an idle server"),
)

# What the figures of the core are called, and what was aimed at; one that is not named here goes by its own name.
CORE = {
    ("get_hit_ns", "1KiB"): ("cache: a get that hits, 1 KiB", "≤ 1.2 times cachebox.LRUCache, ≤ a third of moka_py"),
    ("put_ns", "1KiB"): ("cache: a put over another", ""),
    ("mixed_ops_s", "1thread"): ("cache: 90 gets to 10 puts", "≥ 0.85 times cachebox.LRUCache"),
    ("mixed_ops_s", "2threads"): ("cache: the same by two threads", "≥ 0.95 times one thread"),
    ("get_many_ratio", "64"): ("cache: `get_many` of 64 ÷ 64 gets", "≤ 0.6"),
    ("opt_ratio", "zipf"): ("cache: hits ÷ the possible, Zipf", "≥ 0.90"),
    ("opt_ratio", "scan"): ("cache: the same with scans", "≥ 0.89"),
    ("opt_ratio", "shift"): ("cache: popularity that shifts", "≥ 0.81"),
    ("opt_ratio", "chat"): ("cache: chats of 5,000 users", "≥ 0.95 times cachebox.LRUCache"),
    ("l3_put_s", "1KiB-batch"): ("cache on disk: puts in batches", ""),
    ("l3_get_s", "1KiB"): ("cache on disk: gets that hit", "≥ 1.2 times lmdb, ≥ 5 times diskcache"),
    ("l3_put_s", "1KiB"): ("cache on disk: puts", "≥ 5 times diskcache"),
    ("limiter_ns", "1key"): ("limiter: a decision, one caller", "≤ 90"),
    ("limiter_ns", "shared-1key"): ("limiter: the same in a shared file", "≤ 1.5 times that"),
    ("limiter_ns", "100k"): ("limiter: a decision, 100,000 callers", "≤ 250"),
    ("limiter_ns", "shared-100k"): ("limiter: the same in a shared file", "≤ 1.5 times that"),
    ("limiter_mb", "1M"): ("limiter: memory of a million callers", "≤ 32"),
    ("limiter_mb", "1M-idle"): ("limiter: once they were idle", "0"),
    ("bm25_us", "10k"): ("index: a query over 10,000 documents", "≤ 60"),
    ("bm25_us", "100k"): ("index: a query over 100,000", "≤ 900"),
    ("bm25_overlap@10", "10k"): ("index: of the exact ten found", "≥ 0.99"),
    ("bm25_overlap@10", "100k"): ("index: of the exact ten found", "≥ 0.99"),
    ("bm25_mb", "10k"): ("index: memory of 10,000", ""),
    ("bm25_mb", "100k"): ("index: memory of 100,000", ""),
    ("bm25_add_us", "10k"): ("index: add one to 10,000", "≤ 10"),
    ("bm25_add_us", "100k"): ("index: add one to 100,000", "≤ 10"),
    ("rank_us", "f32"): ("rank: 200 to 20, floats", "≤ 60, ≤ a third of numpy"),
    ("rank_us", "int8"): ("rank: 200 to 20, bytes", "≤ 45"),
    ("scan_ms", "100k"): ("scan: the ten nearest of 100,000", "≤ 1.5"),
    ("scan_ms", "isotropic"): ("scan: the ten nearest, any direction alike", "≤ 1.5"),
    ("scan_recall@10", "100k"): ("scan: of them found", "≥ 0.999"),
    ("scan_recall@10", "isotropic"): ("scan: of them found, any direction alike", "≥ 0.999"),
    ("scan_add_us", "100k"): ("scan: add one to 100,000", "≤ 5"),
    ("scan_add_us", "isotropic"): ("scan: add one, any direction alike", "≤ 5"),
    ("scan_mb", "100k"): ("scan: memory of 100,000", ""),
    ("scan_mb", "isotropic"): ("scan: memory, any direction alike", ""),
    ("embed_us", "20words"): ("embed: a text of 20 words", "≤ 15"),
    ("embed_texts_s", "batch"): ("embed: texts, 1,000 in a call", "≥ 100,000"),
}


def readme(folder: Path) -> str:
    """The figures that README shows."""
    found = _rows(folder, "*.jsonl")
    places = {(each["bench"], each["case"], each["system"], each["metric"]): each for each in found}
    chosen = [(places[place[0], place[1], place[2], place[3]], name) for *place, name in SHOWN]
    lines = [_machines([one for one, _ in chosen]), "", "| | median | range | unit |", "|---|---|---|---|"]
    lines += [f"| {name} | {_digits(one['value'])} | {_range(one)} | {one['unit']} |" for one, name in chosen]
    return "\n".join(lines)


def core(folder: Path) -> str:
    """Every figure of the core beside those of its peers."""
    found = _rows(folder, "core.jsonl")
    ours = {(each["metric"], each["case"]): each for each in found if each["system"] == "alejo"}
    lines = [_machines(found), "", "| | unit | alejo | range | aim | others |", "|---|---|---|---|---|---|"]
    for place, one in ours.items():
        name, aim = CORE.get(place, (f"{one['metric']} {one['case']}", ""))
        peers = [each for each in found if (each["metric"], each["case"]) == place and each is not one]
        others = " · ".join(f"{each['system']} {_digits(each['value'])}" for each in peers)
        lines.append(f"| {name} | {one['unit']} | **{_digits(one['value'])}** | {_range(one)} | {aim} | {others} |")
    versions = {each["system"]: each["version"] for each in found if not each["system"].startswith("alejo")}
    return "\n".join(
        [*lines, "", f"Versions: {', '.join(' '.join(pair) for pair in sorted(versions.items()) if pair[1])}."]
    )


def _rows(folder: Path, pattern: str) -> list[Row]:
    return [json.loads(line) for path in sorted(folder.glob(pattern)) for line in path.read_text().splitlines()]


def _machines(rows: list[Row]) -> str:
    return f"Measured on: {'; '.join(sorted({each['machine'] for each in rows}))}."


def _range(row: Row) -> str:
    return f"{_digits(row['low'])} to {_digits(row['high'])}" if row["n"] > 1 else ""


def _digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
