#!/usr/bin/env bash
# Runs each fault FAULTS_RUNS times, and writes the results to docs/faults.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export FAULTS_RUNS=${FAULTS_RUNS:-3} FAULTS_REPORT=$PWD/docs/faults.md
mkdir -p docs
scripts/module.sh e2e -run '^TestFaults$' -count=1 -timeout 60m -v
