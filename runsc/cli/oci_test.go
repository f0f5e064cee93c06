package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestLifeCycle(t *testing.T) {
	e := newEnv(t)
	b := e.bundle(nil, "wait", "4")
	pidFile := filepath.Join(t.TempDir(), "pid")
	out := e.create("c", b, "--pid-file", pidFile)
	if s := e.status("c"); s != "created" {
		t.Errorf("after create: %s", s)
	}
	if contains(out, "ready") {
		t.Error("the program ran before start")
	}
	if data, _ := os.ReadFile(pidFile); string(data) != strconv.Itoa(e.state("c").Boot.PID) {
		t.Errorf("the pid file holds %q", data)
	}
	e.fails(1, "container with given ID already exists", "create", "--bundle", b, "c")
	e.must("start", "c")
	e.eventually("the program runs", func() bool { return contains(out, "ready") })
	if s := e.status("c"); s != "running" {
		t.Errorf("after start: %s", s)
	}
	e.fails(1, "cannot start an already running container", "start", "c")
	e.fails(1, "cannot delete container c that is not stopped: running", "delete", "c")
	e.must("pause", "c")
	if s := e.status("c"); s != "paused" {
		t.Errorf("after pause: %s", s)
	}
	e.fails(255, "cannot exec in a paused container", "exec", "c", "true")
	e.must("resume", "c")
	e.must("kill", "c", "USR1")
	e.eventually("the container stops", func() bool { return e.status("c") == "stopped" })
	e.fails(1, "container not running", "kill", "c")
	e.fails(1, "cannot start a container that has stopped", "start", "c")
	e.must("ps", "c")
	e.fails(255, "cannot exec in a stopped container", "exec", "c", "true")
	e.must("delete", "c")
	e.fails(1, "container does not exist", "state", "c")
	e.fails(1, "container does not exist", "delete", "c")
	e.must("delete", "--force", "c")
}

func TestRunExitCode(t *testing.T) {
	e := newEnv(t)
	for args, code := range map[string]int{"exit 3": 3, "die 9": 137, "true": 0} {
		b := e.bundle(nil, strings.Fields(args)...)
		if r := e.run("run", "--bundle", b, "c"); r.code != code {
			t.Errorf("%s: %+v", args, r)
		}
	}
}

func TestRunDetached(t *testing.T) {
	e := newEnv(t)
	b := e.bundle(nil, "wait")
	cmd := e.cmd("run", "-d", "-b", b, "c") // without output: a pipe would stay open
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if s := e.status("c"); s != "running" {
		t.Errorf("status %s", s)
	}
	e.must("delete", "-f", "c")
}

func TestKillOfCreatedContainerStopsIt(t *testing.T) {
	e := newEnv(t)
	e.create("c", e.bundle(nil, "true"))
	e.must("kill", "c", "KILL")
	e.eventually("it stops", func() bool { return e.status("c") == "stopped" })
	e.must("delete", "c")
	e.create("d", e.bundle(nil, "true"))
	e.must("delete", "d") // as in runc, without force
}

func TestExec(t *testing.T) {
	e := newEnv(t)
	out := e.create("c", e.bundle(nil, "wait"))
	e.must("start", "c")
	e.eventually("the program runs", func() bool { return contains(out, "ready") })
	if got := e.must("exec", "c", "echo", "a", "b"); got != "a b\n" {
		t.Errorf("got %q", got)
	}
	if r := e.runIn("input", "exec", "c", "cat"); r.stdout != "input" {
		t.Errorf("got %+v", r)
	}
	if r := e.run("exec", "c", "exit", "6"); r.code != 6 {
		t.Errorf("got %+v", r)
	}
	e.fails(255, "executable file not found in $PATH", "exec", "c", "not-there")
	e.fails(255, "permission denied", "exec", "c", "not-executable")
	e.fails(255, "parsing x as int for uid failed", "exec", "--user", "x", "c", "true")
	e.fails(255, "does not exist", "exec", "nobody", "true")

	file := filepath.Join(t.TempDir(), "process.json")
	os.WriteFile(file, []byte(`{"args":["echo","from file"],"cwd":"/","user":{"uid":0,"gid":0}}`), 0o600)
	if got := e.must("exec", "--process", file, "c"); got != "from file\n" {
		t.Errorf("got %q", got)
	}
	if got := e.must("ps", "c"); !strings.Contains(got, "wait") {
		t.Errorf("ps shows %q", got)
	}
	if got := e.must("ps", "--format", "json", "c"); got != fmt.Sprintf("[%d]\n", e.state("c").Boot.PID) {
		t.Errorf("ps as JSON shows %q", got)
	}
	if got := e.must("debug", "stacks", "c"); !strings.Contains(got, "task 1") {
		t.Errorf("stacks are %q", got)
	}
	e.must("delete", "-f", "c")
}

// The pid of a detached program is a host process that ends with it, takes
// signals for it, and whose death is its.
func TestExecDetached(t *testing.T) {
	e := newEnv(t)
	out := e.create("c", e.bundle(nil, "wait"))
	e.must("start", "c")
	e.eventually("the program runs", func() bool { return contains(out, "ready") })
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	pidFile := filepath.Join(t.TempDir(), "pid")
	start := func() int {
		if err := e.cmd("exec", "-d", "--pid-file", pidFile, "c", "wait", "5").Run(); err != nil {
			t.Fatal(err)
		}
		data, _ := os.ReadFile(pidFile)
		pid, err := strconv.Atoi(string(data))
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	wait := func(pid int) syscall.WaitStatus {
		var ws unix.WaitStatus
		for {
			if _, err := unix.Wait4(pid, &ws, 0, nil); err != unix.EINTR {
				return syscall.WaitStatus(ws)
			}
		}
	}
	pid := start()
	unix.Kill(pid, unix.SIGTERM)
	if ws := wait(pid); ws.ExitStatus() != 5 {
		t.Errorf("the monitor ended with %v", ws)
	}
	pid = start()
	count := func() int { return strings.Count(e.must("ps", "c"), "wait") }
	if n := count(); n != 2 {
		t.Errorf("%d programs run", n)
	}
	unix.Kill(pid, unix.SIGKILL)
	wait(pid)
	e.eventually("the program is killed with its monitor", func() bool { return count() == 1 })
	e.fails(255, "executable file not found", "exec", "-d", "c", "not-there")
	e.must("delete", "-f", "c")
}

func TestBadConfigurations(t *testing.T) {
	e := newEnv(t)
	raw := func(change func(m map[string]any)) string {
		b := e.bundle(nil, "true")
		data, _ := os.ReadFile(filepath.Join(b, "config.json"))
		var m map[string]any
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		change(m)
		e.writeConfig(b, m)
		return b
	}
	process := func(m map[string]any) map[string]any { return m["process"].(map[string]any) }
	for want, change := range map[string]func(m map[string]any){
		"process.args: a JSON number":       func(m map[string]any) { process(m)["args"] = 5 },
		"process.cwd: a JSON":               func(m map[string]any) { process(m)["cwd"] = []string{"/"} },
		"process.terminal: a JSON string":   func(m map[string]any) { process(m)["terminal"] = "yes" },
		"mounts.destination: a JSON number": func(m map[string]any) { m["mounts"] = []any{map[string]any{"destination": 1}} },
		`mounts[0].type: "ext4"`: func(m map[string]any) {
			m["mounts"] = []any{map[string]any{"destination": "/x", "type": "ext4", "source": "/dev/sda"}}
		},
		"process.args: must not be empty":    func(m map[string]any) { process(m)["args"] = []string{} },
		"process.cwd: \"x\" is not":          func(m map[string]any) { process(m)["cwd"] = "x" },
		"root: missing":                      func(m map[string]any) { delete(m, "root") },
		"root.path: stat":                    func(m map[string]any) { m["root"] = map[string]any{"path": "/does/not/exist"} },
		"ociVersion: 2.0.0 is not supported": func(m map[string]any) { m["ociVersion"] = "2.0.0" },
		"executable file not found in $PATH": func(m map[string]any) { process(m)["args"] = []string{"not-there"} },
		"cannot allocate tty":                func(m map[string]any) { process(m)["terminal"] = true },
		"linux.intelRdt: not supported": func(m map[string]any) {
			m["linux"].(map[string]any)["intelRdt"] = map[string]any{"closID": "x"}
		},
	} {
		e.fails(1, want, "create", "--bundle", raw(change), "c")
	}
	e.fails(1, "JSON specification file /does/not/config.json not found", "create", "--bundle", "/does/not", "c")
	b := e.bundle(nil, "true")
	os.WriteFile(filepath.Join(b, "config.json"), []byte("{"), 0o600)
	e.fails(1, "config.json: byte 1", "create", "--bundle", b, "c")
	e.fails(1, "invalid container ID format: a/b", "create", "--bundle", e.bundle(nil, "true"), "a/b")
	e.fails(1, "flag provided but not defined", "create", "--nope", "c")
	e.fails(1, "expected at least 1", "create")
	e.fails(1, "container does not exist", "kill", "c", "NOPE")
}

// Of many creates of one identifier one succeeds, and the others leave nothing.
func TestConcurrentCreate(t *testing.T) {
	e := newEnv(t)
	b := e.bundle(nil, "true")
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[int]int{}
	for range 8 {
		wg.Go(func() {
			cmd := e.cmd("create", "--bundle", b, "c")
			cmd.Run()
			mu.Lock()
			codes[exitCode(cmd)]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if codes[0] != 1 || codes[1] != 7 {
		t.Errorf("exit codes are %v", codes)
	}
	e.must("delete", "c")
}

// A create that is killed at any point leaves nothing that delete --force does
// not remove, and no process.
func TestDeleteAfterCrash(t *testing.T) {
	e := newEnv(t)
	b := e.bundle(nil, "wait")
	seen := map[bool]int{}
	for i := range 40 {
		cmd := e.cmd("create", "--bundle", b, "c")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for spin := 0; spin < i*8000; spin++ {
			unix.Getpid()
		}
		cmd.Process.Kill()
		cmd.Wait()
		_, err := os.Stat(filepath.Join(e.root, "c"))
		seen[err == nil]++
		e.must("delete", "--force", "c")
		e.eventually("its processes end", func() bool { return len(processes(t, e.root)) == 0 })
	}
	t.Logf("killed before the directory was there %d times, after %d times", seen[false], seen[true])
	left, _ := filepath.Glob(filepath.Join(e.root, ".new-*"))
	for _, l := range left {
		os.RemoveAll(l) // Sweep's, after a minute
	}
}

// What a killed create left does not stand in the way of the next one.
func TestCreateAfterCrash(t *testing.T) {
	e := newEnv(t)
	cmd := e.cmd("create", "--bundle", e.bundle(nil, "slow-start"), "c")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	e.eventually("the processes are recorded", func() bool {
		return contains(filepath.Join(e.root, "c", "state.json"), `"boot":{"pid":`) && e.state("c").Boot.PID != 0
	})
	b := e.bundle(nil, "true")
	e.fails(1, "container with given ID already exists", "create", "--bundle", b, "c")
	e.fails(1, "cannot start a container that is being created", "start", "c")
	cmd.Process.Kill()
	cmd.Wait()
	st := e.state("c")
	e.eventually("its sandbox ends", func() bool { return !st.Boot.Alive() && !st.Gofer.Alive() && !st.Sentry.Alive() })
	if s := e.status("c"); s != "stopped" {
		t.Errorf("status %s", s)
	}
	e.create("c", b)
	e.must("delete", "c")
}

// A sandbox killed from outside is seen as stopped, and its gofer goes too.
func TestKilledSandboxIsStopped(t *testing.T) {
	e := newEnv(t)
	e.create("c", e.bundle(nil, "wait"))
	e.must("start", "c")
	st := e.state("c")
	unix.Kill(st.Boot.PID, unix.SIGKILL)
	e.eventually("it is stopped", func() bool { return e.status("c") == "stopped" })
	e.eventually("the gofer ends", func() bool { return !st.Gofer.Alive() })
	e.fails(1, "container not running", "kill", "c")
	e.must("delete", "c")
}

func TestHooks(t *testing.T) {
	e := newEnv(t)
	dir := t.TempDir()
	hook := func(name string) []specs.Hook {
		return []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "cat > " + filepath.Join(dir, name)}, Env: []string{"PATH=/bin:/usr/bin"}}}
	}
	b := e.bundle(func(s *specs.Spec) {
		s.Hooks = &specs.Hooks{Prestart: hook("prestart"), CreateRuntime: hook("createRuntime"), Poststart: hook("poststart"), Poststop: hook("poststop")}
	}, "true")
	e.must("run", "--bundle", b, "c")
	for _, name := range []string{"prestart", "createRuntime", "poststart", "poststop"} {
		var s specs.State
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = json.Unmarshal(data, &s)
		}
		if err != nil || s.ID != "c" || s.Bundle != b {
			t.Errorf("%s got %q, %v", name, data, err)
		}
		if name == "prestart" && s.Pid == 0 {
			t.Error("prestart got no pid")
		}
	}
	b = e.bundle(func(s *specs.Spec) {
		s.Hooks = &specs.Hooks{Prestart: []specs.Hook{{Path: "/bin/false"}}}
	}, "true")
	e.fails(1, "error running prestart hook #0", "run", "--bundle", b, "c")
}

func TestConsoleSocket(t *testing.T) {
	e := newEnv(t)
	b := e.bundle(func(s *specs.Spec) { s.Process.Terminal = true }, "wait")
	path := filepath.Join(t.TempDir(), "console.sock")
	listener, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(listener, &unix.SockaddrUnix{Name: path})
	}
	if err == nil {
		err = unix.Listen(listener, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(listener)
	if out, err := e.cmd("create", "--bundle", b, "--console-socket", path, "c").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	conn, _, err := unix.Accept(listener)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(conn)
	oob := make([]byte, 64)
	_, n, _, _, err := unix.Recvmsg(conn, make([]byte, 256), oob, 0)
	if err != nil {
		t.Fatal(err)
	}
	msgs, _ := unix.ParseSocketControlMessage(oob[:n])
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 1 {
		t.Fatalf("got descriptors %v, %v", fds, err)
	}
	master := os.NewFile(uintptr(fds[0]), "master")
	defer master.Close()
	e.must("start", "c")
	read := func(want string) {
		buf := make([]byte, 256)
		n, err := master.Read(buf)
		if err != nil || string(buf[:n]) != want {
			t.Fatalf("the terminal gives %q, %v", buf[:n], err)
		}
	}
	read("ready\n") // raw: no carriage return of the host's
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 100}); err != nil {
		t.Fatal(err)
	}
	read("resized\n")
	e.must("delete", "-f", "c")
}

func TestCgroup(t *testing.T) {
	needRoot(t)
	e := newEnv(t)
	const memory, cpu, pids = "/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/pids"
	if _, err := os.Stat(memory + "/memory.limit_in_bytes"); err != nil {
		t.Skip("no cgroup version 1 hierarchy for memory is mounted")
	}
	name := fmt.Sprintf("/cordon-test-%d/c", os.Getpid())
	b := e.bundle(func(s *specs.Spec) {
		limit, quota, n := int64(256<<20), int64(50000), int64(500)
		s.Linux.CgroupsPath = name
		s.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit},
			CPU: &specs.LinuxCPU{Quota: &quota}, Pids: &specs.LinuxPids{Limit: &n}}
	}, "wait")
	e.create("c", b)
	st := e.state("c")
	for file, want := range map[string]string{memory + name + "/memory.limit_in_bytes": "268435456\n",
		cpu + name + "/cpu.cfs_quota_us": "50000\n", pids + name + "/pids.max": "500\n"} {
		if data, err := os.ReadFile(file); err != nil || string(data) != want {
			t.Errorf("%s holds %q, %v", file, data, err)
		}
	}
	for _, pid := range []int{st.Boot.PID, st.Sentry.PID, st.Gofer.PID} {
		if pid == 0 {
			continue // without rights there is no keeper
		}
		if !contains(memory+name+"/cgroup.procs", strconv.Itoa(pid)+"\n") {
			t.Errorf("process %d is not in the cgroup", pid)
		}
	}
	e.fails(1, "container's cgroup is not empty", "create", "--bundle", b, "d")
	e.must("delete", "--force", "c")
	for _, dir := range []string{memory, cpu, pids} {
		if _, err := os.Stat(filepath.Dir(dir + name)); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", filepath.Dir(dir+name), err)
		}
	}
}

func TestRootlessContainer(t *testing.T) {
	needRoot(t)
	e := newEnv(t)
	e.uid = 65534
	dir, err := os.MkdirTemp("/tmp", "runsc-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	os.Chmod(dir, 0o755)
	b := filepath.Join(dir, "bundle")
	if err := os.Rename(e.bundle(nil, "exit", "8"), b); err != nil {
		t.Fatal(err)
	}
	os.Chmod(b, 0o755)
	os.Chown(dir, e.uid, e.uid)
	e.root = filepath.Join(dir, "state")
	if r := e.run("run", "--bundle", b, "c"); r.code != 8 {
		t.Errorf("got %+v", r)
	}
}

func TestRootOfAnOrdinaryUsersNamespace(t *testing.T) {
	needRoot(t)
	e := newEnv(t)
	e.root = "/tmp/runsc-test-" + strconv.Itoa(os.Getpid())
	defer os.RemoveAll(e.root)
	cmd := e.cmd("do", "--memory", "64m", "true")
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 65534, Size: 1}}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, Credential: &syscall.Credential{}}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Run(); err != nil || !strings.Contains(errs.String(), "an ordinary user has no cgroup") {
		t.Errorf("a limit of memory: %v, %s", err, errs.String())
	}
}

func TestListAndFeatures(t *testing.T) {
	e := newEnv(t)
	e.create("c", e.bundle(nil, "true"))
	var views []stateView
	if err := json.Unmarshal([]byte(e.must("list", "--format", "json")), &views); err != nil || len(views) != 1 || views[0].ID != "c" {
		t.Errorf("list gives %+v, %v", views, err)
	}
	if got := e.must("list", "-q"); got != "c\n" {
		t.Errorf("list -q gives %q", got)
	}
	e.must("delete", "c")
	var f map[string]any
	if err := json.Unmarshal([]byte(e.must("features")), &f); err != nil || f["ociVersionMax"] != specs.Version {
		t.Errorf("features gives %v, %v", f, err)
	}
	dir := t.TempDir()
	e.must("spec", "--bundle", dir)
	e.fails(1, "exists. Remove it first", "spec", "--bundle", dir)
}

func TestLogIsWhatClientsRead(t *testing.T) {
	e := newEnv(t)
	log := filepath.Join(t.TempDir(), "log.json")
	e.fails(1, "container does not exist", "--log", log, "--log-format", "json", "state", "nobody")
	var line struct{ Level, Msg string }
	data, _ := os.ReadFile(log)
	if err := json.Unmarshal(data, &line); err != nil || line.Level != "error" || line.Msg != "container does not exist" {
		t.Errorf("the log holds %q", data)
	}
}
