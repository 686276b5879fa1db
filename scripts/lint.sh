#!/usr/bin/env bash
# Checks everything that needs no run: formatting, the length of lines, vet, staticcheck and tidy modules, in every
# module. Reports all mistakes before it fails.
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

# narrow reports each line of tracked Go code with more than 120 characters, where a tab counts as one. Other people's
# code and generated code (https://go.dev/s/generatedcode) may have longer ones.
narrow() {
	local files
	files=$(git ls-files -- '*.go' ':!*vendor/*' ':!*testdata/*')
	[ -z "$files" ] || LC_ALL=C awk -v most=120 '
		FNR == 1 { generated = 0 }
		/^\/\/ Code generated .* DO NOT EDIT\.$/ { generated = 1 }
		!generated && wide($0) > most { printf "%s:%d: %d characters, want at most %d\n", FILENAME, FNR, wide($0), most; bad = 1 }
		function wide(line) { gsub(/[\200-\277]/, "", line); return length(line) } # UTF-8: only first bytes count
		END { exit bad }' $files >&2
}

modules=$(scripts/modules.sh)
check formatted
check narrow
for dir in . $modules; do
	pushd "$dir" >/dev/null
	check go vet ./...
	check go run "$staticcheck" ./...
	check go mod tidy -diff
	popd >/dev/null
done
exit "$status"
