package procfs

import (
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// mountNS is a process's view of its mounts.
type mountNS struct {
	*vfs.MountNamespace
}

// mountsFile makes the File of mounts, mountinfo or mountstats.
func mountsFile(text func(mountNS, vfs.Path) []byte) func(o *opening) (vfs.File, error) {
	return func(o *opening) (vfs.File, error) {
		t, err := o.task()
		if err != nil {
			return nil, err
		}
		ns := mountNS{t.Namespaces().Mount}
		if s := t.State(); s == 'Z' || s == 'X' || ns.MountNamespace == nil {
			return nil, linux.EINVAL
		}
		root, _, _ := t.FS().Get()
		f := &mountFile{ns: ns}
		f.o = o
		f.e = &entry{text: func(*opening) ([]byte, error) { return text(ns, root), nil }}
		f.seen.Store(ns.Event())
		return f, nil
	}
}

// A mountFile can be waited for: a change of the mounts is an error condition
// once (proc(5)).
type mountFile struct {
	textFile

	// immutable
	ns mountNS

	// atomic
	seen atomic.Uint64
}

// Readiness implements vfs.Poller.
func (f *mountFile) Readiness(mask wait.Events) wait.Events {
	ready := wait.In | wait.RdNorm
	if now := f.ns.Event(); f.seen.Swap(now) != now {
		ready |= wait.Err | wait.Pri
	}
	return ready & (mask | wait.Err)
}

// Queue implements vfs.Poller.
func (f *mountFile) Queue() *wait.Queue { return f.ns.Queue() }
