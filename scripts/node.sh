#!/usr/bin/env bash
# Tests the browser module of live sockets with Node, also against a server in Go. Arguments go to node --test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/need.sh

need_go
need node nodejs
need npm npm
need_certificates # npm and Go download, and check, what package-lock.json and go.mod name

cd live/client
npm ci --prefer-offline --no-audit --no-fund
npm test -- "$@"
