#!/usr/bin/env bash
# Checks everything that needs no run: formatting, vet, staticcheck and tidy modules, in every module. Reports all
# mistakes before it fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2 # pinned: new checks come with a commit of their own
status=0

check() {
	"$@" || { echo "failed in $PWD: $*" >&2; status=1; }
}

formatted() {
	local files
	files=$(gofmt -l .)
	[ -z "$files" ] || { printf 'not formatted by gofmt:\n%s\n' "$files" >&2; return 1; }
}

modules=$(scripts/modules.sh)
check formatted
for dir in . $modules; do
	pushd "$dir" >/dev/null
	check go vet ./...
	check go run "$staticcheck" ./...
	check go mod tidy -diff
	popd >/dev/null
done
exit "$status"
