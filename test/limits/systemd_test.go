package limits

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// needVersion2 skips where control groups are not of version 2 alone, which
// test/vm/vm.sh makes anywhere.
func needVersion2(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err != nil {
		t.Skip("control groups are of version 1 here (make test-vm)")
	}
}

// unit returns what systemd says of a unit, by property.
func unit(t *testing.T, name string, properties ...string) map[string]string {
	t.Helper()
	out, err := exec.Command("systemctl", "show", name, "-p", strings.Join(properties, ",")).Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(out)) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		all[k] = v
	}
	return all
}

func (g *guest) unitHas(name string, want map[string]string) {
	g.t.Helper()
	var keys []string
	for k := range want {
		keys = append(keys, k)
	}
	got := unit(g.t, name, keys...)
	// A unit goes some time after its processes.
	for end := time.Now().Add(most / 2); !maps.Equal(got, want) && time.Now().Before(end); got = unit(g.t, name, keys...) {
		time.Sleep(100 * time.Millisecond)
	}
	for k, v := range want {
		if got[k] != v {
			g.t.Errorf("systemd says %s=%s of %s, not %s", k, got[k], name, v)
		}
	}
}

// A container's group is a unit of systemd's, whose limits are the container's, are
// changed with them, and which goes with it.
func TestSystemd(t *testing.T) {
	needVersion2(t)
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		t.Skip("systemd does not run here (make test-vm)")
	}
	g := newGuest(t)
	slice := fmt.Sprintf("cordonlimits%d.slice", os.Getpid())
	g.startIn(slice+":cordon:one", "one", "one", &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(100 << 20)), Reservation: ptr(int64(50 << 20))},
		CPU:    &specs.LinuxCPU{Quota: ptr(int64(150000)), Period: ptr(uint64(100000)), Shares: ptr(uint64(512))},
		Pids:   &specs.LinuxPids{Limit: ptr(int64(40))},
	}, "--systemd-cgroup")
	const name = "cordon-one.scope"
	g.unitHas(name, map[string]string{"MemoryMax": "104857600", "MemoryLow": "52428800", "CPUQuotaPerSecUSec": "1.500000s", "TasksMax": "416",
		"Slice": slice, "ActiveState": "active"})
	if out, ok := g.runsc("update", "--memory", "128m", "--pids-limit", "60", "one"); !ok {
		t.Errorf("update: %s", out)
	}
	g.unitHas(name, map[string]string{"MemoryMax": "134217728", "TasksMax": "496"})
	if out, _ := g.runsc("exec", "one", "cat", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/pids.max"); out != "134217728\n60\n" {
		t.Errorf("inside: %q", out)
	}
	if out, ok := g.runsc("delete", "--force", "one"); !ok {
		t.Errorf("delete: %s", out)
	}
	g.unitHas(name, map[string]string{"ActiveState": "inactive", "LoadState": "not-found"})
}

// What version 2 has files for is set as it is, and binds inside where it can.
func TestVersion2(t *testing.T) {
	needVersion2(t)
	g := newGuest(t)
	files := map[string]string{"memory.max": "104857600", "memory.high": "94371840", "memory.low": "10485760", "memory.min": "5242880",
		"memory.swap.max": "0", "memory.oom.group": "1", "cpu.max": "90000 100000", "cpu.weight": "200", "pids.max": "30"}
	g.start("v2", "v2", &specs.LinuxResources{Unified: files})
	dir := fmt.Sprintf("/sys/fs/cgroup/cordon-limits-%d/v2", os.Getpid())
	for file, want := range files {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if got := strings.TrimSpace(string(data)); err != nil || got != want && file != "pids.max" {
			t.Errorf("%s is %q on the host, not %q: %v", file, got, want, err)
		}
		if file == "memory.swap.max" {
			continue // "nothing" is a page inside
		}
		if out, _ := g.runsc("exec", "v2", "cat", "/sys/fs/cgroup/"+file); strings.TrimSpace(out) != want {
			t.Errorf("%s is %q inside, not %q", file, out, want)
		}
	}
	if out, _ := g.runsc("events", "--stats", "v2"); !strings.Contains(out, `"psi":{"some":`) {
		t.Errorf("no pressure in %s", out)
	}
}

// The host sees what is killed for memory inside while the container goes on, where
// stubs can be told to be no victims.
func TestKillsAreTold(t *testing.T) {
	needVersion2(t)
	g := newGuest(t)
	g.start("told", "told", &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(80 << 20))}})
	if out, ok := g.runsc("exec", "told", filepath.Join(g.dir, "take"), "memory"); ok {
		t.Errorf("it takes all: %s", out)
	}
	g.hostSays("told", "oom_kill", "1", "memory.events", "memory.oom_control")
	g.hostSays("told", "", "83886080", "memory.max", "memory.limit_in_bytes")
	if out, ok := g.runsc("exec", "told", "echo", "goes on"); !ok {
		t.Error(out)
	}
}
