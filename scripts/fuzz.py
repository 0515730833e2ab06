"""Fuzzes a part of the Rust core: scripts/fuzz.py TARGET [--seconds 60] [--keep]

libFuzzer on stable Rust: coverage by LLVM's own pass, debug assertions and overflow checks on, no sanitizer. It begins
with core_rs/fuzz/corpora/TARGET.txt, an input on each line, in hex, which the tests of the core replay. An input that
breaks something is added there; with --keep, the file becomes a small set of inputs that reach all that was reached.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUZZ = ROOT / "core_rs" / "fuzz"
FLAGS = (
    "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 "
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table "
    "-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
)
LONGEST = 400  # bytes of an input


def targets() -> list[str]:
    """The names in the table of targets."""
    return re.findall(r'\("(\w+)", ', (FUZZ / "src" / "lib.rs").read_text("utf-8"))


def built() -> Path:
    """The fuzzer, built."""
    host = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout  # noqa: S607 - whichever builds
    triple = str(re.findall(r"^host: (.+)$", host, re.MULTILINE)[0])
    into = ROOT / "target" / "fuzz"
    command = ["cargo", "build", "--quiet", "--release", "--target", triple]
    environment = os.environ | {"RUSTFLAGS": FLAGS, "CARGO_TARGET_DIR": str(into)}
    subprocess.run(command, check=True, cwd=FUZZ, env=environment)
    return into / triple / "release" / "alejo-fuzz"


def unpacked(corpus: Path, folder: Path) -> None:
    """Writes each input of a corpus to a file of its own."""
    folder.mkdir()
    for number, line in enumerate(corpus.read_text("ascii").splitlines() if corpus.exists() else ()):
        (folder / f"{number:04}").write_bytes(bytes.fromhex(line))


def pack(inputs: Iterable[bytes], corpus: Path) -> None:
    """Writes a corpus, the shortest input first."""
    lines = sorted({each.hex() for each in inputs}, key=lambda line: (len(line), line))
    corpus.write_text("".join(f"{line}\n" for line in lines if line), "ascii")


def contents(folder: Path, pattern: str = "*") -> list[bytes]:
    """The files of a folder."""
    return [file.read_bytes() for file in sorted(folder.glob(pattern)) if file.is_file()]


def main() -> int:
    """Reads the command line; 1 if something broke."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=targets())
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    corpus = FUZZ / "corpora" / f"{given.target}.txt"
    fuzzer, environment = built(), os.environ | {"FUZZ_TARGET": given.target}
    with tempfile.TemporaryDirectory(prefix="alejo-fuzz-") as name:
        folder = Path(name)
        unpacked(corpus, folder / "met")
        options = [f"-max_total_time={given.seconds}", f"-max_len={LONGEST}", "-timeout=10", "-print_final_stats=1"]
        done = subprocess.run([str(fuzzer), "met", *options], check=False, cwd=folder, env=environment)
        if done.returncode:
            broke = [file for kind in ("crash", "timeout", "oom") for file in contents(folder, f"{kind}-*")]
            pack([*map(bytes.fromhex, corpus.read_text("ascii").split() if corpus.exists() else ()), *broke], corpus)
            return 1
        if given.keep:
            (folder / "kept").mkdir()
            merge = [str(fuzzer), "-merge=1", "-use_counters=0", "kept", "met"]
            subprocess.run(merge, check=True, cwd=folder, env=environment, capture_output=True)
            pack(contents(folder / "kept"), corpus)
            print(f"{corpus.relative_to(ROOT)}: {len(corpus.read_text('ascii').splitlines())} inputs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
