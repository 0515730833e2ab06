#!/usr/bin/env bash
# Builds the wheels of alejo and its plugins: scripts/wheel.sh [FOLDER]. Where they are installed nothing is compiled.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH:$HOME/.cargo/bin"
export MATURIN_NO_INSTALL_RUST=1 PIP_DISABLE_PIP_VERSION_CHECK=1
folder=${1:-dist}

mkdir -p "$folder"
rm -f "$folder"/alejo*.whl # of an earlier version: pip install dist/*.whl would find two
python -m pip wheel --quiet --no-deps --no-index --no-build-isolation --wheel-dir "$folder" . ./plugins/*/ >&2
ls "$folder"/alejo*.whl
