package clients

import (
	"strings"
	"testing"
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
	} {
		t.Run(test.name, func(t *testing.T) {
			// Failures count where they happen.
			w := *c.world
			w.T = t
			mine := *c
			mine.world = &w
			test.run(t, &mine, r)
			if !t.Failed() {
				mine.noContainers()
			}
		})
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
	if got := c.runCtr(r.runFlags("--rm", imageName, "run4", "sh", "-c", "echo out; echo err >&2")...); got.stdout != "out\n" || got.stderr != "err\n" {
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
	if m := c.mustCtr("task", "metrics", id); !strings.Contains(m, "memory") {
		t.Errorf("its metrics: %s", m)
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
