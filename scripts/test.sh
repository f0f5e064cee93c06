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

# A package that failed is run again by itself, twice at most: some tests run real
# programs against each other, and a machine that is busy with something else
# upsets them. What passes only then is named, so that it is not overlooked.
for _ in 1 2; do
	[ "$status" = 0 ] && break
	again=$(grep '"Action":"fail"' "$out" | grep -v '"Test":' | sed -E 's/.*"Package":"([^"]*)".*/\1/' | sort -u)
	if [ -n "$again" ] && ! grep -q '"Action":"build-fail"' "$out"; then
		echo "once more: $again"
		grep '"Action":"fail"' "$out" | grep '"Test":' | sed -E 's/.*"Package":"([^"]*)".*"Test":"([^"]*)".*/  \1 \2 failed at first/'
		grep '"Action":"output"' "$out" | grep -E '"Output":" +[a-z_]+(_test)?\.go:[0-9]+: ' | sed -E 's/.*"Test":"([^"]*)","Output":"(.*)\\n"\}$/  \1: \2/' | head -n 20
		for p in $again; do
			grep -v "\"Package\":\"$p\"" "$out" >"$out.rest" && mv "$out.rest" "$out"
		done
		# shellcheck disable=SC2086
		"$go" test -json -count=1 -timeout "$limit" -p 1 $again >>"$out" 2>&1
		status=$?
	fi
done

# Lines that are not JSON are messages of the Go tool.
grep -v '^{' "$out" | head -n 40 >&2

"$go" run ./test/summary <"$out"
summary=$?
[ "$status" = 0 ] && [ "$summary" = 0 ]
