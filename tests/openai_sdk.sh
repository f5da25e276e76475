#!/usr/bin/env bash
# Drives `serve` with the official OpenAI Python SDK: tests/openai_sdk.py in a virtual environment.
#
#   tests/openai_sdk.sh [BASE_MODEL]      a name or path for serve's --base-model; the tiny test model by default
#
# PYTHON names the interpreter (3.9 or later); SERVE a built `serve`, else cargo builds one; SDK_VENV keeps the
# virtual environment elsewhere than in target/.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/serve.sh

python_with openai 'openai>=3,<4' "${SDK_VENV:-target/openai-sdk}"
start_serve --base-model "${1:-tests/golden/tiny-llama}"
model=$("$python" - "$url" <<'PYTHON'
import sys, openai
print(next(iter(openai.OpenAI(base_url=sys.argv[1], api_key="any").models.list())).id)
PYTHON
)
"$python" tests/openai_sdk.py "$url" "$model"
stop_serve
