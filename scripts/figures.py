"""The tables of figures in the docs, from the files that the benchmarks wrote into benchmarks/figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Row = dict[str, Any]

# What README shows: bench, case, system, metric, and what it is called; what is not measured yet is left out.
SHOWN = (
    ("overhead", "1", "alejo", "throughput_ratio", "durable turns ÷ bare echoes a second, one at a time"),
    ("overhead", "64", "alejo", "throughput_ratio", "the same, 64 at once"),
    ("overhead", "64-all", "alejo", "throughput_ratio", "the same with all four plugins, recall over 1,000 memories"),
    ("overhead", "64", "alejo", "turns_per_second", "durable turns a second, 64 at once"),
    ("overhead", "1", "alejo", "fsyncs_per_turn", "flushes to disk a turn, one at a time"),
    ("overhead", "64", "alejo+log", "interceptor_us", "processor time of the gate a call, log line included"),
    ("recall", "1-4", "alejo", "recall@10", "of the turns that answer a LoCoMo question, among the first ten"),
    ("memory", "10000", "alejo", "recall_p50_ms", "a recall among 10,000 memories, its question's embedding included"),
    ("memory", "100000", "alejo", "restart_mb", "memory of 100,000 memories of one user"),
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

# At the end of the machine of rows that were taken while it did other work too: README shows none of these.
BUSY = ", busy with other work"
NOT_YET = "Not measured yet on a machine that does nothing else."

MEMORY = {
    ("recall_p50_ms", "1000"): ("a recall among 1,000, median", ""),
    ("recall_p99_ms", "1000"): ("99 of 100 are below", ""),
    ("recall_p50_ms", "10000"): ("a recall among 10,000, median", "≤ 0.6"),
    ("recall_p99_ms", "10000"): ("99 of 100 are below", "≤ 2"),
    ("recall_p50_ms", "100000"): ("a recall among 100,000, median", ""),
    ("recall_p99_ms", "100000"): ("99 of 100 are below", ""),
    ("recall_p50_ms", "100x1000"): ("a recall of one of 100 users, median", ""),
    ("recall_p99_ms", "100x1000"): ("99 of 100 are below", ""),
    ("tenant_recall@10", "100x1000"): ("of a user's ten nearest found among 100 users", "≥ 0.99"),
    ("ram_bytes_per_memory", "100000"): ("memory, each of 100,000", "≤ 1,600"),
    ("restart_s", "100000"): ("restart until the first recall among 100,000", "≤ 1"),
    ("restart_mb", "100000"): ("what they take then", "≤ 160"),
    ("idle_user_bytes", "100x1000"): ("what a user takes who does not speak", "0"),
    ("durable_p50_ms", "1"): ("one acknowledged, one writer", "≤ 1.3 times lmdb + 0.3"),
    ("durable_s", "64"): ("acknowledged, 64 writers", "≥ 0.6 times lmdb"),
    ("group", "64"): ("of these in one transaction", ""),
    ("forget_p50_ms", "100000"): ("one of 100,000 forgotten, median", ""),
    ("forget_p99_ms", "100000"): ("99 of 100 are below", "≤ 1 + a commit of lmdb"),
    ("stream_recall_us", "1000"): ("processor time that the wire adds to a streamed recall", "≤ 60"),
    ("library_recall_us", "1000"): ("that of the same recall without it", ""),
}
# Title, file of figures, and the case in which systems are compared.
RECALL = (
    ("Our own corpus", "recall.jsonl", "all"),
    ("LoCoMo, five of its ten conversations", "recall-locomo.jsonl", "1-4"),
)
FOUND = {
    "recall@5": "recall@5",
    "recall@10": "recall@10",
    "recall@20": "recall@20",
    "recall@50": "recall@50",
    "hit@10": "hit@10",
    "mrr": "MRR",
    "ndcg@10": "NDCG@10",
    "recall_at_500_tokens": "in 500 tokens",
}
LOST = ("recall@5", "recall@10", "mrr")


def readme(folder: Path) -> str:
    """The figures that README shows."""
    found = [each for each in _rows(folder, "*.jsonl") if not each["machine"].endswith(BUSY)]
    places = {(each["bench"], each["case"], each["system"], each["metric"]): each for each in found}
    chosen = [(places[each[:-1]], each[-1]) for each in SHOWN if each[:-1] in places]
    lines = [_machines([one for one, _ in chosen]), "", "| | median | range | unit |", "|---|---|---|---|"]
    lines += [f"| {name} | {_digits(one['value'])} | {_range(one)} | {one['unit']} |" for one, name in chosen]
    return "\n".join(lines)


def core(folder: Path) -> str:
    """Every figure of the core beside those of its peers."""
    return _beside(_rows(folder, "core.jsonl"), CORE)


def memory(folder: Path) -> str:
    """What keeping and finding memories costs, beside the peers; those that filled too slowly at what they reached."""
    found = _rows(folder, "memory.jsonl")
    if not found:
        return NOT_YET
    table = _beside(found, MEMORY)
    ours = {(each["metric"], each["case"]) for each in found if each["system"] == "alejo"}
    late = [each for each in found if (each["metric"], each["case"]) not in ours and each["metric"] != "forget_p50_ms"]
    lines = [
        f"- {system}, {case}: " + ", ".join(f"{each['metric']} {_digits(each['value'])}" for each in group)
        for (system, case), group in _grouped(late, "system", "case").items()
    ]
    if lines:
        table += "\n\nFilled for a minute, these held less than asked for, and were asked about that:\n\n" + "\n".join(
            lines
        )
    return table


def recall(folder: Path) -> str:
    """What is found, of each corpus: by case, beside others, and without each evidence."""
    parts = []
    for title, file, whole in RECALL:
        found = _rows(folder, file)
        parts.append(f"### {title}\n\n" + (_corpus(found, whole) if found else NOT_YET))
    return "\n\n".join(parts)


def _corpus(found: list[Row], whole: str) -> str:
    places = {(each["case"], each["system"], each["metric"]): each for each in found}
    systems = list(dict.fromkeys(each["system"] for each in found if each["metric"] == "recall@10"))
    cases = list(dict.fromkeys(each["case"] for each in found if each["metric"] == "recall@10"))
    lines = [
        _machines(found),
        "",
        f"| case | questions | {' | '.join(FOUND.values())} |",
        "|---" * (2 + len(FOUND)) + "|",
    ]
    for case in cases:
        cells = [_percent(places[case, "alejo", metric]) for metric in FOUND]
        lines.append(f"| {case} | {places[case, 'alejo', 'recall@10']['n']} | {' | '.join(cells)} |")
    lines += ["", f"| {whole} | {' | '.join(FOUND.values())} | ALEJO over it, recall@10 | ms, median | ms, p99 |"]
    lines += ["|---" * (4 + len(FOUND)) + "|"]
    for system in (each for each in systems if not each.startswith("alejo-")):
        cells = [_percent(places[whole, system, metric]) for metric in FOUND]
        over = places.get((whole, "alejo", f"recall@10_over_{system}"))
        speed = [places.get(("all", system, metric)) for metric in ("recall_p50_ms", "recall_p99_ms")]
        cells += [_difference(over) if over else "", *(_digits(each["value"]) if each else "" for each in speed)]
        lines.append(f"| {system} | {' | '.join(cells)} |")
    without = [each for each in systems if each.startswith("alejo-")]
    if without:
        lines += [
            "",
            f"| {whole}, without | {' | '.join(f'{name} more' for name in LOST)} |",
            "|---" * (1 + len(LOST)) + "|",
        ]
    for system in without:
        cells = [_difference(places[whole, system, f"{metric}_over_alejo"]) for metric in LOST]
        lines.append(f"| {system.removeprefix('alejo-')} | {' | '.join(cells)} |")
    error, bias = (places["wordpiece", "alejo", f"estimate_{name}"]["value"] * 100 for name in ("error", "bias"))
    lines += [
        "",
        f"The estimate of tokens is off by {error:.1f} % in the mean, {bias:+.1f} % in sum, of BERT's word pieces.",
    ]
    return "\n".join([*lines, "", _versions(found)])


def plain(*files: str) -> Callable[[Path], str]:
    """Every figure of some files, one below the other."""

    def table(folder: Path) -> str:
        found = [each for file in files for each in _rows(folder, file)]
        if not found:
            return NOT_YET
        lines = [
            _machines(found),
            "",
            "| bench | case | metric | | range | unit | n |",
            "|---|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {one['bench']} | {_of(one)} | {one['metric']} | **{_digits(one['value'])}** | {_spread(one)} "
            f"| {one['unit']} | {one['n']:,} |"
            for one in found
        ]
        return "\n".join(lines)

    return table


def _of(row: Row) -> str:
    """The case, and whose it is if not ours."""
    return str(row["case"]) if row["system"] == "alejo" else f"{row['case']}, {row['system']}"


def _spread(row: Row) -> str:
    same = row["low"] == row["high"] == row["value"]
    return "" if same else f"{_digits(row['low'])} to {_digits(row['high'])}"


def _beside(found: list[Row], names: dict[tuple[str, str], tuple[str, str]]) -> str:
    """A table of our figures, each beside the aim and the peers'."""
    ours = {(each["metric"], each["case"]): each for each in found if each["system"] == "alejo"}
    lines = [_machines(found), "", "| | unit | alejo | range | aim | others |", "|---|---|---|---|---|---|"]
    for place, one in ours.items():
        name, aim = names.get(place, (f"{one['metric']} {one['case']}", ""))
        peers = [each for each in found if (each["metric"], each["case"]) == place and each is not one]
        others = " · ".join(f"{each['system']} {_digits(each['value'])}" for each in peers)
        lines.append(f"| {name} | {one['unit']} | **{_digits(one['value'])}** | {_range(one)} | {aim} | {others} |")
    return "\n".join([*lines, "", _versions(found)])


def _versions(found: list[Row]) -> str:
    versions = {each["system"]: each["version"] for each in found if not each["system"].startswith("alejo")}
    return f"Versions: {', '.join(' '.join(pair) for pair in sorted(versions.items()) if pair[1])}."


def _grouped(found: list[Row], *names: str) -> dict[tuple[str, ...], list[Row]]:
    groups: dict[tuple[str, ...], list[Row]] = {}
    for each in found:
        groups.setdefault(tuple(each[name] for name in names), []).append(each)
    return groups


def _percent(row: Row) -> str:
    return f"{row['value'] * 100:.1f} ± {(row['high'] - row['low']) * 50:.1f}"


def _difference(row: Row) -> str:
    return f"{row['value'] * 100:+.1f} [{row['low'] * 100:+.1f}, {row['high'] * 100:+.1f}]"


def _rows(folder: Path, pattern: str) -> list[Row]:
    return [json.loads(line) for path in sorted(folder.glob(pattern)) for line in path.read_text().splitlines()]


def _machines(rows: list[Row]) -> str:
    return f"Measured on: {'; '.join(sorted({each['machine'] for each in rows}))}."


def _range(row: Row) -> str:
    return f"{_digits(row['low'])} to {_digits(row['high'])}" if row["n"] > 1 else ""


def _digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
