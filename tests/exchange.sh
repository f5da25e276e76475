#!/usr/bin/env bash
# Loads every format of `export-model` with Transformers, PEFT and (where it is installed) llama.cpp: tests/exchange.py.
#
#   tests/exchange.sh [BASE]      a GGUF file or a model folder; the tiny test model by default
#
# PYTHON names an interpreter that has torch, transformers, peft, gguf and perhaps xllamacpp (llama.cpp); without it a
# virtual environment with torch 2.15.0, transformers 5.23.0, peft 0.21.2, gguf 0.19.0 and xllamacpp 2026.10.11549 is made
# in target/ (5 GB). EXPORT names a
# built `export-model`, else cargo builds one.
set -euo pipefail
cd "$(dirname "$0")/.."

base=$(realpath "${1:-tests/golden/tiny-llama/model.gguf}")
if [ -z "${PYTHON:-}" ]; then
    venv=target/exchange
    PYTHON=$venv/bin/python
    if ! "$PYTHON" -c 'import peft, gguf' 2>/dev/null; then
        python3 -m venv "$venv"
        "$PYTHON" -m pip install --quiet --disable-pip-version-check \
            torch==2.15.0 transformers==5.23.0 peft==0.21.2 gguf==0.19.0 xllamacpp==2026.10.11549
    fi
fi
if [ -z "${EXPORT:-}" ]; then
    cargo build --quiet --package export
    EXPORT=${CARGO_TARGET_DIR:-target}/debug/export-model
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$PYTHON" tests/exchange.py make "$base" "$folder"
write() {
    "$EXPORT" --adapter "$folder/adapter" --base-model "$base" --output "$folder/$1" "${@:2}" >/dev/null
}
write peft --format peft
write adapter.gguf --format gguf-lora
for kind in f32 f16 bf16; do
    write "merged-$kind" --format safetensors --type "$kind"
done
for kind in f32 f16 bf16 q8_0; do
    write "merged-$kind.gguf" --format gguf --type "$kind"
done
"$PYTHON" tests/exchange.py check "$base" "$folder"
