#!/usr/bin/env bash
# The Rust tests, then the Python tests: scripts/test.sh [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH:$HOME/.cargo/bin"
printf '· testing the Rust core (about 30 s the first time)\n' >&2
cargo test --quiet --workspace
printf '· testing everything else\n' >&2
exec pytest "$@"
