#!/usr/bin/env bash
# Prints the folder of each nested module. It finds them itself, so that a new one can't be forgotten.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

git ls-files --cached --others --exclude-standard -- '*/go.mod' ':!*testdata/*' | xargs -r -n1 dirname | sort -u
