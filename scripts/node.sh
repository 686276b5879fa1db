#!/usr/bin/env bash
# Tests the browser module of live sockets with Node. Arguments go to node --test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/need.sh

need node nodejs
need npm npm
need_certificates # npm downloads, and checks, what package-lock.json names

cd live/client
npm ci --prefer-offline --no-audit --no-fund
npm test -- "$@"
