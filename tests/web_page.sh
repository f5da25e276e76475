#!/usr/bin/env bash
# Drives the page of `serve` in headless Chromium: tests/web_page.mjs over the npm packages playwright-core and axe-core.
#
#   tests/web_page.sh [BASE_MODEL]      a name or path for serve's --base-model; the tiny test model by default
#
# Needs Node 20 or later and Chromium (CHROMIUM names it, else it is looked for on the path). SERVE names a built `serve`,
# else cargo builds one; WEB_PACKAGES a folder that has both packages in node_modules, else they are installed in target/;
# SCREENSHOTS a folder for pictures of what was seen.
set -euo pipefail
cd "$(dirname "$0")/.."

BASE_MODEL=${1:-tests/golden/tiny-llama}
packages=${WEB_PACKAGES:-target/web-page}
CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
if [ -z "$CHROMIUM" ]; then
    echo "there is no Chromium: CHROMIUM names one" >&2
    exit 2
fi
if [ ! -d "$packages/node_modules/playwright-core" ] || [ ! -d "$packages/node_modules/axe-core" ]; then
    mkdir -p "$packages"
    npm install --silent --no-fund --no-audit --prefix "$packages" 'playwright-core@^1' 'axe-core@^4'
fi
if [ -z "${SERVE:-}" ]; then
    cargo build --quiet --package serve
    SERVE=${CARGO_TARGET_DIR:-target}/debug/serve
fi

SPLITS=$PWD/tests/golden/splits.json
export BASE_MODEL CHROMIUM SERVE SPLITS
# A module finds its packages beside itself.
cp tests/web_page.mjs "$packages/web_page.mjs"
node "$packages/web_page.mjs"
