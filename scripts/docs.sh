#!/bin/sh
# Writes the pages that are generated from the code.
set -eu
go=${GO:-go}
if [ -d cmd/sysdoc ]; then
	"$go" run ./cmd/sysdoc
	"$go" test ./runsc/filter -run Stored -update >/dev/null
else
	echo "docs: there is no cmd/sysdoc in this tree" >&2
	exit 1
fi
