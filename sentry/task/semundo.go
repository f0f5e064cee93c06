package task

import "cordon/sentry/ipc"

// SemUndo returns what t has to give back of semaphores at its end, for an
// operation with SEM_UNDO or to be shared. Task-only.
func (t *Task) SemUndo() *ipc.Undo {
	u := t.undo.Load()
	if u == nil {
		u = ipc.NewUndo()
		t.undo.Store(u)
	}
	return u
}

// SharesSemUndo reports whether t gives semaphores back together with o, or neither has
// any to give (kcmp(2)).
func (t *Task) SharesSemUndo(o *Task) bool { return t.undo.Load() == o.undo.Load() }

// dropUndo ends t's part in its Undo: at its end, or as it leaves the
// namespace of the semaphores.
func (t *Task) dropUndo() {
	if u := t.undo.Load(); u != nil {
		u.DecRef(t.IPCCaller())
		t.undo.Store(nil)
	}
}

// leaveIPC ends t's part in its IPC namespace.
func (t *Task) leaveIPC() {
	t.dropUndo()
	if ns := t.Namespaces().ipc(); ns != nil {
		ns.ShmLeft(t.TID())
	}
}

// IPCCaller returns t as the one that makes an IPC call.
func (t *Task) IPCCaller() *ipc.Caller {
	c := &ipc.Caller{Cred: t.Cred(), PID: t.PID(), Maker: t.TID(), Now: t.sys.Clocks.Realtime.Now() / 1e9}
	if ns := t.Namespaces().ipc(); ns != nil {
		_, _, c.User = ns.Owner()
	}
	return c
}
