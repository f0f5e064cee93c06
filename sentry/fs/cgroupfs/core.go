package cgroupfs

import (
	"fmt"
	"strconv"
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/cgroup"
	"cordon/sentry/task"
)

// setType takes what the group is already.
func setType(_ *writer, _ *cgroup.Group, s string) error {
	if s == "threaded" {
		return linux.EOPNOTSUPP
	}
	return linux.EINVAL
}

func readProcs(s *task.System, g *cgroup.Group) ([]byte, error) {
	var out []byte
	for _, p := range s.CgroupProcesses(g, false) {
		out = fmt.Appendln(out, p.ID())
	}
	return out, nil
}

func readThreads(s *task.System, g *cgroup.Group) ([]byte, error) {
	var out []byte
	for _, t := range s.CgroupThreads(g) {
		out = fmt.Appendln(out, t.TID())
	}
	return out, nil
}

// readProcsFor lists the processes by the reader's numbers; those of other PID
// namespaces are 0, as in Linux.
func readProcsFor(t *task.Task, g *cgroup.Group) ([]byte, error) {
	var out []byte
	for _, p := range t.System().CgroupProcesses(g, false) {
		out = fmt.Appendln(out, t.FromRootPID(p.ID()))
	}
	return out, nil
}

func readThreadsFor(t *task.Task, g *cgroup.Group) ([]byte, error) {
	var out []byte
	for _, o := range t.System().CgroupThreads(g) {
		out = fmt.Appendln(out, t.FromRootPID(o.TID()))
	}
	return out, nil
}

// writeProcs moves a process, 0 being the writer's (Linux:
// kernel/cgroup/cgroup.c __cgroup_procs_write).
func writeProcs(w *writer, g *cgroup.Group, s string) error {
	t, err := w.find(s)
	if err != nil {
		return err
	}
	if err := w.mayMove(t.Group().Cgroup(), g); err != nil {
		return err
	}
	return result(w.sys.MoveToCgroup(t.Group(), g))
}

// writeThreads moves a thread: it cannot leave its process.
func writeThreads(w *writer, g *cgroup.Group, s string) error {
	t, err := w.find(s)
	if err != nil {
		return err
	}
	from := t.Group().Cgroup()
	if err := w.mayMove(from, g); err != nil {
		return err
	}
	if from != g {
		return linux.EOPNOTSUPP
	}
	return nil
}

func result(e linux.Errno) error {
	if e != 0 {
		return e
	}
	return nil
}

// find returns the task that a written id means.
func (w *writer) find(s string) (*task.Task, error) {
	id, err := strconv.ParseInt(s, 10, 32)
	if err != nil || id < 0 {
		return nil, linux.EINVAL
	}
	if id == 0 {
		if w.t == nil {
			return nil, linux.ESRCH
		}
		return w.t, nil
	}
	if w.t != nil {
		id = int64(w.t.ToRootPID(int32(id)))
	}
	t := w.sys.Task(int32(id))
	if t == nil {
		return nil, linux.ESRCH
	}
	return t, nil
}

func (w *writer) mayMove(from, to *cgroup.Group) error {
	if w.t == nil {
		return nil
	}
	return MayMove(w.t, from, to)
}

// MayMove checks that t may move something from one group to another: it is the
// right to write the cgroup.procs of the group above both.
func MayMove(t *task.Task, from, to *cgroup.Group) error {
	above := from
	for !to.Within(above) {
		above = above.Parent()
	}
	a, _ := above.Attr("cgroup.procs")
	mode := linux.FileMode(both)
	if a.HasMode {
		mode = a.Mode
	}
	c := t.Cred()
	switch {
	case c.HasRoot(linux.CAP_DAC_OVERRIDE):
	case c.FSUID == a.UID && mode&0o200 != 0:
	case c.FSUID != a.UID && c.InGroup(a.GID) && mode&0o020 != 0:
	case c.FSUID != a.UID && !c.InGroup(a.GID) && mode&0o002 != 0:
	default:
		return linux.EACCES
	}
	if root := t.CgroupRoot(); !from.Within(root) || !to.Within(root) {
		return linux.ENOENT
	}
	return nil
}

func writeSubtree(_ *writer, g *cgroup.Group, s string) error {
	var on, off cgroup.Controllers
	for f := range strings.FieldsSeq(s) {
		c, known := cgroup.Parse(f[1:])
		if !known {
			return linux.EINVAL
		}
		switch f[0] {
		case '+':
			on, off = on|c, off&^c
		case '-':
			on, off = on&^c, off|c
		default:
			return linux.EINVAL
		}
	}
	return result(g.SetSubtree(on, off))
}

func readEvents(s *task.System, g *cgroup.Group) ([]byte, error) {
	number := map[bool]int{true: 1}
	return fmt.Appendf(nil, "populated %d\nfrozen %d\n", number[g.Populated()], number[s.CgroupFrozen(g)]), nil
}

func readStat(_ *task.System, g *cgroup.Group) ([]byte, error) {
	return fmt.Appendf(nil, "nr_descendants %d\nnr_dying_descendants 0\n", len(g.Descendants())-1), nil
}

func writeKill(w *writer, g *cgroup.Group, s string) error {
	on, err := parseFlag(s)
	if err != nil {
		return err
	}
	if !on {
		return linux.ERANGE
	}
	w.sys.KillCgroup(g)
	return nil
}

func writePIDsMax(_ *writer, g *cgroup.Group, s string) error {
	if s == "max" {
		g.SetMaxTasks(cgroup.NoLimit)
		return nil
	}
	n, err := strconv.ParseInt(s, 0, 64)
	if err != nil || n < 0 || n > task.MaxPID {
		return linux.EINVAL
	}
	g.SetMaxTasks(n)
	return nil
}
