package oci

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestLifeCycle(t *testing.T) {
	w := newWorld(t)
	b := w.bundle(idle, func(s *specs.Spec) { s.Annotations = map[string]string{"a": "b"} })
	pidFile := filepath.Join(w.dir, "pid")
	id := w.create(b, "--pid-file", pidFile)
	s := w.status(id)
	if s.Status != "created" || s.ID != id || s.Bundle != b || s.Annotations["a"] != "b" || s.Version == "" {
		t.Errorf("created: %+v", s)
	}
	if data, _ := os.ReadFile(pidFile); string(data) != strconv.Itoa(s.Pid) {
		t.Errorf("the pid file holds %q, the state %d", data, s.Pid)
	}
	if err := unix.Kill(s.Pid, 0); err != nil {
		t.Errorf("process %d: %v", s.Pid, err)
	}
	if _, err := os.Stat(filepath.Join(b, "rootfs/ready")); err == nil {
		t.Error("the program ran before start")
	}
	w.fails("already exists", "create", "--bundle", b, id)
	w.must("start", id)
	w.eventually("it runs", func() bool { return w.status(id).Status == "running" })
	w.fails("cannot start an already running container", "start", id)
	w.fails("cannot delete container "+id+" that is not stopped: running", "delete", id)
	w.must("pause", id)
	if s := w.status(id); s.Status != "paused" {
		t.Errorf("paused: %+v", s)
	}
	w.fails("cannot exec in a paused container", "exec", id, "true")
	w.must("resume", id)
	w.must("kill", id, "KILL")
	w.eventually("it stops", func() bool { return w.status(id).Status == "stopped" })
	if s := w.status(id); s.Pid != 0 {
		t.Errorf("stopped: %+v", s)
	}
	w.fails("not running|process already finished", "kill", id, "TERM")
	w.fails("cannot start a container that has stopped", "start", id)
	w.fails("cannot exec in a stopped container", "exec", id, "true")
	w.must("delete", id)
	for _, command := range [][]string{{"state", id}, {"start", id}, {"kill", id}, {"delete", id}, {"exec", id, "true"}, {"pause", id}, {"ps", id}, {"update", id}} {
		w.fails("container does not exist", command...)
	}
	w.must("delete", "--force", id)
}

func TestExitCodes(t *testing.T) {
	w := newWorld(t)
	for script, code := range map[string]int{"exit 0": 0, "exit 7": 7, "sh -c 'kill -9 $$'; exit $?": 137, "exec nothing": 127} {
		if r := w.run("run", "-b", w.bundle(script, nil), w.id()); r.code != code {
			t.Errorf("%s: %s", script, r)
		}
	}
}

func TestProgramThatCannotStart(t *testing.T) {
	w := newWorld(t)
	for text, change := range map[string]func(s *specs.Spec){
		"executable file not found in $PATH": func(s *specs.Spec) { s.Process.Args = []string{"nothing"} },
		"no such file or directory":          func(s *specs.Spec) { s.Process.Args = []string{"/bin/nothing"} },
		"permission denied|is a directory":   func(s *specs.Spec) { s.Process.Args = []string{"/etc"} },
	} {
		id := w.id()
		b := w.bundle("", change)
		w.fails(text, "run", "--bundle", b, id)
		w.fails("does not exist", "state", id)
		w.fails(text, "create", "--bundle", b, id)
		w.fails("does not exist", "state", id)
	}
}

func TestSignals(t *testing.T) {
	w := newWorld(t)
	id := w.start(w.bundle("trap 'exit 5' USR1; "+idle, nil))
	w.fails("unknown signal|signal", "kill", id, "NOTHING")
	w.must("kill", id, "USR1")
	w.eventually("it stops", func() bool { return w.status(id).Status == "stopped" })
	id = w.start(w.bundle("trap '' TERM; sleep 1000 & "+idle, nil))
	w.must("kill", id) // TERM, which it ignores
	if s := w.status(id); s.Status != "running" {
		t.Errorf("%+v", s)
	}
	w.must("kill", "--all", id, "9")
	w.eventually("it stops", func() bool { return w.status(id).Status == "stopped" })
	// A first process does not die by signals that it does not handle.
	id = w.start(w.bundle(idle, nil))
	w.must("kill", id, "USR2")
	w.must("kill", id, "0")
	if s := w.status(id); s.Status != "running" {
		t.Errorf("%+v", s)
	}
	pid := w.status(id).Pid
	w.must("delete", "-f", id)
	w.eventually("its process is gone", func() bool {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
}

func TestListAndPS(t *testing.T) {
	w := newWorld(t)
	if out := w.must("list", "--quiet"); out != "" {
		t.Errorf("an empty list: %q", out)
	}
	id := w.start(w.bundle(idle, nil))
	if out := w.must("list", "-q"); out != id+"\n" {
		t.Errorf("list -q: %q", out)
	}
	if out := w.must("list"); !strings.HasPrefix(out, "ID ") || !strings.Contains(out, id) || !strings.Contains(out, "running") {
		t.Errorf("list: %q", out)
	}
	var list []map[string]any
	w.check(json.Unmarshal([]byte(w.must("list", "--format", "json")), &list))
	if len(list) != 1 || list[0]["id"] != id || list[0]["status"] != "running" || list[0]["owner"] != "root" {
		t.Errorf("list as JSON: %v", list)
	}
	w.fails("invalid format option", "list", "--format", "xml")
	var pids []int
	w.check(json.Unmarshal([]byte(w.must("ps", "--format", "json", id)), &pids))
	if len(pids) == 0 || pids[0] != w.status(id).Pid {
		t.Errorf("ps as JSON: %v", pids)
	}
	if out := w.must("ps", id); !strings.Contains(out, "PID") || !strings.Contains(out, "touch /ready") {
		t.Errorf("ps: %q", out)
	}
	w.fails("invalid format option", "ps", "--format", "xml", id)
}

func TestEventsAndUpdate(t *testing.T) {
	w := newWorld(t)
	limit := int64(64 << 20)
	b := w.bundle(idle, func(s *specs.Spec) {
		s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &limit}
		s.Linux.CgroupsPath = "/" + filepath.Base(w.state)
	})
	id := w.start(b)
	type stats struct {
		Type, ID string
		Data     struct {
			CPU    struct{ Usage struct{ Total uint64 } }
			Memory struct{ Usage struct{ Limit, Usage uint64 } }
			Pids   struct{ Current uint64 }
		}
	}
	get := func() (s stats) {
		w.check(json.Unmarshal([]byte(w.must("events", "--stats", id)), &s))
		return s
	}
	s := get()
	if s.Type != "stats" || s.ID != id || s.Data.Memory.Usage.Limit != uint64(limit) || s.Data.Memory.Usage.Usage == 0 || s.Data.CPU.Usage.Total == 0 || s.Data.Pids.Current == 0 {
		t.Errorf("events --stats: %+v", s)
	}
	w.must("update", "--memory", "134217728", id)
	if s := get(); s.Data.Memory.Usage.Limit != 128<<20 {
		t.Errorf("after update: %+v", s.Data.Memory)
	}
	if r := w.runIn(`{"memory":{"limit":100663296}}`, "update", "--resources", "-", id); r.code != 0 {
		t.Errorf("update of standard input: %s", r)
	}
	if s := get(); s.Data.Memory.Usage.Limit != 96<<20 {
		t.Errorf("after the second update: %+v", s.Data.Memory)
	}
	w.fails("duration interval must be greater than 0", "events", "--interval", "0s", id)
}

func TestSpecAndFeatures(t *testing.T) {
	w := newWorld(t)
	dir := filepath.Join(w.dir, "new")
	w.check(os.Mkdir(dir, 0o755))
	w.must("spec", "--bundle", dir)
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	w.check(err)
	var s specs.Spec
	w.check(json.Unmarshal(data, &s))
	if s.Process.Args[0] != "sh" || s.Root.Path != "rootfs" || !s.Root.Readonly || s.Linux == nil {
		t.Errorf("spec: %s", data)
	}
	w.fails("exists. Remove it first", "spec", "-b", dir)
	w.check(os.Remove(filepath.Join(dir, "config.json")))
	w.must("spec", "--rootless", "--bundle", dir)
	data, _ = os.ReadFile(filepath.Join(dir, "config.json"))
	s = specs.Spec{}
	w.check(json.Unmarshal(data, &s))
	if len(s.Linux.UIDMappings) != 1 || s.Linux.UIDMappings[0].HostID != uint32(os.Geteuid()) {
		t.Errorf("spec --rootless: %s", data)
	}
	var f struct {
		OCIVersionMin, OCIVersionMax string
		Hooks, MountOptions          []string
	}
	w.check(json.Unmarshal([]byte(w.must("features")), &f))
	if f.OCIVersionMin == "" || f.OCIVersionMax == "" || len(f.Hooks) != 6 || len(f.MountOptions) < 20 {
		t.Errorf("features: %+v", f)
	}
}

func TestBadUsage(t *testing.T) {
	w := newWorld(t)
	b := w.bundle("true", nil)
	w.fails("invalid container id|invalid id", "create", "--bundle", b, "a/b")
	w.fails("invalid container id|invalid id", "create", "--bundle", b, "..")
	w.fails("config.json", "create", "--bundle", w.dir, "c")
	w.fails("", "create", "--bundle", filepath.Join(w.dir, "nothing"), "c")
	w.fails("flag provided but not defined", "create", "--nothing", "c")
	w.check(os.WriteFile(filepath.Join(b, "config.json"), []byte("{"), 0o644))
	w.fails("", "create", "--bundle", b, "c")
	if out := w.must("list", "-q"); out != "" {
		t.Errorf("left: %q", out)
	}
	log := filepath.Join(w.dir, "log")
	w.fails("", "--log", log, "--log-format", "json", "state", "nobody")
	data, err := os.ReadFile(log)
	w.check(err)
	var line struct{ Level, Msg string }
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	w.check(json.Unmarshal([]byte(lines[len(lines)-1]), &line))
	if line.Level != "error" || !strings.Contains(line.Msg, "container does not exist") {
		t.Errorf("the log says %q", data)
	}
	for _, command := range []string{"create", "run", "exec", "kill", "delete", "state", "list", "ps", "events", "pause", "resume",
		"update", "spec", "features", "checkpoint", "restore", "start"} {
		w.must(command, "--help")
	}
}

// TestPSOptions: what follows the identifier is ps(1)'s.
func TestPSOptions(t *testing.T) {
	w := newWorld(t)
	id := w.start(w.bundle(idle, nil))
	for name, c := range map[string]struct {
		args   []string
		header string
	}{
		"none": {nil, "UID PID PPID C STIME TTY TIME CMD"},
		"-ef":  {[]string{"-ef"}, "UID PID PPID C STIME TTY TIME CMD"},
		"aux":  {[]string{"aux"}, "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND"},
		"ax":   {[]string{"ax"}, "PID TTY STAT TIME COMMAND"},
		"-eo":  {[]string{"-eo", "pid,ppid,stat,args"}, "PID PPID STAT COMMAND"},
		"-o":   {[]string{"-e", "-o", "pid,comm=NAME"}, "PID NAME"},
		"-eF":  {[]string{"-eF"}, "UID PID PPID C SZ RSS PSR STIME TTY TIME CMD"},
		"-el":  {[]string{"-el"}, "F S UID PID PPID C PRI NI ADDR SZ WCHAN TTY TIME CMD"},
		"-ej":  {[]string{"-ej"}, "PID PGID SID TTY TIME CMD"},
	} {
		head, rest, _ := strings.Cut(w.must(append([]string{"ps", id}, c.args...)...), "\n")
		if got := strings.Join(strings.Fields(head), " "); got != c.header || !strings.Contains(rest, "sh") {
			t.Errorf("%s: %q, want %q, then %q", name, got, c.header, rest)
		}
	}
	w.fails("", "ps", id, "--no-such-option")
	w.fails("", "ps", id, "-o", "pid,nothing")
	w.fails("container does not exist", "ps", "nobody", "-ef")
}

func TestExecInSubgroup(t *testing.T) {
	w := newWorld(t)
	if strings.Contains(w.must("--version"), "runc version") {
		t.Skip("the host's tree, which may be version 1")
	}
	w.fails("", "exec", "--cgroup", "sub", "nobody", "true")
	id := w.start(w.bundle("mkdir /sys/fs/cgroup/sub; "+idle, func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup"})
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.CgroupNamespace})
	}))
	for path, want := range map[string]string{"sub": "0::/sub\n", "/sub": "0::/sub\n", "/": "0::/\n"} {
		if got := w.must("exec", "--cgroup", path, id, "cat", "/proc/self/cgroup"); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	w.fails("cgroup nothing: no such file", "exec", "--cgroup", "nothing", id, "true")
	w.fails("not below the container's", "exec", "--cgroup", "../x", id, "true")
	w.fails("invalid --cgroup argument", "exec", "--cgroup", "memory:/sub", id, "true")
}
