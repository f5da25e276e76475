#!/usr/bin/env bash
# A job that `serve` hands to Hugging Face TRL under torchrun, in two processes on this machine; its adapter is served.
#
#   PYTHON=... tests/trl.sh [FOLDER]     a base model as Transformers loads it; the tests' tiny model by default
#
# PYTHON names an interpreter with torch, trl, peft, transformers and datasets; without them the test is skipped. SERVE
# names a built `serve`, else cargo builds one; PROCESSES how many processes train, 2 by default.
set -euo pipefail
cd "$(dirname "$0")/.."

base_model=${1:-tests/golden/tiny-llama}
python=${PYTHON:-python3}
if ! "$python" -c 'import torch, trl, peft, datasets' 2>/dev/null; then
    echo "skipped: $python has not torch, trl, peft and datasets"
    exit 0
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
"$SERVE" --addr 127.0.0.1:0 --data-dir "$data/state" --base-model "$base_model" --trainer trl \
    --launch "$python -m torch.distributed.run --standalone --nproc_per_node ${PROCESSES:-2}" \
    >"$data/url" 2>"$data/log" &
server=$!
until [ -s "$data/url" ]; do
    if ! kill -0 "$server" 2>/dev/null; then
        cat "$data/log" >&2
        exit 1
    fi
    sleep 0.2
done
"$python" tests/trl.py "$(cat "$data/url")" || { tail -n 30 "$data"/state/logs/*.log >&2; exit 1; }

kill -TERM "$server"
wait "$server"
server=
