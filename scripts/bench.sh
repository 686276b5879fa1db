#!/usr/bin/env bash
# Measures the library beside others and writes docs/benchmarks; arguments go to the program, -short for one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/need.sh
need_modules

cd bench
. ./needs.sh
go run . "$@"
