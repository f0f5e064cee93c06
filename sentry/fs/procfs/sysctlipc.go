package procfs

import (
	"strconv"
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/ipc"
	"cordon/sentry/task"
)

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
