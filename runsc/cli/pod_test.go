package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// member configures a container of pod "pause".
func member(s *specs.Spec) {
	s.Annotations = map[string]string{"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.sandbox-id": "pause"}
}

// pod makes the first container of a pod, running.
func (e *env) pod() (bootPID int) {
	e.Helper()
	out := e.create("pause", e.bundle(func(s *specs.Spec) {
		s.Annotations = map[string]string{"io.kubernetes.cri.container-type": "sandbox"}
	}, "wait"))
	e.must("start", "pause")
	e.eventually("the pod runs", func() bool { return contains(out, "ready") })
	return e.state("pause").Boot.PID
}

// adopt makes this process the parent of orphans, for their exit codes.
func adopt(t *testing.T) {
	t.Helper()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) })
}

// ended waits for a process that was adopted and returns its exit code.
func ended(t *testing.T, pid int) int {
	t.Helper()
	var ws syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &ws, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			t.Fatalf("waiting for process %d: %v", pid, err)
		}
		return ws.ExitStatus()
	}
}

func openDescriptors(t *testing.T, pid int) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestPod(t *testing.T) {
	needRoot(t)
	e := newEnv(t)
	adopt(t)
	boot := e.pod()
	sentry := e.state("pause").Sentry.PID
	before := openDescriptors(t, sentry)
	pidFile := filepath.Join(t.TempDir(), "pid")
	a := e.create("a", e.bundle(member, "wait", "7"), "--pid-file", pidFile)
	b := e.create("b", e.bundle(member, "echo", "from b"))
	sa := e.state("a")
	if sa.Sandbox != "pause" || sa.Boot.PID == boot {
		t.Errorf("the container's sandbox is %q, its process %d of %d", sa.Sandbox, sa.Boot.PID, boot)
	}
	if data, _ := os.ReadFile(pidFile); string(data) != strconv.Itoa(sa.Boot.PID) {
		t.Errorf("the pid file holds %q", data)
	}
	if s := e.status("a"); s != "created" {
		t.Errorf("after create: %s", s)
	}
	if contains(a, "ready") {
		t.Error("the program ran before start")
	}
	if data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", sa.Boot.PID)); string(data) != "wait\x007\x00" {
		t.Errorf("ps shows %q", data)
	}
	keeperB := e.state("b").Boot.PID
	e.must("start", "a")
	e.must("start", "b")
	e.eventually("the program runs", func() bool { return contains(a, "ready") })
	if code := ended(t, keeperB); code != 0 || !contains(b, "from b") || contains(a, "from b") {
		t.Errorf("b ended with %d", code)
	}
	if s := e.status("b"); s != "stopped" {
		t.Errorf("after its end: %s", s)
	}
	if got := e.must("exec", "a", "echo", "hello"); got != "hello\n" {
		t.Errorf("exec prints %q", got)
	}
	if got := e.must("ps", "a"); !strings.Contains(got, "wait 7") {
		t.Errorf("ps prints %q", got)
	}
	e.must("kill", "a", "USR1")
	if code := ended(t, sa.Boot.PID); code != 7 {
		t.Errorf("a ended with %d", code)
	}
	e.must("delete", "a")
	e.must("delete", "b")
	e.eventually("the sandbox closes what they had", func() bool { return openDescriptors(t, sentry) <= before })
	if s := e.status("pause"); s != "running" {
		t.Errorf("the pod is %s", s)
	}
	e.must("delete", "--force", "pause")
	ended(t, boot)
}

// TestPodContainerAndKeeper ends one by the other.
func TestPodContainerAndKeeper(t *testing.T) {
	needRoot(t)
	e := newEnv(t)
	adopt(t)
	boot := e.pod()
	for _, end := range []struct {
		name string
		act  func(keeper int)
		code int
	}{
		{"killed keeper", func(pid int) { unix.Kill(pid, unix.SIGKILL) }, -1},
		{"signal to the keeper", func(pid int) { unix.Kill(pid, unix.SIGTERM) }, 128 + int(syscall.SIGTERM)},
		{"forced delete", func(int) { e.must("delete", "--force", "a") }, 137},
	} {
		out := e.create("a", e.bundle(member, "wait"))
		st := e.state("a")
		e.must("start", "a")
		e.eventually("the program runs", func() bool { return contains(out, "ready") })
		end.act(st.Boot.PID)
		if code := ended(t, st.Boot.PID); code != end.code && end.name != "forced delete" {
			t.Errorf("%s: ended with %d", end.name, code)
		}
		e.must("delete", "--force", "a")
		e.eventually("its gofer ends", func() bool { return !st.Gofer.Alive() })
	}
	// A container that was never started, and the end of all.
	e.create("a", e.bundle(member, "wait"))
	keeper := e.state("a").Boot.PID
	unix.Kill(e.state("pause").Sentry.PID, unix.SIGKILL)
	if code := ended(t, boot); code != 137 {
		t.Errorf("with its sandbox the first container ended with %d", code)
	}
	if code := ended(t, keeper); code != 137 {
		t.Errorf("with its sandbox the container ended with %d", code)
	}
	e.must("delete", "a")
	e.must("delete", "pause")
}

// TestPodOutlivesFirst ends and deletes the first container of a sandbox while another
// runs in it.
func TestPodOutlivesFirst(t *testing.T) {
	needRoot(t)
	e := newEnv(t)
	adopt(t)
	first := e.pod()
	sentry := e.state("pause").Sentry
	out := e.create("a", e.bundle(member, "wait", "7"))
	e.must("start", "a")
	e.eventually("the program runs", func() bool { return contains(out, "ready") })
	e.must("kill", "pause", "KILL")
	if code := ended(t, first); code != 137 {
		t.Errorf("the first container ended with %d", code)
	}
	check := func(when string) {
		t.Helper()
		if s := e.status("a"); s != "running" {
			t.Errorf("%s the other is %s", when, s)
		}
		if got := e.must("exec", "a", "echo", "hello"); got != "hello\n" {
			t.Errorf("%s exec prints %q", when, got)
		}
		if !sentry.Alive() {
			t.Errorf("%s the sandbox is gone", when)
		}
	}
	check("after the first's end")
	if s := e.status("pause"); s != "stopped" {
		t.Errorf("after its end the first is %s", s)
	}
	e.fails(1, "is of no container", "create", "--bundle", e.bundle(func(s *specs.Spec) {
		member(s)
		s.Linux.Namespaces = append(s.Linux.Namespaces[:0], specs.LinuxNamespace{Type: specs.IPCNamespace, Path: fmt.Sprintf("/proc/%d/ns/ipc", first)})
	}, "wait"), "c")
	e.must("delete", "pause")
	check("without the first")
	// Its name is free again, and is that of another sandbox.
	e.pod()
	again := e.state("pause")
	if again.Sentry == sentry {
		t.Error("a new pod is in the old sandbox")
	}
	check("beside another of the first's name")
	// By the other's process a third comes to the old sandbox.
	third := e.create("b", e.bundle(func(s *specs.Spec) {
		for i := range s.Linux.Namespaces {
			if n := &s.Linux.Namespaces[i]; n.Type == specs.IPCNamespace {
				n.Path = fmt.Sprintf("/proc/%d/ns/ipc", e.state("a").Boot.PID)
			}
		}
	}, "wait"))
	if st := e.state("b"); st.Sentry != sentry {
		t.Errorf("the third is in sandbox %v, not %v", st.Sentry, sentry)
	}
	e.must("start", "b")
	e.eventually("the third runs", func() bool { return contains(third, "ready") })
	a, b := e.state("a").Boot.PID, e.state("b").Boot.PID
	e.must("kill", "a", "USR1")
	if code := ended(t, a); code != 7 {
		t.Errorf("the other ended with %d", code)
	}
	e.must("delete", "a")
	if s := e.status("b"); s != "running" {
		t.Errorf("after the other's end the third is %s", s)
	}
	unix.Kill(b, unix.SIGKILL)
	ended(t, b)
	e.eventually("the sandbox ends with the last", func() bool { return !sentry.Alive() })
	e.must("delete", "b")
	if s := e.status("pause"); s != "running" {
		t.Errorf("the other sandbox is %s", s)
	}
	e.must("delete", "--force", "pause")
}

func TestPodFailures(t *testing.T) {
	needRoot(t)
	e := newEnv(t)
	e.fails(1, "container does not exist", "create", "--bundle", e.bundle(member, "wait"), "a")
	boot := e.pod()
	sentry := e.state("pause").Sentry.PID
	before := openDescriptors(t, sentry)
	e.fails(1, "executable file not found in $PATH", "create", "--bundle", e.bundle(member, "not-there"), "a")
	e.fails(1, "joining a ipc namespace that is no container's is not supported", "create", "--bundle",
		e.bundle(func(s *specs.Spec) {
			s.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.IPCNamespace, Path: "/proc/1/ns/ipc"}}
		}, "wait"), "a")
	e.eventually("the sandbox closes what they had", func() bool { return openDescriptors(t, sentry) <= before })
	// By the path of a namespace, as podman does it.
	out := e.create("p", e.bundle(func(s *specs.Spec) {
		for i := range s.Linux.Namespaces {
			if n := &s.Linux.Namespaces[i]; n.Type == specs.IPCNamespace {
				n.Path = fmt.Sprintf("/proc/%d/ns/ipc", boot)
			}
		}
	}, "spec"))
	if st := e.state("p"); st.Sandbox != "pause" {
		t.Errorf("the sandbox is %q", st.Sandbox)
	}
	e.must("start", "p")
	e.eventually("it has run", func() bool { return contains(out, `"IPC":"pause"`) && contains(out, `"PID":""`) })
	e.eventually("it has ended", func() bool { return e.status("p") == "stopped" })
	e.must("delete", "p")
	e.must("delete", "--force", "pause")
}
