#!/bin/sh
# Runs the tests that need systemd and control groups of version 2 in a virtual
# machine (vm.sh): test.sh RUNSC. A machine that cannot be made is no failure.
set -eu

here=$(dirname "$0")
share=$(mktemp -d /var/tmp/vm.XXXXXX)
trap 'rm -rf "$share"' EXIT
cp "$1" "$share/runsc"
for p in test/limits runsc/cgroup; do
	"${GO:-go}" test -c -o "$share/$(basename $p).test" "./$p"
done
root=$(pwd)
cat >"$share/all" <<END
set -u
fail=0
cd "$root/runsc/cgroup" && "$share/cgroup.test" -test.v -test.run Live || fail=1
cd "$root/test/limits" && "$share/limits.test" -test.v -test.timeout 15m -test.run 'Systemd|Version2|KillsAreTold|Pod' -runsc "$share/runsc" || fail=1
exit \$fail
END
status=0
VM_TIMEOUT=${VM_TIMEOUT:-1800} sh "$here/vm.sh" "$share" sh "$share/all" || status=$?
if [ "$status" = 77 ]; then
	echo "test-vm: skipped"
	exit 0
fi
exit "$status"
