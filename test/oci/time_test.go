package oci

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// timeNamespace puts a container into a time namespace with offsets.
func timeNamespace(offsets map[string]specs.LinuxTimeOffset) func(s *specs.Spec) {
	return func(s *specs.Spec) {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
		s.Linux.TimeOffsets = offsets
	}
}

// knowsTime skips a runtime that is older than time namespaces.
func (w *world) knowsTime() {
	w.Helper()
	if r := w.run("features"); r.code == 0 && strings.Contains(r.out, `"time"`) {
		return
	}
	w.Skip("the runtime knows no time namespaces: runc has them since 1.2")
}

func TestTimeNamespace(t *testing.T) {
	w := newWorld(t)
	w.knowsTime()
	script := "cut -c -40 /proc/self/timens_offsets; cut -d. -f1 /proc/uptime; sleep 1000"
	b := w.bundle(script, timeNamespace(map[string]specs.LinuxTimeOffset{"boottime": {Secs: 4_000_000_000}, "monotonic": {Secs: 7, Nanosecs: 5}}))
	id := w.id()
	w.must("run", "--detach", "--bundle", b, id)
	for what, want := range map[string]string{"/proc/self/timens_offsets": "monotonic           7         5\nboottime   4000000000         0\n", "/proc/uptime": "4000"} {
		if got := w.must("exec", id, "cat", what); !strings.HasPrefix(got, want) {
			t.Errorf("%s is %q, want %q", what, got, want)
		}
	}
	first := w.must("exec", id, "readlink", "/proc/1/ns/time")
	if own := w.must("exec", id, "readlink", "/proc/self/ns/time"); own != first {
		t.Errorf("exec is in %q, process 1 in %q", own, first)
	}
}

func TestTimeOffsetsAreChecked(t *testing.T) {
	w := newWorld(t)
	w.knowsTime()
	b := w.bundle("true", timeNamespace(map[string]specs.LinuxTimeOffset{"boottime": {Secs: -4_000_000_000}}))
	w.fails("range|denied|invalid|Range|time", "run", "--bundle", b, w.id())
}
