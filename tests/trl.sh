#!/usr/bin/env bash
# A job that `serve` hands to Hugging Face TRL under torchrun, in two processes on this machine; its adapter is served.
#
#   PYTHON=... tests/trl.sh [FOLDER]     a base model as Transformers loads it; the tests' tiny model by default
#
# PYTHON names an interpreter with torch, trl, peft, transformers and datasets; without them the test is skipped. SERVE
# names a built `serve`, else cargo builds one; PROCESSES how many processes train, 2 by default.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/serve.sh

base_model=${1:-tests/golden/tiny-llama}
python=${PYTHON:-python3}
if ! "$python" -c 'import torch, trl, peft, datasets' 2>/dev/null; then
    echo "skipped: $python has not torch, trl, peft and datasets"
    exit 0
fi
start_serve --base-model "$base_model" --trainer trl \
    --launch "$python -m torch.distributed.run --standalone --nproc_per_node ${PROCESSES:-2}"
"$python" tests/trl.py "$url" || { tail -n 30 "$work"/state/logs/*.log >&2; exit 1; }
stop_serve
