#!/usr/bin/env bash
# The checks, the Rust tests and the Python tests: scripts/test.sh [pytest arguments]. What fails does not stop the rest.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
PATH="$PWD/.venv/bin:$PATH:$HOME/.cargo/bin"
failed=()

printf '\nChecks\n'
scripts/check.sh || failed+=("checks")
printf '\nRust tests (about 30 s the first time)\n'
cargo test --quiet --workspace || failed+=("Rust tests")
printf '\nPython tests\n'
pytest "$@" || failed+=("Python tests")

if [ ${#failed[@]} -gt 0 ]; then
    printf '\nFailed:\n'
    printf '  %s\n' "${failed[@]}"
    exit 1
fi
