package task

import (
	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/vfs"
)

// An FSContext is a root, a working directory and an umask, shared by CLONE_FS.
type FSContext struct {
	mu lock.Mutex[lock.FSContext]
	// guarded by mu
	root, cwd vfs.Path
	umask     linux.FileMode
	users     int
}

// NewFSContext returns a context of one user. It takes references of its own
// on the paths.
func NewFSContext(root, cwd vfs.Path, umask linux.FileMode) *FSContext {
	root.IncRef()
	cwd.IncRef()
	return &FSContext{root: root, cwd: cwd, umask: umask, users: 1}
}

// Get returns what the context holds. The paths stay valid while the caller's
// task uses the context.
func (f *FSContext) Get() (root, cwd vfs.Path, umask linux.FileMode) {
	f.mu.Lock()
	root, cwd, umask = f.root, f.cwd, f.umask
	f.mu.Unlock()
	return root, cwd, umask
}

// SetUmask changes the umask and returns the old one.
func (f *FSContext) SetUmask(m linux.FileMode) linux.FileMode {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.umask
	f.umask = m & 0o777
	return old
}

// SetCwd makes p the working directory.
func (f *FSContext) SetCwd(p vfs.Path) { f.set(&f.cwd, p) }

// SetRoot makes p the root directory.
func (f *FSContext) SetRoot(p vfs.Path) { f.set(&f.root, p) }

func (f *FSContext) set(where *vfs.Path, p vfs.Path) {
	p.IncRef()
	f.mu.Lock()
	old := *where
	*where = p
	f.mu.Unlock()
	old.DecRef()
}

// Replace moves the root and the working directory from one place to another
// where they are there (pivot_root(2)).
func (f *FSContext) Replace(from, to vfs.Path) {
	root, cwd, _ := f.Get()
	if root == from {
		f.SetRoot(to)
	}
	if cwd == from {
		f.SetCwd(to)
	}
}

// Fork returns a copy of one user.
func (f *FSContext) Fork() *FSContext {
	root, cwd, umask := f.Get()
	return NewFSContext(root, cwd, umask)
}

// Share adds a user.
func (f *FSContext) Share() *FSContext {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users++
	return f
}

// Shared reports whether more than one task uses f.
func (f *FSContext) Shared() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.users > 1
}

// Drop ends one use.
func (f *FSContext) Drop() {
	f.mu.Lock()
	f.users--
	last := f.users == 0
	f.mu.Unlock()
	if last {
		f.root.DecRef()
		f.cwd.DecRef()
	}
}

// rebase changes the paths to what the copy of their mount namespace has in
// their place.
func (f *FSContext) rebase(clone func(paths ...*vfs.Path)) {
	f.mu.Lock()
	root, cwd := f.root, f.cwd
	clone(&f.root, &f.cwd)
	f.root.IncRef()
	f.cwd.IncRef()
	f.mu.Unlock()
	root.DecRef()
	cwd.DecRef()
}

// MoveRoots moves every task's root and working directory that is at from to to
// (pivot_root(2)).
func (s *System) MoveRoots(from, to vfs.Path) {
	for _, t := range s.Tasks() {
		if f := t.FS(); f != nil {
			f.Replace(from, to)
		}
	}
}
