package procfs

import (
	"fmt"
	"strconv"

	"cordon/internal/linux"
	"cordon/sentry/mm"
	"cordon/sentry/task"
)

// tickNS is a clock tick of USER_HZ, in which times are shown.
const tickNS = 10_000_000

// statNumbers are the fields of /proc/pid/stat from the fourth on.
type statNumbers []int64

func (n statNumbers) append(b []byte) []byte {
	for _, v := range n {
		b = append(b, ' ')
		b = strconv.AppendInt(b, v, 10)
	}
	return b
}

// statText is /proc/pid/stat (proc(5); Linux: fs/proc/array.c do_task_stat).
// The addresses are for those only who may look into the process.
func statText(o *opening) ([]byte, error) {
	t, err := o.task()
	if err != nil {
		return nil, err
	}
	g := t.Group()
	permitted := mayAccess(o.caller, o.cred, t)
	usage, reaped := t.Usage(), task.Usage{}
	if !o.p.thread {
		usage, reaped = g.Usage(), g.ChildrenUsage()
	}
	tty, foreground := terminal(g)
	pgid, sid := job(t)
	prio, nice := priority(t)
	exit := linux.SIGCHLD
	if o.p.id != g.ID() {
		exit = -1
	}
	b := fmt.Appendf(nil, "%d (%s) %c", o.fs.shown(o.p.id), t.Name(), t.State())
	n := statNumbers{
		int64(o.fs.shown(g.ParentID())), int64(o.fs.shown(pgid)), int64(o.fs.shown(sid)), tty, int64(o.fs.shown(int32(foreground))), kernelFlags(t),
		usage.MinorFaults, reaped.MinorFaults, 0, 0,
		usage.UserNS / tickNS, usage.SystemNS / tickNS, reaped.UserNS / tickNS, reaped.SystemNS / tickNS,
		prio, nice, int64(max(g.Count(), 1)), 0, (g.StartTime() + o.bootAhead()) / tickNS,
	}
	b = n.append(b)
	b = memoryFields(b, t, g, permitted)
	own, blocked, ignored, caught := signalSets(t)
	s := t.Sched()
	b = statNumbers{int64(own & 0x7fffffff), int64(blocked & 0x7fffffff), int64(ignored & 0x7fffffff), int64(caught & 0x7fffffff)}.append(b)
	b = statNumbers{0, 0, 0, int64(exit), int64(t.CPU()), int64(s.Priority), int64(s.Policy &^ linux.SCHED_RESET_ON_FORK), 0, 0, 0}.append(b)
	b = layoutFields(b, t, permitted)
	code := int64(0)
	if permitted && g.Exited() {
		code = int64(g.Status())
	}
	b = statNumbers{code}.append(b)
	return append(b, '\n'), nil
}

// kernelFlags are those of Linux's PF_* flags that say something here.
func kernelFlags(t *task.Task) int64 {
	const exiting, randomize = 0x4, 0x400000
	f := int64(0)
	if t.Personality()&linux.ADDR_NO_RANDOMIZE == 0 {
		f |= randomize
	}
	if t.MM() == nil {
		f |= exiting
	}
	return f
}

// memoryFields are fields 23 to 30: sizes, and where code and stack are.
func memoryFields(b []byte, t *task.Task, g *task.ThreadGroup, permitted bool) []byte {
	var size, rss, start, end, stack uint64
	withTaskMM(t, func(m *mm.MemoryManager) {
		s := m.Sizes()
		size, rss = s.Size, s.Pages.RSS()/pageSize
		start, end = 1, 1
		if permitted {
			l := m.Layout()
			start, end, stack = l.StartCode, l.EndCode, l.StartStack
		}
	})
	for _, v := range [...]uint64{size, rss, g.Limits().Soft(linux.RLIMIT_RSS), start, end, stack, 0, 0} {
		b = append(b, ' ')
		b = strconv.AppendUint(b, v, 10)
	}
	return b
}

// layoutFields are fields 45 to 51: where data, arguments and environment are.
func layoutFields(b []byte, t *task.Task, permitted bool) []byte {
	var l mm.Layout
	if permitted {
		withTaskMM(t, func(m *mm.MemoryManager) { l = m.Layout() })
	}
	for _, v := range [...]uint64{l.StartData, l.EndData, l.StartBrk, l.ArgStart, l.ArgEnd, l.EnvStart, l.EnvEnd} {
		b = append(b, ' ')
		b = strconv.AppendUint(b, v, 10)
	}
	return b
}

// terminal returns the session's terminal and its foreground group as stat
// shows them.
func terminal(g *task.ThreadGroup) (device, foreground int64) {
	tty := g.ControllingTTY()
	if tty == nil {
		return 0, -1
	}
	d := tty.Device()
	major, minor := linux.DevMajor(d), linux.DevMinor(d)
	return int64(minor&0xff | major<<8 | minor&^0xff<<12), int64(tty.ForegroundGroup())
}

// priority returns the kernel's priority and the nice value as stat shows them.
func priority(t *task.Task) (prio, nice int64) {
	s := t.Sched()
	nice = int64(s.Nice)
	switch s.Policy &^ linux.SCHED_RESET_ON_FORK {
	case linux.SCHED_FIFO, linux.SCHED_RR:
		return -1 - int64(s.Priority), nice
	case linux.SCHED_DEADLINE:
		return -101, nice
	}
	return 20 + nice, nice
}

// signalSets returns the sets of stat: pending for the thread, blocked, ignored
// and caught.
func signalSets(t *task.Task) (own, blocked, ignored, caught linux.SigSet) {
	own, _ = t.PendingSets()
	ignored, caught = t.Group().Actions().Sets()
	return own, t.Mask(), ignored, caught
}

// statmText is /proc/pid/statm.
func statmText(o *opening) ([]byte, error) {
	t, err := o.task()
	if err != nil {
		return nil, err
	}
	b := []byte(nil)
	withTaskMM(t, func(m *mm.MemoryManager) { b = m.AppendStatm(b) })
	if b == nil {
		b = []byte("0 0 0 0 0 0 0\n")
	}
	return b, nil
}

// schedstatText is the time on a CPU, the time waiting for one, and how often.
func schedstatText(o *opening) ([]byte, error) {
	t, err := o.task()
	if err != nil {
		return nil, err
	}
	u := t.Usage()
	return fmt.Appendf(nil, "%d 0 %d\n", u.UserNS+u.SystemNS, u.Voluntary+u.Involuntary), nil
}

// schedText is the part of /proc/pid/sched that says something here.
func schedText(o *opening) ([]byte, error) {
	t, err := o.task()
	if err != nil {
		return nil, err
	}
	u := t.Usage()
	prio, _ := priority(t)
	s := t.Sched()
	b := fmt.Appendf(nil, "%s (%d, #threads: %d)\n", t.Name(), o.p.id, t.Group().Count())
	for range len("-------------------------------------------------------------------") {
		b = append(b, '-')
	}
	ns := u.UserNS + u.SystemNS
	b = fmt.Appendf(b, "\n%-45s:%14d.%06d\n", "se.sum_exec_runtime", ns/1e6, ns%1e6)
	for _, l := range []struct {
		name string
		v    int64
	}{
		{"nr_switches", u.Voluntary + u.Involuntary}, {"nr_voluntary_switches", u.Voluntary},
		{"nr_involuntary_switches", u.Involuntary}, {"policy", int64(s.Policy &^ linux.SCHED_RESET_ON_FORK)}, {"prio", 100 + prio},
	} {
		b = fmt.Appendf(b, "%-45s:%21d\n", l.name, l.v)
	}
	return b, nil
}
