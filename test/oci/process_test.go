package oci

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestProcess looks at each attribute of a process from inside.
func TestProcess(t *testing.T) {
	w := newWorld(t)
	umask, score := uint32(0o27), 500
	for name, c := range map[string]struct {
		script, want string
		change       func(s *specs.Spec)
	}{
		"environment":    {"echo $A; env | wc -l", "b c\n", func(s *specs.Spec) { s.Process.Env = []string{"PATH=/bin", "A=b c"} }},
		"directory":      {"pwd", "/tmp\n", func(s *specs.Spec) { s.Process.Cwd = "/tmp" }},
		"directory made": {"pwd", "/new/dir\n", func(s *specs.Spec) { s.Process.Cwd = "/new/dir" }},
		"user":           {"id -u; id -g", "5\n6\n", func(s *specs.Spec) { s.Process.User = specs.User{UID: 5, GID: 6} }},
		"groups":         {"grep Groups: /proc/self/status | cut -f2", "7 8", func(s *specs.Spec) { s.Process.User = specs.User{UID: 5, GID: 6, AdditionalGids: []uint32{7, 8}} }},
		"umask":          {"umask", "0027\n", func(s *specs.Spec) { s.Process.User.Umask = &umask }},
		"no new privs":   {"grep NoNewPrivs /proc/self/status", "1\n", nil},
		"new privs":      {"grep NoNewPrivs /proc/self/status", "0\n", func(s *specs.Spec) { s.Process.NoNewPrivileges = false }},
		"capabilities":   {"grep -E 'Cap(Prm|Eff|Bnd)' /proc/self/status | cut -f2", "0000000020000420\n0000000020000420\n0000000020000420\n", nil},
		"no capability":  {"grep CapBnd /proc/self/status", "0000000000000000", func(s *specs.Spec) { s.Process.Capabilities = &specs.LinuxCapabilities{} }},
		"limit": {"ulimit -Sn; ulimit -Hn", "100\n200\n", func(s *specs.Spec) {
			s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 100, Hard: 200}}
		}},
		"out of memory":    {"cat /proc/self/oom_score_adj", "500\n", func(s *specs.Spec) { s.Process.OOMScoreAdj = &score }},
		"host name":        {"hostname", "other\n", func(s *specs.Spec) { s.Hostname = "other" }},
		"sysctl":           {"cat /proc/sys/net/ipv4/ip_forward", "1\n", func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1"} }},
		"first process":    {"echo $$", "1\n", nil},
		"filter":           {"mkdir /x; echo $?", "1\n", filtered},
		"filter is shown":  {"grep Seccomp: /proc/self/status", "2\n", filtered},
		"standard input":   {"cat; echo end", "end\n", nil},
		"devices":          {"for d in null zero full random urandom tty; do test -c /dev/$d || echo no $d; done; readlink /dev/fd; readlink /dev/stdin", "/proc/self/fd\n/proc/self/fd/0\n", nil},
		"device":           {"stat -c '%F %t %T %a %u %g' /dev/a/b", "character special file 1 5 640 3 4\n", withDevice},
		"hidden":           {"cat /etc/secret; ls /tmp", "", func(s *specs.Spec) { s.Linux.MaskedPaths = []string{"/etc/secret", "/tmp", "/not/there"} }},
		"read-only path":   {"touch /etc/x 2>/dev/null || echo refused", "refused\n", func(s *specs.Spec) { s.Linux.ReadonlyPaths = []string{"/etc", "/not/there"} }},
		"read-only root":   {"touch /x 2>/dev/null || echo refused; touch /dev/x && echo made", "refused\nmade\n", func(s *specs.Spec) { s.Root.Readonly = true }},
		"writable root":    {"echo text > /etc/x && cat /etc/x", "text\n", nil},
		"unknown property": {"echo runs", "runs\n", func(s *specs.Spec) { s.Annotations = map[string]string{"org.example.x": "y"} }},
	} {
		got := w.output(c.script, c.change)
		if !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestNewer is about what specifications after 1.0 brought.
func TestNewer(t *testing.T) {
	w := newWorld(t)
	if strings.Contains(w.must("features"), `"ociVersionMax": "1.0`) {
		t.Skip("the runtime knows the specification 1.0 only")
	}
	for name, c := range map[string]struct {
		script, want string
		change       func(s *specs.Spec)
	}{
		"machine":    {"uname -m", "i686\n", func(s *specs.Spec) { s.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux32} }},
		"domain":     {"cat /proc/sys/kernel/domainname", "example.org\n", func(s *specs.Spec) { s.Domainname = "example.org" }},
		"scheduling": {"cut -d ' ' -f 19,41 /proc/self/stat", "7 3\n", func(s *specs.Spec) { s.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedBatch, Nice: 7} }},
	} {
		if got := w.output(c.script, c.change); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// filtered refuses mkdir.
func filtered(s *specs.Spec) {
	s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: []specs.Arch{specs.ArchX86_64},
		Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActErrno}}}
}

func withDevice(s *specs.Spec) {
	mode, uid, gid := os.FileMode(0o640), uint32(3), uint32(4)
	s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/a/b", Type: "c", Major: 1, Minor: 5, FileMode: &mode, UID: &uid, GID: &gid}}
}

// TestRefusedConfigurations: what is wrong in itself makes no container.
func TestRefusedConfigurations(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(s *specs.Spec){
		"a relative directory": func(s *specs.Spec) { s.Process.Cwd = "tmp" },
		"no such limit":        func(s *specs.Spec) { s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOTHING"}} },
		"no such namespace": func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "nothing"})
		},
		"a namespace that is no file": func(s *specs.Spec) { s.Linux.Namespaces[1].Path = "/not/there" },
		"no root":                     func(s *specs.Spec) { s.Root.Path = "nothing" },
		"no such action":              func(s *specs.Spec) { s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: "SCMP_ACT_NOTHING"} },
		"a source that is not there": func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/x", Type: "bind", Source: "/not/there", Options: []string{"bind"}})
		},
		"no such file system": func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/x", Type: "nothing", Source: "x"})
		},
		"no such sysctl": func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{"net.not.there": "1"} },
		"no process":     func(s *specs.Spec) { s.Process.Args = nil },
	} {
		id := w.id()
		if r := w.run("run", "--bundle", w.bundle("true", change), id); r.code == 0 {
			t.Errorf("%s: accepted", name)
		}
		if r := w.run("state", id); r.code == 0 {
			t.Errorf("%s: left behind", name)
		}
	}
}

func TestExec(t *testing.T) {
	w := newWorld(t)
	id := w.start(w.bundle(idle, func(s *specs.Spec) { s.Process.Env = append(s.Process.Env, "FROM=config") }))
	for name, c := range map[string]struct {
		want string
		args []string
	}{
		"output":      {"a b\n", []string{id, "echo", "a", "b"}},
		"environment": {"config x\n", []string{"--env", "A=x", id, "sh", "-c", "echo $FROM $A"}},
		"directory":   {"/tmp\n", []string{"--cwd", "/tmp", id, "sh", "-c", "pwd"}},
		"user":        {"5 6\n", []string{"--user", "5:6", id, "sh", "-c", "echo $(id -u) $(id -g)"}},
		"groups":      {"7", []string{"-g", "7", id, "grep", "Groups", "/proc/self/status"}},
		"same tree":   {"ready\n", []string{id, "ls", "/ready"}},
		"pid":         {"1 (", []string{id, "head", "-c", "3", "/proc/1/stat"}},
	} {
		if got := w.must(append([]string{"exec"}, c.args...)...); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if r := w.run("exec", id, "sh", "-c", "exit 9"); r.code != 9 {
		t.Errorf("exit: %s", r)
	}
	if r := w.runIn("text", "exec", id, "cat"); r.out != "text" {
		t.Errorf("standard input: %s", r)
	}
	if r := w.run("exec", id, "nothing"); r.code != 255 || !strings.Contains(r.errors, "executable file not found in $PATH") {
		t.Errorf("no such program: %s", r)
	}
	w.fails("process args cannot be empty|minimum", "exec", id)
	file := filepath.Join(w.dir, "process.json")
	w.write(file, specs.Process{Args: []string{"sh", "-c", "pwd; exit 3"}, Cwd: "/etc", Env: []string{"PATH=/bin"}})
	if r := w.run("exec", "--process", file, id); r.code != 3 || r.out != "/etc\n" {
		t.Errorf("--process: %s", r)
	}
	pidFile := filepath.Join(w.dir, "pid")
	w.detached("exec", "--detach", "--pid-file", pidFile, id, "sh", "-c", "touch /exec; sleep 1000")
	data, err := os.ReadFile(pidFile)
	w.check(err)
	if pid, err := strconv.Atoi(string(data)); err != nil || pid <= 1 {
		t.Errorf("the pid file holds %q", data)
	}
	w.eventually("the detached program runs", func() bool { return w.run("exec", id, "test", "-e", "/exec").code == 0 })
}
