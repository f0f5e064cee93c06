package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"cordon/runsc/boot"
	"cordon/runsc/cgroup"
	"cordon/runsc/sandbox"

	"golang.org/x/sys/unix"
)

func TestDoExitCodes(t *testing.T) {
	e := newEnv(t)
	for _, c := range []struct {
		code int
		args []string
	}{
		{0, []string{"true"}}, {7, []string{"exit", "7"}}, {255, []string{"exit", "255"}},
		{128 + 15, []string{"die", "15"}}, {128 + 9, []string{"die", "9"}},
	} {
		if r := e.run(append([]string{"do"}, c.args...)...); r.code != c.code || r.stdout != "" || r.stderr != "" {
			t.Errorf("do %q: %+v, not exit code %d", c.args, r, c.code)
		}
	}
}

func TestDoPassesStandardFiles(t *testing.T) {
	e := newEnv(t)
	if r := e.runIn("some input\n", "do", "cat"); r.stdout != "some input\n" {
		t.Errorf("got %+v", r)
	}
	// Output lands at the shared offset of a file: between what others write.
	path := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.WriteString("before\n")
	cmd := e.cmd("do", "echo", "middle")
	cmd.Stdout = f
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	f.WriteString("after\n")
	if data, _ := os.ReadFile(path); string(data) != "before\nmiddle\nafter\n" {
		t.Errorf("the file holds %q", data)
	}
}

func TestDoBadInput(t *testing.T) {
	e := newEnv(t)
	e.fails(127, `exec: "not-there": executable file not found in $PATH`, "do", "not-there")
	e.fails(126, "permission denied", "do", "not-executable")
	e.fails(1, "mounting /: no such device", "do", "no-sandbox")
	e.fails(1, "flag provided but not defined: -nope", "do", "--nope", "true")
	e.fails(1, "--bind: stat /does/not/exist: no such file", "do", "--bind", "/does/not/exist", "true")
	e.fails(1, "--bind", "do", "--bind", "/tmp:relative", "true")
	e.fails(1, "--memory", "do", "--memory", "lots", "true")
	e.fails(1, "--network", "do", "--network", "fast", "true")
	e.fails(1, "--platform", "do", "--platform", "tin", "true")
	e.fails(1, "--user", "do", "--user", "no-such-user", "true")
	e.fails(1, "--cwd", "do", "--cwd", "relative", "true")
	e.fails(1, "expected at least 1", "do")
	e.fails(3, "unknown command", "dance") // runc's code
}

func TestDoTimeout(t *testing.T) {
	e := newEnv(t)
	if r := e.run("do", "--timeout", "50ms", "wait"); r.code != exitTimeout {
		t.Errorf("got %+v, not exit code %d", r, exitTimeout)
	}
}

// started starts a command and waits for the program's first line.
func (e *env) started(args ...string) (kill func(syscall.Signal), wait func() int) {
	e.Helper()
	cmd := e.cmd(args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		e.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		e.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		e.Fatalf("read %q, %v", line, err)
	}
	return func(s syscall.Signal) { cmd.Process.Signal(s) }, func() int {
		cmd.Wait()
		return exitCode(cmd)
	}
}

func TestDoForwardsSignals(t *testing.T) {
	e := newEnv(t)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1} {
		kill, wait := e.started("do", "wait")
		kill(sig)
		if code := wait(); code != 128+int(sig) {
			t.Errorf("%v: exit code %d", sig, code)
		}
	}
	kill, wait := e.started("do", "wait", "3")
	kill(syscall.SIGTERM)
	if code := wait(); code != 3 {
		t.Errorf("a handled signal: exit code %d", code)
	}
}

func TestDoIsEndedWhileStarting(t *testing.T) {
	e := newEnv(t)
	cmd := e.cmd("do", "slow-start")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	e.eventually("the sandbox is being made", func() bool { return len(children(cmd.Process.Pid)) == 2 })
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Wait()
	if code := exitCode(cmd); code != 128+15 {
		t.Errorf("exit code %d", code)
	}
}

// The parent killed at any time takes the sandbox with it.
func TestDoKilledLeavesNoProcess(t *testing.T) {
	e := newEnv(t)
	for i := range 20 {
		cmd := e.cmd("do", "wait")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pid := cmd.Process.Pid
		if i == 0 {
			e.eventually("the sandbox runs", func() bool { return len(children(pid)) == 2 })
		}
		for spin := 0; spin < i*20000; spin++ {
			unix.Getpid()
		}
		procs := children(pid)
		cmd.Process.Kill()
		cmd.Wait()
		for _, p := range procs {
			e.eventually(fmt.Sprintf("process %d ends", p), func() bool { return gone(p) })
		}
	}
	// Their directories are recognised as stale and cleared.
	if out := e.must("list", "-q"); out != "" {
		t.Errorf("list shows %q", out)
	}
	entries, _ := os.ReadDir(e.root)
	for _, f := range entries {
		// Killed while it was being made: Sweep's, after its age.
		if strings.HasPrefix(f.Name(), ".new-") {
			os.RemoveAll(filepath.Join(e.root, f.Name()))
		}
	}
	for _, f := range entries {
		if strings.HasPrefix(f.Name(), "do-") {
			e.must("delete", "--force", f.Name())
		}
	}
}

func children(pid int) (all []int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, t := range tasks {
		data, _ := os.ReadFile(t)
		for _, f := range strings.Fields(string(data)) {
			var n int
			fmt.Sscan(f, &n)
			all = append(all, n)
		}
	}
	return all
}

func gone(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, after, _ := strings.Cut(string(data), ") ")
	return strings.HasPrefix(after, "Z") || strings.HasPrefix(after, "X")
}

// A group that a killed `do` has left goes with the next one that has a group.
func TestDoReclaimsGroups(t *testing.T) {
	needRoot(t)
	e := newEnv(t)
	e.must("do", "--memory", "64m", "true")
	g, err := cgroup.ForMemory("do-0", 1<<26)
	if err != nil || len(g.Paths()) == 0 {
		t.Skipf("this host has no groups for a limit of memory: %v", err)
	}
	old, fresh := g.Paths()[0], g.Paths()[0]+"x"
	for _, dir := range []string{old, fresh} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Skip(err)
		}
		defer os.Remove(dir)
	}
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	e.must("do", "--memory", "64m", "true")
	if _, err := os.Stat(old); err == nil {
		t.Errorf("%s is left", old)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("a group that may still be moved into: %v", err)
	}
}

// doSpec runs a program that prints the spec the boot process got.
func (e *env) doSpec(flags ...string) *boot.Spec {
	e.Helper()
	var s boot.Spec
	if err := json.Unmarshal([]byte(e.must(append(append([]string{"do"}, flags...), "spec")...)), &s); err != nil {
		e.Fatal(err)
	}
	return &s
}

func TestDoFlags(t *testing.T) {
	e := newEnv(t)
	dir := t.TempDir()
	s := e.doSpec("--hostname", "box", "--network", "none", "--cwd", "/usr", "--env", "A=1", "--env", "HOME",
		"--bind", dir+":/src", "--bind", dir+":/ro:ro", "--rw-bind", dir+":/dst", "--tmpfs", "/scratch", "--user", "12:34")
	if s.Hostname != "box" || s.Network != boot.NetworkNone || s.Process.Cwd != "/usr" || !s.PlainInit {
		t.Errorf("got %+v", s)
	}
	if s.Process.UID != 12 || s.Process.GID != 34 || s.Process.Capabilities.Effective != 0 {
		t.Errorf("the user is %d:%d, capabilities %+v", s.Process.UID, s.Process.GID, s.Process.Capabilities)
	}
	env := strings.Join(s.Process.Env, "\n")
	if !strings.Contains(env, "A=1") || strings.Contains(env, "\nHOME=") {
		t.Errorf("the environment is %q", s.Process.Env)
	}
	want := map[string]boot.Mount{}
	for _, m := range s.Mounts {
		want[m.Destination] = m
	}
	if m := want["/"]; m.Type != boot.MountGofer || !m.Overlay {
		t.Errorf("the root is %+v", m)
	}
	if m := want["/src"]; !m.Overlay || m.ReadOnly {
		t.Errorf("--bind gave %+v", m)
	}
	if m := want["/ro"]; m.Overlay || !m.ReadOnly {
		t.Errorf("--bind :ro gave %+v", m)
	}
	if m := want["/dst"]; m.Overlay || m.ReadOnly || !m.Shared {
		t.Errorf("--rw-bind gave %+v", m)
	}
	if m := want["/scratch"]; m.Type != boot.MountTmpfs {
		t.Errorf("--tmpfs gave %+v", m)
	}
	if s.Process.Rlimits[unix.RLIMIT_NOFILE].Soft != sandbox.DescriptorLimit() {
		t.Errorf("the limit of descriptors is %+v, ours was %d", s.Process.Rlimits[unix.RLIMIT_NOFILE], sandbox.DescriptorLimit())
	}
}

// The guest begins with the caller's nice value.
func TestDoPassesNiceValue(t *testing.T) {
	e := newEnv(t)
	runtime.LockOSThread()
	// The thread ends with the test: it would go on with the value.
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, 5); err != nil {
		t.Skip(err)
	}
	if s := e.doSpec().Process.Scheduler; s == nil || s.Nice != 5 {
		t.Errorf("the scheduling is %+v", s)
	}
}

func TestDoAsOrdinaryUser(t *testing.T) {
	needRoot(t)
	e := newEnv(t)
	e.uid = 65534
	e.root = filepath.Join("/tmp", fmt.Sprintf("runsc-test-%d", os.Getpid()))
	t.Cleanup(func() { os.RemoveAll(e.root) })
	if r := e.run("do", "exit", "9"); r.code != 9 {
		t.Errorf("got %+v", r)
	}
	if s := e.doSpec(); s.Process.UID != 65534 || s.Process.Capabilities.Effective != 0 {
		t.Errorf("the user is %d, capabilities %+v", s.Process.UID, s.Process.Capabilities)
	}
}

// Help has an example for every command, and every flag is described.
func TestHelp(t *testing.T) {
	e := newEnv(t)
	for _, c := range commands() {
		if c.hidden {
			continue
		}
		out := e.must(c.name, "--help")
		if !strings.Contains(out, "Examples:\n  runsc "+c.name) {
			t.Errorf("the help of %s has no example: %s", c.name, out)
		}
		if !strings.Contains(e.must("--help"), "\n  "+c.name+" ") {
			t.Errorf("the overview lacks %s", c.name)
		}
	}
}
