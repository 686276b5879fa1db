#!/usr/bin/env bash
# Tests the library on a machine that has only Go. Arguments go to go test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/need.sh

need_go
need_compiler
need_modules
need_postgres

export CGO_ENABLED=1 # the race detector needs it
go vet ./...
go test -race -timeout 20m "$@" ./...
# The race detector allocates, too, so tests of allocations run without it.
go test -run 'Budget|Cost|Allocat' . ./internal/promises
