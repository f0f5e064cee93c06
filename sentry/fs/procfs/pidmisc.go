package procfs

import (
	"bytes"
	"fmt"
	"strconv"

	"cordon/internal/linux"
	"cordon/sentry/mm"
	"cordon/sentry/task"
)

func commText(o *opening) ([]byte, error) {
	t, err := o.task()
	if err != nil {
		return nil, err
	}
	return append(appendComm(nil, t.Name()), '\n'), nil
}

// writeComm renames a thread of the writer's own process.
func writeComm(o *opening, b []byte) error {
	t, err := o.task()
	if err != nil {
		return err
	}
	if o.caller == nil || o.caller.Group() != t.Group() {
		return linux.EINVAL
	}
	name := trimNewline(b)
	if i := bytes.IndexByte(name, 0); i >= 0 {
		name = name[:i]
	}
	t.SetName(string(name))
	return nil
}

func personalityText(o *opening) ([]byte, error) {
	t, err := o.task()
	if err != nil {
		return nil, err
	}
	if !mayAccess(o.caller, o.cred, t) {
		return nil, linux.EPERM
	}
	return fmt.Appendf(nil, "%08x\n", uint32(t.Personality())), nil
}

// syscallText says which call the task sleeps in. Its arguments are read while
// it sleeps; one that runs has none to show.
func syscallText(o *opening) ([]byte, error) {
	t, err := o.task()
	if err != nil {
		return nil, err
	}
	if !mayAccess(o.caller, o.cred, t) {
		return nil, linux.EPERM
	}
	nr := t.CurrentCall()
	if t.State() != 'S' && t != o.caller {
		return []byte("running\n"), nil
	}
	r := t.Regs()
	if nr < 0 {
		return fmt.Appendf(nil, "-1 0x%x 0x%x\n", r.RSP, r.RIP), nil
	}
	a := r.SyscallArgs()
	return fmt.Appendf(nil, "%d 0x%x 0x%x 0x%x 0x%x 0x%x 0x%x 0x%x 0x%x\n",
		nr, a[0], a[1], a[2], a[3], a[4], a[5], r.RSP, r.RIP), nil
}

func cgroupText(o *opening) ([]byte, error) {
	t, err := o.task()
	if err != nil {
		return nil, err
	}
	at := "/"
	if f := o.fs.options.Cgroup; f != nil {
		from := o.fs.sys.Cgroups.Root()
		if o.caller != nil {
			from = o.caller.CgroupRoot()
		}
		at = f(from, t)
	}
	return []byte("0::" + at + "\n"), nil
}

// Bounds of oom_score_adj, and of oom_adj, its older form.
const (
	oomAdjMax    = 1000
	oomOldMax    = 15
	oomOldNever  = -17
	oomScoreBase = 1000
)

// oomScoreText is how bad a choice the task would not be: memory as a share of
// the whole, from 0 to about 2000 * 2/3 (Linux: mm/oom_kill.c oom_badness).
func oomScoreText(o *opening) ([]byte, error) {
	t, err := o.task()
	if err != nil {
		return nil, err
	}
	adj := int64(t.Group().OOMScoreAdj().Load())
	score := int64(0)
	if total := int64(o.fs.sys.MemoryTotal() / pageSize); adj != -oomAdjMax && total > 0 {
		withTaskMM(t, func(m *mm.MemoryManager) {
			s := m.Sizes()
			points := int64((s.Pages.RSS()+s.PageTables)/pageSize) + adj*total/oomScoreBase
			score = max(0, (oomScoreBase+points*oomScoreBase/total)*2/3)
		})
	}
	return fmt.Appendf(nil, "%d\n", score), nil
}

func oomScoreAdjText(o *opening) ([]byte, error) {
	t, err := o.task()
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%d\n", t.Group().OOMScoreAdj().Load()), nil
}

func oomAdjText(o *opening) ([]byte, error) {
	t, err := o.task()
	if err != nil {
		return nil, err
	}
	adj := t.Group().OOMScoreAdj().Load()
	old := adj * -oomOldNever / oomAdjMax
	if adj == oomAdjMax {
		old = oomOldMax
	}
	return fmt.Appendf(nil, "%d\n", min(old, oomOldMax)), nil
}

func writeOOMScoreAdj(o *opening, b []byte) error {
	v, err := number(b)
	if err != nil {
		return err
	}
	if v < -oomAdjMax || v > oomAdjMax {
		return linux.EINVAL
	}
	t, err := o.task()
	if err != nil {
		return err
	}
	g := t.Group()
	privileged := o.cred.HasRoot(linux.CAP_SYS_RESOURCE)
	if int32(v) < g.OOMScoreAdjMin().Load() && !privileged {
		return linux.EACCES
	}
	g.OOMScoreAdj().Store(int32(v))
	if privileged {
		g.OOMScoreAdjMin().Store(int32(v))
	}
	return nil
}

// writeOOMAdj is of the older form, which needs the capability to lower the adjustment at all.
func writeOOMAdj(o *opening, b []byte) error {
	v, err := number(b)
	if err != nil {
		return err
	}
	if (v < -16 || v > oomOldMax) && v != oomOldNever {
		return linux.EINVAL
	}
	adj := v * oomAdjMax / -oomOldNever
	if v == oomOldMax {
		adj = oomAdjMax
	}
	t, err := o.task()
	if err != nil {
		return err
	}
	have := t.Group().OOMScoreAdj()
	if int32(adj) < have.Load() && !o.cred.HasRoot(linux.CAP_SYS_RESOURCE) {
		return linux.EACCES
	}
	have.Store(int32(adj))
	return nil
}

// number reads the decimal, octal or hexadecimal number that was written.
func number(b []byte) (int64, error) {
	b, _, _ = bytes.Cut(b, []byte{0}) // as in Linux, it is a C string
	s := string(bytes.TrimSpace(b))
	v, err := strconv.ParseInt(s, 0, 64)
	if err != nil || s == "" {
		return 0, linux.EINVAL
	}
	return v, nil
}

// childrenText lists the children. cordon records which process made them, so
// the main thread's file has all.
func childrenText(o *opening) ([]byte, error) {
	t, err := o.task()
	if err != nil {
		return nil, err
	}
	var b []byte
	if t == t.Group().Leader() {
		for _, id := range t.Group().Children() {
			b = fmt.Appendf(b, "%d ", o.fs.shown(id))
		}
	}
	return b, nil
}

// defaultCoredump is the default of coredump_filter: no file-backed memory but
// ELF headers.
const defaultCoredump = 0x33

func coredumpText(o *opening) (b []byte, err error) {
	t, err := o.task()
	if err != nil {
		return nil, err
	}
	if t.MM() == nil {
		return nil, nil
	}
	return fmt.Appendf(nil, "%08x\n", defaultCoredump), nil
}

// writeCoredump takes only the default: no other cores are written.
func writeCoredump(o *opening, b []byte) error {
	v, err := strconv.ParseUint(string(bytes.TrimSpace(b)), 0, 32)
	if err != nil || v != defaultCoredump {
		return linux.EINVAL
	}
	return nil
}

// writeClearRefs refuses: which pages were referenced is not recorded.
func writeClearRefs(*opening, []byte) error { return linux.EINVAL }

func timerSlackText(o *opening) ([]byte, error) {
	t, err := o.slackTask()
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%d\n", t.TimerSlack()), nil
}

func writeTimerSlack(o *opening, b []byte) error {
	v, err := strconv.ParseUint(string(bytes.TrimSpace(b)), 0, 64)
	if err != nil {
		return linux.EINVAL
	}
	t, err := o.slackTask()
	if err != nil {
		return err
	}
	if t != o.caller {
		return linux.EPERM // only a task itself may change its own
	}
	t.SetTimerSlack(v)
	return nil
}

func (o *opening) slackTask() (*task.Task, error) {
	t, err := o.task()
	if err != nil {
		return nil, err
	}
	if t != o.caller && !o.cred.Has(linux.CAP_SYS_NICE) {
		return nil, linux.EPERM
	}
	return t, nil
}
