package cgroup

import (
	"testing"

	"cordon/checkpoint"
	"cordon/internal/linux"
)

func mustMake(t *testing.T, g *Group, name string) *Group {
	t.Helper()
	c, e := g.Make(name, 0, 0, 0o755)
	if e != 0 {
		t.Fatalf("%s: %v", name, e)
	}
	return c
}

func TestTree(t *testing.T) {
	root := New().Root()
	c := mustMake(t, root, "c")
	a := mustMake(t, c, "a")
	b := mustMake(t, a, "b")
	for _, x := range []struct {
		g, from *Group
		want    string
	}{{b, root, "/c/a/b"}, {b, c, "/a/b"}, {c, c, "/"}, {c, b, "/../.."}, {root, c, "/.."}} {
		if got := x.g.Path(x.from); got != x.want {
			t.Errorf("%s, not %s", got, x.want)
		}
	}
	if _, e := a.Make("b", 0, 0, 0); e != linux.EEXIST {
		t.Errorf("a second b: %v", e)
	}
	if e := a.Remove(); e != linux.EBUSY {
		t.Errorf("removing a with a child: %v", e)
	}
	b.AddProcess(1)
	if e := b.Remove(); e != linux.EBUSY || !c.Populated() {
		t.Errorf("removing b with a process: %v", e)
	}
	b.AddProcess(-1)
	b.ChargeFiles(5)
	b.AddTime(1, 2)
	if e := b.Remove(); e != 0 || !b.Removed() || a.Files() != 5 {
		t.Errorf("removing b: %v, %d bytes are left to its parent", e, a.Files())
	}
	b.ChargeFiles(-5)
	if user, system := c.GoneTime(); a.Files() != 0 || user != 1 || system != 2 {
		t.Errorf("after b: %d bytes, times %d %d", a.Files(), user, system)
	}
	a.SetMaxDepth(1)
	d := mustMake(t, a, "d")
	if _, e := d.Make("e", 0, 0, 0); e != linux.EAGAIN {
		t.Errorf("too deep: %v", e)
	}
	c.SetMaxDescendants(2)
	if _, e := c.Make("e", 0, 0, 0); e != linux.EAGAIN {
		t.Errorf("too many: %v", e)
	}
}

func TestControllers(t *testing.T) {
	c := mustMake(t, New().Root(), "c")
	a := mustMake(t, c, "a")
	if c.Controllers() != All || a.Controllers() != 0 || All.String() != "cpuset cpu memory pids" {
		t.Errorf("%v, %v", c.Controllers(), a.Controllers())
	}
	if e := a.SetSubtree(PIDs, 0); e != linux.ENOENT {
		t.Errorf("what the parent has not switched on: %v", e)
	}
	c.AddProcess(1)
	if e := c.SetSubtree(Memory, 0); e != linux.EBUSY {
		t.Errorf("memory, with processes: %v", e)
	}
	if e := c.SetSubtree(PIDs|CPU, 0); e != 0 {
		t.Errorf("controllers of threads, with processes: %v", e)
	}
	c.AddProcess(-1)
	if e := c.SetSubtree(Memory, CPU); e != 0 || c.Subtree() != Memory|PIDs {
		t.Errorf("%v, %v", e, c.Subtree())
	}
	if e := c.MayHost(); e != linux.EBUSY {
		t.Errorf("an inner group takes processes: %v", e)
	}
	if e := a.SetSubtree(PIDs, 0); e != 0 {
		t.Error(e)
	}
	if e := c.SetSubtree(0, PIDs); e != linux.EBUSY {
		t.Errorf("off, while a child uses it: %v", e)
	}
}

func TestTasksAreBounded(t *testing.T) {
	c := mustMake(t, New().Root(), "c")
	a := mustMake(t, c, "a")
	c.SetMaxTasks(2)
	for range 2 {
		if e := a.AddTask(); e != 0 {
			t.Fatal(e)
		}
	}
	if e := a.AddTask(); e != linux.EAGAIN {
		t.Errorf("one too many: %v", e)
	}
	if n := a.Tasks(); n.Now != 2 || n.Peak != 2 || n.Refused != 0 {
		t.Errorf("a: %+v", n)
	}
	if n := c.Tasks(); n.Now != 2 || n.Refused != 1 || n.Refuse != 1 {
		t.Errorf("c: %+v", n)
	}
	a.MoveTasks(-2)
	if n := c.Tasks(); n.Now != 0 || n.Peak != 2 {
		t.Errorf("c, empty: %+v", n)
	}
}

func TestFreezeSpreads(t *testing.T) {
	c := mustMake(t, New().Root(), "c")
	a := mustMake(t, c, "a")
	c.SetFreeze(true)
	b := mustMake(t, a, "b")
	if !a.Frozen() || !b.Frozen() || a.Freeze() {
		t.Error("a frozen group's descendants are not")
	}
	b.SetFreeze(true)
	c.SetFreeze(false)
	if a.Frozen() || !b.Frozen() || !b.Held() {
		t.Error("thawed wrongly")
	}
}

func TestImageCoversState(t *testing.T) {
	again := "counted again"
	for _, err := range []error{
		checkpoint.CheckCovered[Hierarchy, HierarchyImage](map[string]string{"mu": "a lock"}),
		checkpoint.CheckCovered[Group, GroupImage](map[string]string{"processes": again, "populated": again, "throttled": "a new period begins", "slowed": "likewise", "signals": "who waits looks anew",
			"memory": "Limits, OOMGroup, Files, Peak, Events, Local", "cpu": "Weight, Idle, Outside, Quota, Period, Burst, Gone, Throttling",
			"maxDescendants": "MaxBelow", "loaded": "of a restore"}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}
