#!/usr/bin/env bash
# Runs each fuzz target of the library for FUZZTIME. Targets are found, not listed; go test fuzzes one at a time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fuzztime=${FUZZTIME:-20s}

packages=$(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...)
for package in $packages; do
	# Listed apart from the loop below: a package that does not compile has to end the script.
	listed=$(go test -list '^Fuzz' "$package")
	for target in $(grep '^Fuzz' <<<"$listed" || true); do
		echo "$package $target, $fuzztime"
		# By default, making an input smaller may take longer than all the time there is to find others.
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" -fuzzminimizetime 1s "$package"
	done
done
