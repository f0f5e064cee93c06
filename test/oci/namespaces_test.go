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

func TestSysctlsOfIPC(t *testing.T) {
	w := newWorld(t)
	b := w.bundle("cd /proc/sys/kernel; cat msgmax sem shmmni shm_rmid_forced; echo 99 > msgmnb 2>/dev/null; cat msgmnb", func(s *specs.Spec) {
		s.Linux.Sysctl = map[string]string{"kernel.msgmax": "65536", "kernel.sem": "10 25 3 2", "kernel.shmmni": "7", "kernel.shm_rmid_forced": "1"}
		for i := range s.Mounts {
			if s.Mounts[i].Destination == "/proc" {
				s.Mounts[i].Options = nil
			}
		}
		s.Linux.ReadonlyPaths = nil
	})
	if r := w.run("run", "--bundle", b, w.id()); r.out != "65536\n10\t25\t3\t2\n7\n1\n99\n" {
		t.Error(r)
	}
}
