package cgroup

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// startSleeper returns a process to put into a group.
func startSleeper(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("sleep", "100")
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd.Process.Pid
}

// liveGroup is a group of the host with limits and two processes in it.
func liveGroup(t *testing.T) (g *Group, pids []int) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("making cgroups needs root")
	}
	h, err := readHost()
	if err != nil || !h.has("memory") || !h.has("pids") || !h.has("cpu") {
		t.Skip("this host has no cgroup controllers memory, pids and cpu")
	}
	name := fmt.Sprintf("/cordon-test-%d/%s", os.Getpid(), t.Name())
	g, err = New(Options{ID: "x", Path: name, Resources: &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(64 << 20))},
		CPU:    &specs.LinuxCPU{Quota: ptr(int64(50000))},
		Pids:   &specs.LinuxPids{Limit: ptr(int64(10))},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Remove(); err != nil {
			t.Error(err)
		}
		for _, dir := range g.Paths() {
			if _, err := os.Stat(strings.TrimSuffix(dir, "/")); err == nil {
				t.Errorf("%s is left", dir)
			}
		}
	})
	pids = []int{startSleeper(t), startSleeper(t)}
	if err := g.Create(pids...); err != nil {
		t.Fatal(err)
	}
	return g, pids
}

func readLimit(t *testing.T, g *Group, controller, v1, v2 string) string {
	t.Helper()
	file := v1
	if g.Version() == 2 {
		file = v2
	}
	data, err := os.ReadFile(filepath.Join(g.lib.Path(controller), file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

func TestLiveLimitsAndUpdate(t *testing.T) {
	g, _ := liveGroup(t)
	memory := func() string { return readLimit(t, g, "memory", "memory.limit_in_bytes", "memory.max") }
	if got := memory(); got != strconv.Itoa(64<<20) {
		t.Errorf("memory: %s", got)
	}
	if g.Version() == 1 {
		if got := readLimit(t, g, "pids", "pids.max", ""); got != "10" {
			t.Errorf("pids: %s", got)
		}
	}
	// From here on as another command does it.
	data, err := json.Marshal(g.Record())
	if err != nil {
		t.Fatal(err)
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	again, err := Load(&r)
	if err != nil {
		t.Fatal(err)
	}
	err = again.Set(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(96 << 20))}, Pids: &specs.LinuxPids{Limit: ptr(int64(20))}})
	if err != nil {
		t.Fatal(err)
	}
	if got := memory(); got != strconv.Itoa(96<<20) {
		t.Errorf("memory after the update: %s", got)
	}
	if got := readLimit(t, g, "cpu", "cpu.cfs_quota_us", "cpu.max"); !strings.HasPrefix(got, "50000") {
		t.Errorf("cpu after an update of others: %s", got)
	}
	err = again.Set(&specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "4000"}})
	if err == nil || !strings.Contains(err.Error(), "linux.resources") {
		t.Errorf("a processor that is not there: %v", err)
	}
}

func TestLiveStatsAndFreeze(t *testing.T) {
	g, pids := liveGroup(t)
	s, err := g.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if s.Memory.Usage.Limit != 64<<20 {
		t.Errorf("%+v", s)
	}
	if got, err := g.PIDs(); err != nil || len(got) != len(pids) {
		t.Errorf("processes %v, %v", got, err)
	}
	if err := g.Freeze(); err != nil {
		t.Fatal(err)
	}
	if frozen, err := g.Frozen(); !frozen || err != nil {
		t.Errorf("frozen: %v, %v", frozen, err)
	}
	if err := g.Thaw(); err != nil {
		t.Fatal(err)
	}
	if n, err := g.OOMKills(); n != 0 || err != nil {
		t.Errorf("killed for memory: %d, %v", n, err)
	}
	second, err := New(Options{ID: "y", Path: g.config.Path})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Create(startSleeper(t)); err == nil || !strings.Contains(err.Error(), "container's cgroup is not empty") {
		t.Errorf("a second container in the same group: %v", err)
	}
}
