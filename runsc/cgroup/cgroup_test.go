package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

var v1 = &host{v1: map[string]string{"memory": "/m", "cpu": "/c", "cpuset": "/s", "pids": "/p"}}
var v2 = &host{v2: "/u", v2Controllers: map[string]bool{"memory": true, "cpu": true, "cpuset": true, "pids": true}}

// written lists settings as "controller file=value".
func written(t *testing.T, h *host, r *specs.LinuxResources) []string {
	t.Helper()
	g := &Group{}
	if err := g.limits(h, r); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range g.settings {
		out = append(out, fmt.Sprintf("%s %s=%s", s.controller, s.file, s.value))
	}
	return out
}

func ptr[T any](v T) *T { return &v }

func TestLimits(t *testing.T) {
	r := &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(100)), Swap: ptr(int64(150)), Reservation: ptr(int64(50))},
		CPU:    &specs.LinuxCPU{Shares: ptr(uint64(1024)), Quota: ptr(int64(50000)), Period: ptr(uint64(100000)), Cpus: "0-1"},
		Pids:   &specs.LinuxPids{Limit: ptr(int64(7))},
	}
	want := []string{"memory memory.limit_in_bytes=100", "memory memory.soft_limit_in_bytes=50", "memory memory.memsw.limit_in_bytes=150",
		"cpu cpu.shares=1024", "cpu cpu.cfs_period_us=100000", "cpu cpu.cfs_quota_us=50000", "cpuset cpuset.cpus=0-1", "pids pids.max=7"}
	if got := written(t, v1, r); !slices.Equal(got, want) {
		t.Errorf("version 1: %q", got)
	}
	want = []string{" memory.max=100", " memory.low=50", " memory.swap.max=50", " cpu.weight=39", " cpu.max=50000 100000",
		" cpuset.cpus=0-1", " pids.max=7"}
	if got := written(t, v2, r); !slices.Equal(got, want) {
		t.Errorf("version 2: %q", got)
	}
	unlimited := &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(-1))}, Pids: &specs.LinuxPids{Limit: ptr(int64(-1))}}
	if got := written(t, v2, unlimited); !slices.Equal(got, []string{" memory.max=max", " pids.max=max"}) {
		t.Errorf("no limits: %q", got)
	}
	if got := written(t, &host{}, &specs.LinuxResources{Memory: &specs.LinuxMemory{}, CPU: &specs.LinuxCPU{}}); len(got) != 0 {
		t.Errorf("nothing asked for: %q", got)
	}
}

func TestWhatCannotBeHonouredIsRefused(t *testing.T) {
	for want, r := range map[string]*specs.LinuxResources{
		"linux.resources.memory.limit: this host": {Memory: &specs.LinuxMemory{Limit: ptr(int64(1))}},
		"linux.resources.pids.limit: this host":   {Pids: &specs.LinuxPids{Limit: ptr(int64(1))}},
		"linux.resources.blockIO.weight":          {BlockIO: &specs.LinuxBlockIO{Weight: ptr(uint16(1))}},
		"linux.resources.network.classID":         {Network: &specs.LinuxNetwork{ClassID: ptr(uint32(1))}},
		"linux.resources.rdma":                    {Rdma: map[string]specs.LinuxRdma{"x": {}}},
		"linux.resources.cpu.realtimeRuntime":     {CPU: &specs.LinuxCPU{RealtimeRuntime: ptr(int64(1))}},
		"linux.resources.hugepageLimits[0]":       {HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB"}}},
		`linux.resources.unified["memory.high"]`:  {Unified: map[string]string{"memory.high": "1"}},
	} {
		if err := new(Group).limits(&host{}, r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %q", err, want)
		}
	}
}

func TestPaths(t *testing.T) {
	h := &host{v1: map[string]string{"memory": "/sys/m"}, v2: "/sys/u", own: map[string]string{"memory": "/mine", "": "/other"}}
	for _, c := range []struct{ controller, name, want string }{
		{"memory", "/a/b", "/sys/m/a/b"}, {"memory", "x", "/sys/m/mine/x"}, {"", "x", "/sys/u/other/x"},
		{"memory", "/../../etc", "/sys/m/etc"}, {"memory", "../../../x", "/sys/m/x"},
	} {
		if got := h.dir(c.controller, c.name); got != c.want {
			t.Errorf("%s %s: %s, not %s", c.controller, c.name, got, c.want)
		}
	}
}

func TestReadMounts(t *testing.T) {
	h := &host{v1: map[string]string{}}
	h.addMount("35 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n")
	h.addMount("41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n")
	h.addMount("42 31 0:39 /docker/1 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n") // not the hierarchy's root
	h.addMount("garbage\n")
	if len(h.v1) != 2 || h.v1["cpu"] != "/sys/fs/cgroup/cpu,cpuacct" || h.v1["cpuacct"] != h.v1["cpu"] || h.v2 != "/sys/fs/cgroup/unified" {
		t.Errorf("got %+v", h)
	}
}

// Directories that others use are left, ours go.
func TestRemove(t *testing.T) {
	dir := t.TempDir()
	ours, used := filepath.Join(dir, "ours"), filepath.Join(dir, "used")
	for _, d := range []string{filepath.Join(ours, "leaf"), filepath.Join(used, "leaf"), filepath.Join(used, "other")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	list := []string{ours + "/", used + "/", filepath.Join(ours, "leaf"), filepath.Join(used, "leaf"), filepath.Join(dir, "absent")}
	for range 2 { // the second time nothing is there
		if err := Remove(list); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(ours); !os.IsNotExist(err) {
		t.Errorf("our parent is left: %v", err)
	}
	if _, err := os.Stat(filepath.Join(used, "other")); err != nil {
		t.Error(err)
	}
}
