package limits

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// runsc runs a command and returns its output; ok says that it succeeded.
func (g *guest) runsc(args ...string) (out string, ok bool) {
	g.t.Helper()
	// Not the test's context: that has ended when what it started is deleted.
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	cmd := exec.CommandContext(ctx, g.bin, append([]string{"--root", filepath.Join(g.dir, "root"), "--network", "none"}, args...)...)
	// A detached container keeps its standard files, so they are one file.
	f, err := os.CreateTemp(g.dir, "out")
	if err != nil {
		g.t.Fatal(err)
	}
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	err = cmd.Run()
	data, _ := os.ReadFile(f.Name())
	return string(data), err == nil
}

// start runs a container of pod id's sandbox that sleeps, with resources.
func (g *guest) start(id, pod string, r *specs.LinuxResources) {
	g.t.Helper()
	g.startIn(fmt.Sprintf("/cordon-limits-%d/%s", os.Getpid(), id), id, pod, r)
}

// startIn is start with a cgroup; flags are runsc's.
func (g *guest) startIn(group, id, pod string, r *specs.LinuxResources, flags ...string) {
	g.t.Helper()
	bundle := filepath.Join(g.dir, id)
	if err := os.Mkdir(bundle, 0o755); err != nil {
		g.t.Fatal(err)
	}
	if out, ok := g.runsc("spec", "--bundle", bundle); !ok {
		g.t.Fatal(out)
	}
	file := filepath.Join(bundle, "config.json")
	data, err := os.ReadFile(file)
	if err != nil {
		g.t.Fatal(err)
	}
	var s specs.Spec
	if err := json.Unmarshal(data, &s); err != nil {
		g.t.Fatal(err)
	}
	kind := "container"
	if id == pod {
		kind = "sandbox"
	}
	s.Annotations = map[string]string{"io.kubernetes.cri.container-type": kind, "io.kubernetes.cri.sandbox-id": pod}
	s.Process.Terminal, s.Process.Args, s.Root = false, []string{"sleep", "1000"}, &specs.Root{Path: "/", Readonly: true}
	s.Linux.Resources, s.Linux.CgroupsPath = r, group
	if data, err = json.Marshal(&s); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { g.runsc("delete", "--force", id) })
	if out, ok := g.runsc(append(flags, "run", "--detach", "--bundle", bundle, id)...); !ok {
		if strings.Contains(out, "no cgroup controller") {
			g.t.Skip(out)
		}
		g.t.Fatal(out)
	}
}

// hostSays waits until the host's memory cgroup of a container says want in the file
// of its version, in the line that begins with key.
func (g *guest) hostSays(id, key, want, v2, v1 string) {
	g.t.Helper()
	group := fmt.Sprintf("/cordon-limits-%d/%s/", os.Getpid(), id)
	value := ""
	for end := time.Now().Add(most / 4); value != want; time.Sleep(10 * time.Millisecond) {
		data, err := os.ReadFile("/sys/fs/cgroup/memory" + group + v1)
		if err != nil {
			data, _ = os.ReadFile("/sys/fs/cgroup" + group + v2)
		}
		for line := range strings.Lines(string(data)) {
			if f := strings.Fields(line); len(f) == 1 && key == "" || len(f) == 2 && f[0] == key {
				value = f[len(f)-1]
			}
		}
		if time.Now().After(end) {
			g.t.Errorf("the host says %s %q, not %q", key, value, want)
			return
		}
	}
}

func ptr[T any](v T) *T { return &v }

// A container that joined a sandbox has limits of its own, which bind inside.
func TestContainersOfAPod(t *testing.T) {
	g := newGuest(t)
	g.start("pod", "pod", nil)
	g.start("small", "pod", &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(48 << 20))}, Pids: &specs.LinuxPids{Limit: ptr(int64(20))}})
	take := filepath.Join(g.dir, "take")
	for _, c := range []struct {
		id   string
		args []string
		want string
		ok   bool
	}{
		{"small", []string{"grep", "MemTotal", "/proc/meminfo"}, "49152 kB", true},
		{"small", []string{"cat", "/sys/fs/cgroup/pids.max", "/proc/self/cgroup"}, "20\n0::/\n", true},
		{"small", []string{take, "memory"}, "", false},
		{"small", []string{"grep", "oom_kill ", "/sys/fs/cgroup/memory.events"}, "oom_kill 1", true},
		{"small", []string{take, "forks", "40"}, "Resource temporarily unavailable", true},
		{"pod", []string{take, "forks", "40"}, "forks 40 Success", true},
		{"pod", []string{take, "memory", "80"}, "memory", true},
	} {
		if out, ok := g.runsc(append([]string{"exec", c.id}, c.args...)...); ok != c.ok || !strings.Contains(out, c.want) {
			t.Errorf("%s: %q: %v, %q, not %q", c.id, c.args, ok, out, c.want)
		}
	}
	// The host has seen it too, and has the limit that it had.
	g.hostSays("small", "oom_kill", "1", "memory.events", "memory.oom_control")
	g.hostSays("small", "", "50331648", "memory.max", "memory.limit_in_bytes")
	if out, ok := g.runsc("update", "--memory", "64m", "--pids-limit", "30", "small"); !ok {
		t.Errorf("update: %s", out)
	}
	if out, _ := g.runsc("exec", "small", "cat", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/pids.max"); out != "67108864\n30\n" {
		t.Errorf("after the update: %q", out)
	}
	if out, _ := g.runsc("events", "--stats", "small"); !strings.Contains(out, `"pids":{"current":1,"limit":30}`) {
		t.Errorf("statistics: %s", out)
	}
}
