#!/usr/bin/env bash
# Runs every fuzz target for the given time, one after another.
set -u
go=${GO:-go}
time=${1:-30s}
failed=0
count=0
while IFS=: read -r file name; do
	pkg=./$(dirname "$file")
	echo "== $name in $pkg for $time"
	"$go" test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$pkg" || failed=$((failed + 1))
	count=$((count + 1))
done < <(grep -rnoE '^func (Fuzz[A-Za-z0-9_]*)\(f \*testing\.F\)' --include='*_test.go' . |
	sed -E 's#^\./##; s#:[0-9]+:func #:#; s#\(f .*##' | sort -u)
echo "$count fuzz targets, $failed failed"
[ "$failed" = 0 ]
