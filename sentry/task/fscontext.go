package task

import (
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/vfs"
)

// An FSContext is a root, a working directory and an umask, shared by CLONE_FS.
type FSContext struct {
	mu lock.Mutex[lock.FSContext]
	// guarded by mu
	users int

	// atomic, replaced with mu held: every path that is walked asks for it
	places atomic.Pointer[places]
}

// places are what an FSContext holds at a time. They are never changed.
type places struct {
	root, cwd vfs.Path
	umask     linux.FileMode
}

// NewFSContext returns a context of one user. It takes references of its own
// on the paths.
func NewFSContext(root, cwd vfs.Path, umask linux.FileMode) *FSContext {
	root.IncRef()
	cwd.IncRef()
	f := &FSContext{users: 1}
	f.places.Store(&places{root, cwd, umask})
	return f
}

// Get returns what the context holds. The paths stay valid while the caller's
// task uses the context.
func (f *FSContext) Get() (root, cwd vfs.Path, umask linux.FileMode) {
	p := f.places.Load()
	return p.root, p.cwd, p.umask
}

// change replaces the places by what set makes of them, and returns the old
// ones.
func (f *FSContext) change(set func(places) places) *places {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.places.Load()
	if p := set(*old); p != *old {
		own := p // on the heap only here
		f.places.Store(&own)
	}
	return old
}

// SetUmask changes the umask and returns the old one.
func (f *FSContext) SetUmask(m linux.FileMode) linux.FileMode {
	return f.change(func(p places) places { p.umask = m & 0o777; return p }).umask
}

// SetCwd makes p the working directory.
func (f *FSContext) SetCwd(p vfs.Path) {
	p.IncRef()
	f.change(func(to places) places { to.cwd = p; return to }).cwd.DecRef()
}

// SetRoot makes p the root directory.
func (f *FSContext) SetRoot(p vfs.Path) {
	p.IncRef()
	f.change(func(to places) places { to.root = p; return to }).root.DecRef()
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
		p := f.places.Load()
		p.root.DecRef()
		p.cwd.DecRef()
	}
}

// rebase changes the paths to what the copy of their mount namespace has in
// their place.
func (f *FSContext) rebase(clone func(paths ...*vfs.Path)) {
	old := f.change(func(p places) places {
		clone(&p.root, &p.cwd)
		p.root.IncRef()
		p.cwd.IncRef()
		return p
	})
	old.root.DecRef()
	old.cwd.DecRef()
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
