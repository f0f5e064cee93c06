package task

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/mm"
	"cordon/sentry/wait"
)

// loadStruct fills v from guest memory and reports whether it could.
func loadStruct[T any](m *mm.MemoryManager, addr uint64, v *T) bool {
	x, err := arg.LoadAt[T](m, addr)
	*v = x
	return err == nil
}

func channelEntry() (*wait.Entry, chan struct{}) { return wait.Channel(wait.All) }

// cloneNamespaces returns the namespaces a child gets.
func (t *Task) cloneNamespaces(f linux.CloneFlags) (*Namespaces, linux.Errno) {
	const made = linux.CLONE_NEWNS | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC
	if f&made == 0 {
		return t.ns, 0
	}
	if !t.Cred().Has(linux.CAP_SYS_ADMIN) {
		return nil, linux.EPERM
	}
	n := *t.ns
	if f&linux.CLONE_NEWUTS != 0 {
		n.UTS = n.UTS.Fork()
	}
	if f&linux.CLONE_NEWIPC != 0 {
		n.IPC = t.sys.NewIPC()
	}
	if f&linux.CLONE_NEWNS != 0 {
		n.Mount = n.Mount.Clone(t.Cred().UserNS)
	}
	return &n, 0
}

// Personality and SetPersonality are personality(2). Task-only.
func (t *Task) Personality() linux.Personality     { return t.personality }
func (t *Task) SetPersonality(p linux.Personality) { t.personality = p }
