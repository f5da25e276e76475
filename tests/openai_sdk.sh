#!/usr/bin/env bash
# Drives `serve` with the official OpenAI Python SDK: tests/openai_sdk.py in a virtual environment.
#
#   tests/openai_sdk.sh [BASE_MODEL]      a name or path for serve's --base-model; the tiny test model by default
#
# PYTHON names the interpreter (3.9 or later); SERVE a built `serve`, else cargo builds one; SDK_VENV keeps the
# virtual environment elsewhere than in target/.
set -euo pipefail
cd "$(dirname "$0")/.."

base_model=${1:-tests/golden/tiny-llama}
venv=${SDK_VENV:-target/openai-sdk}
if ! "$venv/bin/python" -c 'import openai' 2>/dev/null; then
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'openai>=3,<4'
fi
if [ -z "${SERVE:-}" ]; then
    cargo build --quiet --package serve
    SERVE=${CARGO_TARGET_DIR:-target}/debug/serve
fi

data=$(mktemp -d)
server=
finish() {
    if [ -n "$server" ]; then kill -TERM "$server" 2>/dev/null && wait "$server" || true; fi
    rm -rf "$data"
}
trap finish EXIT
"$SERVE" --addr 127.0.0.1:0 --data-dir "$data/state" --base-model "$base_model" >"$data/url" 2>"$data/log" &
server=$!
until [ -s "$data/url" ]; do
    if ! kill -0 "$server" 2>/dev/null; then
        cat "$data/log" >&2
        exit 1
    fi
    sleep 0.2
done
url=$(cat "$data/url")
model=$("$venv/bin/python" - "$url" <<'PYTHON'
import sys, openai
print(next(iter(openai.OpenAI(base_url=sys.argv[1], api_key="any").models.list())).id)
PYTHON
)
"$venv/bin/python" tests/openai_sdk.py "$url" "$model"

kill -TERM "$server"
wait "$server"
server=
