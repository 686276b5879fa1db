#!/usr/bin/env bash
# Opens, uses, cuts and resumes SOCKETS (10,000) live sockets under the race detector, in batches. Arguments go to go
# test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/need.sh

need_go
need_compiler
need_modules

export CGO_ENABLED=1 # the race detector needs it
SESSION_LIVE_SOCKETS=${SOCKETS:-10000} go test -race -count=1 -timeout 20m -v -run '^TestManySockets$' "$@" ./live
