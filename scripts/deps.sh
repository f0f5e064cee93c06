#!/bin/sh
# Makes sure that what the build needs is there. Prints nothing when it is.
set -u

missing=""
command -v "${GO:-go}" >/dev/null 2>&1 || {
	echo "deps: Go is missing: install Go 1.26 or later (https://go.dev/dl)" >&2
	exit 1
}
command -v gcc >/dev/null 2>&1 || missing="$missing gcc libc6-dev"
command -v pkg-config >/dev/null 2>&1 || missing="$missing pkg-config"
if ! command -v pkg-config >/dev/null 2>&1 || ! pkg-config --exists libseccomp; then
	missing="$missing libseccomp-dev"
fi
[ -z "$missing" ] && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
	echo "deps: missing:$missing" >&2
	echo "deps: install them, on Debian: sudo apt-get install$missing" >&2
	exit 1
fi
echo "deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
apt-get -qq install -y --no-install-recommends $missing >/dev/null 2>&1 ||
	{ apt-get -qq update && apt-get -qq install -y --no-install-recommends $missing >/dev/null; }
