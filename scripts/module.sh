#!/usr/bin/env bash
# Tests one nested module: module.sh FOLDER [arguments of go test]. A module that needs programs of the system names
# them in its needs.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/need.sh

cd "$1"
shift
need_compiler
if [ -e needs.sh ]; then . ./needs.sh; fi

export CGO_ENABLED=1 # the race detector needs it
go vet ./...
# A cached result may be of other code, since go test doesn't know which programs a test builds and starts itself.
go test -race -timeout 20m -count=1 "$@" ./...
