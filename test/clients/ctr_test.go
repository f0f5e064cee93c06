package clients

import (
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestContainerd16(t *testing.T) {
	c := newContainerd(t, "")
	if v := c.must("containerd", "--version"); !strings.Contains(v, " 1.") {
		t.Skipf("the installed containerd is %s", v)
	}
	t.Run("runc.v2", func(t *testing.T) { c.behaves(t, c.runc()) })
	t.Run("runsc.v1", func(t *testing.T) { c.behaves(t, c.shim()) })
}

// behaves is what a containerd does with each runtime.
func (c *containerd) behaves(t *testing.T, r runtime) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *containerd, runtime)
	}{
		{"run gives output and exit code", ctrRun},
		{"a task in the background is listed, entered, paused, killed and deleted", ctrTask},
		{"metrics are the container's", ctrMetrics},
		{"a terminal is one inside, and has the client's size", ctrTerminal},
		{"limits and mounts hold", ctrLimits},
		{"events come in order", ctrEvents},
		{"a kill for memory is told once", ctrOOM},
		{"exec works many times at once", ctrExecs},
		{"a program that is not there leaves a task that can be deleted", ctrNoProgram},
		{"a checkpoint goes on where it was", ctrCheckpoint},
		{"containers live on while containerd is restarted", ctrRestart},
	} {
		t.Run(test.name, func(t *testing.T) {
			mine := c.of(t)
			defer func() {
				c.daemon = mine.daemon
				if t.Failed() {
					mine.clear() // so that the next are not disturbed
				}
			}()
			test.run(t, mine, r)
			mine.noContainers()
		})
	}
}

// of is the daemon for a subtest, so that failures count where they happen.
func (c *containerd) of(t *testing.T) *containerd {
	w := *c.world
	w.T = t
	mine := *c
	mine.world = &w
	return &mine
}

// clear removes all containers.
func (c *containerd) clear() {
	c.Helper()
	for _, id := range strings.Fields(c.mustCtr("containers", "ls", "-q")) {
		c.runCtr("task", "delete", "--force", id)
		c.runCtr("containers", "rm", id)
	}
}

// noContainers fails where containerd or the host still have something.
func (c *containerd) noContainers() {
	c.Helper()
	if left := strings.TrimSpace(c.mustCtr("containers", "ls", "-q")); left != "" {
		c.Errorf("containers are left: %s", left)
	}
	c.gone("state directories", c.states)
	c.gone("cgroups", c.cgroups)
}

func ctrRun(t *testing.T, c *containerd, r runtime) {
	c.expect(0, "hello", c.args(r.runFlags("--rm", imageName, "run1", "echo", "hello")...)...)
	c.expect(7, "", c.args(r.runFlags("--rm", imageName, "run2", "sh", "-c", "exit 7")...)...)
	// A pause, because ctr forgets an end of its input that comes before the
	// task is there.
	typed := append([]string{"sh", "-c", `(echo typed; sleep 1) | "$@"`, "sh"}, c.args(r.runFlags("--rm", imageName, "run3", "cat")...)...)
	c.expect(0, "typed", typed...)
	if got := c.runCtr(r.runFlags("--rm", imageName, "run4", "sh", "-c", "echo out; echo err >&2")...); got.stdout != "out\n" || !strings.HasSuffix(got.stderr, "err\n") {
		t.Errorf("the two outputs: %v", got)
	}
	c.fails("no-such-program", c.args(r.runFlags("--rm", imageName, "run5", "no-such-program")...)...)
}

func ctrTask(t *testing.T, c *containerd, r runtime) {
	const id = "task1"
	c.mustCtr(r.runFlags("-d", imageName, id, "sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.1; done")...)
	if s := c.status(id); s != "RUNNING" {
		t.Errorf("it is %s", s)
	}
	c.expect(7, "in", c.args("task", "exec", "--exec-id", "e1", id, "sh", "-c", "echo in; exit 7")...)
	if ps := c.mustCtr("task", "ps", id); len(strings.Fields(ps)) < 3 {
		t.Errorf("its processes: %s", ps)
	}
	c.mustCtr("task", "pause", id)
	if s := c.status(id); s != "PAUSED" {
		t.Errorf("paused, it is %s", s)
	}
	c.mustCtr("task", "resume", id)
	if s := c.status(id); s != "RUNNING" {
		t.Errorf("resumed, it is %s", s)
	}
	c.mustCtr("task", "kill", "-s", "SIGTERM", id)
	c.eventually("it stops", func() bool { return c.status(id) == "STOPPED" })
	if got := c.runCtr("task", "delete", id); !strings.Contains(got.stderr, "exit code 5") {
		t.Errorf("deleting the task gives its exit code 5: %v", got)
	}
	c.mustCtr("containers", "rm", id)
}

func ctrMetrics(t *testing.T, c *containerd, r runtime) {
	const id = "metrics1"
	c.mustCtr(r.runFlags("-d", imageName, id, "sleep", "1000")...)
	m := c.mustCtr("task", "metrics", id)
	for line := range strings.Lines(m) {
		if f := strings.Fields(line); len(f) == 2 && (f[0] == "memory.usage_in_bytes" || f[0] == "memory.usage") {
			if n, err := strconv.Atoi(f[1]); err != nil || n == 0 {
				t.Errorf("its metrics: %s", m)
			}
		}
	}
	if !strings.Contains(m, "memory") || !strings.Contains(m, "cpu") {
		t.Errorf("its metrics: %s", m)
	}
	c.remove(id)
}

func ctrTerminal(t *testing.T, c *containerd, r runtime) {
	x := c.terminal(c.args(r.runFlags("--rm", "-t", imageName, "tty1", "sh")...)...)
	x.expect("# ")
	x.typed("tty && stty size")
	x.expect("/dev/pts/0")
	x.expect("24 80")
	x.resize(30, 100)
	x.typed("sleep 0.3; stty size; exit 4")
	x.expect("30 100")
	if code := x.exit(); code != 4 {
		t.Errorf("exit code %d", code)
	}
	c.mustCtr(r.runFlags("-d", imageName, "tty2", "sleep", "1000")...)
	x = c.terminal(c.args("task", "exec", "-t", "--exec-id", "e1", "tty2", "sh")...)
	x.expect("# ")
	x.typed("tty; exit 3")
	x.expect("/dev/pts/")
	if code := x.exit(); code != 3 {
		t.Errorf("exec: exit code %d", code)
	}
	c.remove("tty2")
}

// remove kills and deletes a container.
func (c *containerd) remove(id string) {
	c.Helper()
	c.runCtr("task", "kill", "-s", "SIGKILL", id)
	c.eventually("it stops", func() bool { s := c.status(id); return s == "STOPPED" || s == "" })
	c.runCtr("task", "delete", id)
	c.mustCtr("containers", "rm", id)
}

func ctrLimits(t *testing.T, c *containerd, r runtime) {
	dir := filepath.Join(c.dir, "shared")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c.write(filepath.Join(dir, "file"), "text")
	const id = "limits1"
	c.mustCtr(r.runFlags("-d", "--memory-limit", "134217728", "--cpu-quota", "50000", "--cpu-period", "100000", "--read-only",
		"--mount", "type=bind,src="+dir+",dst=/srv,options=rbind:ro", "--env", "A=b", "--cwd", "/home", imageName, id, "sleep", "1000")...)
	in := func(args ...string) []string {
		return c.args(append([]string{"task", "exec", "--exec-id", "e" + strconv.Itoa(rand.Int()), id}, args...)...)
	}
	c.expect(0, "text", in("cat", "/srv/file")...)
	c.fails("Read-only file system", in("touch", "/srv/new")...)
	c.fails("Read-only file system", in("touch", "/home/new")...)
	c.expect(0, "b /home 0", in("sh", "-c", "echo $A $(pwd) $(id -u)")...)
	c.expect(0, "1000 1000", c.args("task", "exec", "--exec-id", "user", "--user", "1000:1000", id, "sh", "-c", "echo $(id -u) $(id -g)")...)
	c.expect(0, "131072", in("sh", "-c", "grep MemTotal /proc/meminfo | tr -dc 0-9")...)
	group := "/sys/fs/cgroup/memory/" + c.name + "/" + id + "/memory.limit_in_bytes"
	if limit, err := os.ReadFile(group); err == nil && strings.TrimSpace(string(limit)) != "134217728" {
		t.Errorf("%s is %s", group, limit)
	}
	quota := "/sys/fs/cgroup/cpu/" + c.name + "/" + id + "/cpu.cfs_quota_us"
	if q, err := os.ReadFile(quota); err == nil && strings.TrimSpace(string(q)) != "50000" {
		t.Errorf("%s is %s", quota, q)
	}
	c.remove(id)
}

// listen has containerd's events written to a file until stop is called.
func (c *containerd) listen() (log string, stop func()) {
	c.Helper()
	log = filepath.Join(c.dir, "events.log")
	os.Remove(log)
	c.must("sh", "-c", `"$@" >`+log+` 2>&1 & echo $! >`+log+`.pid`, "sh", c.ctr, "--address", c.address, "--namespace", c.name, "events")
	c.eventually("events are listened to", func() bool {
		c.mustCtr("namespaces", "label", c.name, "probe="+strconv.Itoa(rand.Int()))
		data, _ := os.ReadFile(log)
		return strings.Contains(string(data), "/namespaces/update")
	})
	return log, func() {
		c.must("sh", "-c", "kill $(cat "+log+".pid)")
		os.Remove(log)
	}
}

func ctrOOM(t *testing.T, c *containerd, r runtime) {
	log, stop := c.listen()
	defer stop()
	const id = "oom1"
	got := c.runCtr(r.runFlags("--memory-limit", strconv.Itoa(64<<20), imageName, id,
		"sh", "-c", "(x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done); echo $?; sleep 2")...)
	if got.stdout != "137\n" || got.code != 0 {
		t.Errorf("it says %v", got)
	}
	c.remove(id)
	c.eventually("its end is told", func() bool {
		data, _ := os.ReadFile(log)
		return strings.Contains(string(data), "/tasks/exit")
	})
	data, err := os.ReadFile(log)
	if n := strings.Count(string(data), "/tasks/oom"); err != nil || n != 1 {
		t.Errorf("%d events, %v", n, err)
	}
}

func ctrEvents(t *testing.T, c *containerd, r runtime) {
	log, stop := c.listen()
	defer stop()
	const id = "events1"
	c.mustCtr(r.runFlags("-d", imageName, id, "sleep", "1000")...)
	c.mustCtr("task", "exec", "--exec-id", "e1", id, "true")
	c.mustCtr("task", "pause", id)
	c.mustCtr("task", "resume", id)
	c.remove(id)
	want := []string{"/tasks/create", "/tasks/start", "/tasks/exec-added", "/tasks/exec-started", "/tasks/exit", "/tasks/paused",
		"/tasks/resumed", "/tasks/exit", "/tasks/delete"}
	deadline := time.Now().Add(daemonTimeout)
	if r.name == "io.containerd.runc.v2" {
		want = want[:len(want)-1] // runc's shim ends before it has sent the last, at times
	}
	for data := ""; strings.Count(data, "/tasks/exit") < 2 || !strings.Contains(data, want[len(want)-1]); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("events: %s", data)
		}
		text, _ := os.ReadFile(log)
		data = string(text)
	}
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(data)) {
		for f := range strings.FieldsSeq(line) {
			if strings.HasPrefix(f, "/tasks/") {
				got = append(got, f)
			}
		}
	}
	if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		t.Errorf("events are %q, not %q", got, want)
	}
}

func ctrExecs(t *testing.T, c *containerd, r runtime) {
	const id = "execs1"
	c.mustCtr(r.runFlags("-d", imageName, id, "sleep", "1000")...)
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			n := strconv.Itoa(i)
			got, err := c.try(commandTimeout, "", c.args("task", "exec", "--exec-id", "e"+n, id, "sh", "-c", "echo "+n+"; exit "+n)...)
			if err != nil || got.code != i || got.stdout != n+"\n" {
				t.Errorf("exec %d: %v, %v", i, got, err)
			}
		})
	}
	all.Wait()
	c.remove(id)
}

func ctrNoProgram(t *testing.T, c *containerd, r runtime) {
	c.fails("not found", c.args(r.runFlags("-d", imageName, "none1", "no-such-program")...)...)
	c.runCtr("task", "delete", "--force", "none1")
	c.runCtr("containers", "rm", "none1")
	c.mustCtr(r.runFlags("-d", imageName, "none2", "sleep", "1000")...)
	if got := c.runCtr("task", "exec", "--exec-id", "e1", "none2", "no-such-program"); got.code == 0 {
		t.Errorf("exec of a program that is not there: %v", got)
	}
	c.expect(0, "still", c.args("task", "exec", "--exec-id", "e2", "none2", "echo", "still")...)
	c.remove("none2")
}

func ctrRestart(t *testing.T, c *containerd, r runtime) {
	const id = "restart1"
	c.mustCtr(r.runFlags("-d", imageName, id, "sh", "-c", "trap 'exit 6' TERM; while :; do sleep 0.1; done")...)
	c.daemon.stop(syscall.SIGTERM)
	c.start()
	if s := c.status(id); s != "RUNNING" {
		t.Errorf("after a restart of containerd it is %s", s)
	}
	c.expect(0, "again", c.args("task", "exec", "--exec-id", "e1", id, "echo", "again")...)
	// Its end while containerd is away is known afterwards.
	c.daemon.stop(syscall.SIGKILL)
	root := filepath.Join(r.root, c.name)
	c.must(c.runsc, "--root", root, "kill", id, "TERM")
	c.eventually("it has ended", func() bool { return strings.Contains(c.must(c.runsc, "--root", root, "state", id), "stopped") })
	c.start()
	// containerd 2 takes a shim without processes for one that was forgotten, whosever
	// it is, and removes the task.
	c.eventually("it has stopped", func() bool { s := c.status(id); return s == "STOPPED" || s == "" })
	c.remove(id)
}

func ctrCheckpoint(t *testing.T, c *containerd, r runtime) {
	const id, image = "ck1", "docker.io/local/checkpoint:latest"
	c.mustCtr(r.runFlags("-d", imageName, id, "sh", "-c", "i=0; while :; do i=$((i + 1)); echo $i >/tmp/count; sleep 0.1; done")...)
	count := func(id string) int {
		got := c.runCtr("task", "exec", "--exec-id", "e"+strconv.Itoa(rand.Int()), id, "cat", "/tmp/count")
		n, _ := strconv.Atoi(strings.TrimSpace(got.stdout)) // between two writes it is empty
		return n
	}
	c.eventually("it counts", func() bool { return count(id) >= 10 })
	if got := c.runCtr("containers", "checkpoint", "--rw", "--image", "--task", id, image); got.code != 0 {
		t.Fatalf("checkpoint: %v", got)
	}
	c.remove(id)
	if got := c.runCtr("containers", "restore", "--rw", "--live", "ck2", image); got.code != 0 {
		t.Fatalf("restore: %v", got)
	}
	c.eventually("it counts on", func() bool { return count("ck2") > 10 })
	c.remove("ck2")
	c.mustCtr("images", "rm", image)
}
