package procfs

import (
	"strconv"
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/ipc"
	"cordon/sentry/task"
)

// ipcSysctls are the limits of the caller's IPC namespace.
func (sh *shared) ipcSysctls() []Sysctl {
	row := func(name string, limits ...ipc.Limit) Sysctl {
		return Sysctl{
			Path: "kernel/" + name, Mode: 0o644, ByWriter: true,
			Get: func(t *task.Task) string { return sh.ipcLimits(t, limits) },
			Set: func(t *task.Task, v string) linux.Errno { return sh.setIPCLimits(t, limits, v) },
		}
	}
	queues := func(name string, l ipc.Limit) Sysctl {
		s := row(name, l)
		s.Path, s.ByWriter = "fs/mqueue/"+name, false
		return s
	}
	most := queues("queues_max", ipc.MQQueuesMax)
	most.Set = func(t *task.Task, v string) linux.Errno {
		if n, err := strconv.ParseInt(strings.TrimSpace(v), 0, 32); err == nil && n < 0 {
			v = strconv.FormatUint(uint64(uint32(n)), 10) // as in Linux any number will do
		}
		return sh.setIPCLimits(t, []ipc.Limit{ipc.MQQueuesMax}, v)
	}
	return []Sysctl{
		most, queues("msg_max", ipc.MQMsgMax), queues("msgsize_max", ipc.MQMsgSizeMax),
		queues("msg_default", ipc.MQMsgDefault), queues("msgsize_default", ipc.MQMsgSizeDefault),
		row("msgmax", ipc.MsgMax), row("msgmnb", ipc.MsgMNB), row("msgmni", ipc.MsgMNI),
		row("sem", ipc.SemMSL, ipc.SemMNS, ipc.SemOPM, ipc.SemMNI),
		row("shmmax", ipc.ShmMax), row("shmall", ipc.ShmAll), row("shmmni", ipc.ShmMNI),
		{Path: "kernel/shm_rmid_forced", Mode: 0o644, ByWriter: true, Get: sh.shmRmidForced, Set: sh.setShmRmidForced},
	}
}

// ipcOf returns the IPC namespace that t sees, nil for none; the kernel sees the first
// process's.
func (sh *shared) ipcOf(t *task.Task) *ipc.Namespace {
	if t == nil {
		if g := sh.sys.InitGroup(); g != nil {
			t = g.Leader()
		}
	}
	if t == nil || t.Namespaces() == nil {
		return nil
	}
	ns, _ := t.Namespaces().IPC.(*ipc.Namespace)
	return ns
}

func (sh *shared) ipcLimits(t *task.Task, limits []ipc.Limit) string {
	ns := sh.ipcOf(t)
	if ns == nil {
		return ""
	}
	var out []string
	for _, l := range limits {
		out = append(out, strconv.FormatUint(ns.Limit(l), 10))
	}
	return strings.Join(out, "\t")
}

// setIPCLimits takes as many numbers as there are, from the first on (Linux:
// proc_dointvec).
func (sh *shared) setIPCLimits(t *task.Task, limits []ipc.Limit, v string) linux.Errno {
	ns, words := sh.ipcOf(t), strings.Fields(v)
	if ns == nil || len(words) == 0 {
		return linux.EINVAL
	}
	for i, l := range limits[:min(len(limits), len(words))] {
		n, err := strconv.ParseUint(words[i], 0, 64)
		if err != nil {
			return linux.EINVAL
		}
		if e := ns.SetLimit(l, n); e != 0 {
			return e
		}
	}
	return 0
}

func (sh *shared) shmRmidForced(t *task.Task) string {
	if ns := sh.ipcOf(t); ns != nil && ns.ShmRmidForced() {
		return "1"
	}
	return "0"
}

func (sh *shared) setShmRmidForced(t *task.Task, s string) linux.Errno {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 0, 32)
	ns := sh.ipcOf(t)
	if err != nil || n < 0 || n > 1 || ns == nil {
		return linux.EINVAL
	}
	ns.SetShmRmidForced(n == 1)
	return 0
}
