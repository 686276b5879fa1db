#!/usr/bin/env bash
# Measures this library and others, and writes docs/benchmarks. Arguments, such as -short, go to the program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/need.sh
need_modules

cd bench
. ./needs.sh
go run . "$@"
