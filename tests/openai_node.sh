#!/usr/bin/env bash
# Drives `serve` with the official OpenAI Node SDK: tests/openai_node.mjs over the npm package `openai`.
#
#   tests/openai_node.sh [BASE_MODEL]      a name or path for serve's --base-model; the tiny test model by default
#
# Needs Node 20 or later. SERVE names a built `serve`, else cargo builds one; NODE_SDK a folder that has the package in
# node_modules, else it is installed in target/.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/serve.sh

sdk=${NODE_SDK:-target/openai-node}
if [ ! -d "$sdk/node_modules/openai" ]; then
    mkdir -p "$sdk"
    npm install --silent --no-fund --no-audit --prefix "$sdk" 'openai@^6'
fi
start_serve --base-model "${1:-tests/golden/tiny-llama}"
# A module finds its packages beside itself.
cp tests/openai_node.mjs "$sdk/openai_node.mjs"
node "$sdk/openai_node.mjs" "$url"
stop_serve
