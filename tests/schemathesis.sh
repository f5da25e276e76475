#!/usr/bin/env bash
# Holds `serve` against OpenAI's own API description with schemathesis: no 5xx, and every answer as its schema says.
#
#   tests/schemathesis.sh DESCRIPTION [EXAMPLES]     openai-openapi's openapi.yaml; examples an operation, 50 by default
#
# PYTHON names the interpreter (3.10 or later); SERVE a built `serve`, else cargo builds one; SCHEMATHESIS_VENV keeps the
# virtual environment elsewhere than in target/. tests/schemathesis.py says what is asked and what is taken as known.
set -euo pipefail
cd "$(dirname "$0")/.."

. tests/serve.sh

description=${1:?usage: tests/schemathesis.sh DESCRIPTION [EXAMPLES]}
examples=${2:-50}
python_with schemathesis 'schemathesis>=4.10,<5' "${SCHEMATHESIS_VENV:-target/schemathesis}"
start_serve --base-model tests/golden/tiny-llama
"$python" tests/schemathesis.py "$description" "$url" "$work/description.json"
# The seed makes a failure come again. Requests that never end by themselves would be a failure of their own.
"$(dirname "$python")/schemathesis" run "$work/description.json" --url "$url" --phases examples,coverage,fuzzing \
    --checks not_a_server_error,response_schema_conformance \
    --max-examples "$examples" --seed 7 --request-timeout 60 --warnings off --no-color --continue-on-failure \
    --suppress-health-check all
kill -0 "$server" || { cat "$work/log" >&2; exit 1; }
echo "what was answered, and how often:"
"$python" - "${url%/v1}/metrics" <<'PYTHON'
import re, sys, urllib.request
for line in urllib.request.urlopen(sys.argv[1]).read().decode().splitlines():
    found = re.match(r'medtune_http_request_duration_seconds_count{method="(.*)",path="(.*)",status="(.*)"} (.*)', line)
    if found:
        print("  {0:6} {1:45} {2} {3:>7}".format(*found.groups()))
PYTHON
stop_serve
