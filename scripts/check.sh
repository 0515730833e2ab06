#!/usr/bin/env bash
# Everything that can be said about the tree without running it. Every check runs; the failed ones are named at the end.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
PATH="$PWD/.venv/bin:$PATH:$HOME/.cargo/bin"
failed=()

check() { # name, command
    local name=$1 out
    shift
    if out=$("$@" 2>&1); then
        printf '· %s\n' "$name"
    else
        printf '✗ %s\n%s\n' "$name" "$out"
        failed+=("$name")
    fi
}

plugins_typed() { # one by one: each is a program of its own, its tests have equal names
    local plugin
    for plugin in plugins/*/ benchmarks/; do
        if [ -d "$plugin/src" ]; then mypy "$plugin/src" || return; fi
    done
}

check "python style (ruff)" ruff check --quiet .
check "python format (ruff)" ruff format --quiet --check .
check "shell scripts (shellcheck)" shellcheck scripts/*.sh .ci/run
check "types of alejo (mypy)" mypy
check "types of the scripts (mypy)" mypy scripts
check "types of the plugins and benches (mypy)" plugins_typed
check "the Rust core's reference against the binary (stubtest)" stubtest --concise alejo._core
check "rust format (cargo fmt)" cargo fmt --all --check
check "rust lint (cargo clippy)" cargo clippy --quiet --workspace --all-targets --all-features -- -D warnings
check "wire lint (buf lint)" buf lint
check "wire format (buf format)" buf format --diff --exit-code
check "wire compatibility (buf breaking)" buf breaking --against proto/baseline.binpb
check "generated files are what make generate writes" python scripts/generate.py --check

if [ ${#failed[@]} -gt 0 ]; then
    printf '\n%d of the checks failed:\n' "${#failed[@]}"
    printf '  %s\n' "${failed[@]}"
    exit 1
fi
