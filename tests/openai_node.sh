#!/usr/bin/env bash
# Drives `serve` with the official OpenAI Node SDK: tests/openai_node.mjs over the npm package `openai`.
#
#   tests/openai_node.sh [BASE_MODEL]      a name or path for serve's --base-model; the tiny test model by default
#
# Needs Node 20 or later. SERVE names a built `serve`, else cargo builds one; NODE_SDK a folder that has the package in
# node_modules, else it is installed in target/.
set -euo pipefail
cd "$(dirname "$0")/.."

base_model=${1:-tests/golden/tiny-llama}
sdk=${NODE_SDK:-target/openai-node}
if [ ! -d "$sdk/node_modules/openai" ]; then
    mkdir -p "$sdk"
    npm install --silent --no-fund --no-audit --prefix "$sdk" 'openai@^6'
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
# A module finds its packages beside itself.
cp tests/openai_node.mjs "$sdk/openai_node.mjs"
node "$sdk/openai_node.mjs" "$(cat "$data/url")"

kill -TERM "$server"
wait "$server"
server=
