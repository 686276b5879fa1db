#!/usr/bin/env bash
# Runs each fuzz target of the library for FUZZTIME. It finds the targets itself. go test fuzzes one at a time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fuzztime=${FUZZTIME:-20s}

packages=$(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...)
for package in $packages; do
	# Not in the head of the loop below, where a package that does not compile would not end the script.
	listed=$(go test -list '^Fuzz' "$package")
	for target in $(grep '^Fuzz' <<<"$listed" || true); do
		echo "$package $target, $fuzztime"
		# By default, go test may spend more time on making one input smaller than FUZZTIME.
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" -fuzzminimizetime 1s "$package"
	done
done
