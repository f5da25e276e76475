#!/usr/bin/env bash
# Every request of run-finetuning and ask, held against OpenAI's description by the mock @stdy/cli; see client_requests.py.
# Then every call of the client's library at the mock itself, which refuses what is not as described.
# Needs npm, which fetches the mock into target/, and the description: client_requests.sh [openai-openapi.yaml]
# PROGRAMS names the folder of the built programs, else cargo builds them.
set -euo pipefail
cd "$(dirname "$0")/.."
description=$(realpath "${1:-../shared/openai-openapi.yaml}")
base_model=tests/golden/tiny-llama

target=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
if [ -z "${PROGRAMS:-}" ]; then
  cargo build --quiet --package serve --package run-finetuning --package ask --package medtune-tests --bins
  PROGRAMS=$target/debug
fi
folder=$(mktemp -d)
trap 'kill "${mock:-0}" "${server:-0}" 2>/dev/null || true; rm -rf "$folder"' EXIT

npm install --silent --no-fund --no-audit --prefix "$target/steady" @stdy/cli@0.22.2
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
mock_port=$(port)
server_port=$(port)
"$target/steady/node_modules/.bin/steady" --host 127.0.0.1 --port "$mock_port" --quiet "$description" >"$folder/mock.log" 2>&1 &
mock=$!
"$PROGRAMS/serve" --addr "127.0.0.1:$server_port" --data-dir "$folder/server" --base-model "$base_model" >"$folder/server.log" 2>&1 &
server=$!
for _ in $(seq 100); do
  if curl -fs "http://127.0.0.1:$mock_port/models" >/dev/null && curl -fs "http://127.0.0.1:$server_port/v1/models" >/dev/null; then
    break
  fi
  sleep 0.2
done
python3 tests/client_requests.py "http://127.0.0.1:$mock_port" "http://127.0.0.1:$server_port/v1" "$PROGRAMS" tiny-llama
"$PROGRAMS/conformance" "http://127.0.0.1:$mock_port" --client --mock --jobs --model gpt-4.1-mini
