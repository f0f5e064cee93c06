#!/usr/bin/env bash
# Runs every test that this machine can run and sums up. Each package has a
# time limit of its own, after which Go prints all stacks.
set -u
go=${GO:-go}
limit=${TEST_TIMEOUT:-8m}
out=$(mktemp)
trap 'rm -f "$out"' EXIT

export CGO_ENABLED=1
"$go" test -json -timeout "$limit" -p 2 ${PKGS:-./...} >"$out" 2>&1
status=$?

# Lines that are not JSON are messages of the Go tool.
grep -v '^{' "$out" | head -n 40 >&2

"$go" run ./test/summary <"$out"
summary=$?
[ "$status" = 0 ] && [ "$summary" = 0 ]
