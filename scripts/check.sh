#!/bin/sh
# Formatting, vet and the tests of style, layers and generated pages.
set -eu
go=${GO:-go}
bad=$(gofmt -l $(git ls-files '*.go'))
if [ -n "$bad" ]; then
	echo "gofmt would change: $bad" >&2
	exit 1
fi
CGO_ENABLED=1 "$go" vet ./...
"$go" test ./test/tidy/...
