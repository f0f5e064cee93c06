package overlay

import (
	"maps"
	"slices"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/vfs"
)

// merge calls fn with the names of in that lower layers have and nothing
// hides, then with those made here, sorted, until fn returns false.
func (in *Inode) merge(fn func(vfs.Dirent) bool) error {
	in.mu.Lock()
	changes := maps.Clone(in.changes)
	in.mu.Unlock()
	seen := map[string]bool{}
	more := true
	for _, b := range in.below {
		f, err := b.inode.Open(nil, vfs.Path{}, linux.O_RDONLY|linux.O_DIRECTORY)
		if err != nil {
			return err
		}
		r, ok := f.(vfs.DirReader)
		if !ok {
			f.Release()
			return linux.ENOTDIR
		}
		several := len(in.below) > 1
		err = r.ReadDir(0, func(e vfs.Dirent) bool {
			if e.Name == "." || e.Name == ".." || seen[e.Name] {
				return true
			}
			if several {
				seen[e.Name] = true
			}
			if _, changed := changes[e.Name]; changed {
				return true
			}
			if several && e.Type == uint8(linux.DT_CHR) && in.hidden(e.Name) {
				return true
			}
			e.Ino = inoOf(e.Ino, b.layer)
			more = fn(e)
			return more
		})
		f.Release()
		if err != nil || !more {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		if c := changes[name].in; c != nil {
			if !fn(vfs.Dirent{Name: name, Ino: c.ino, Type: uint8(c.kind.DirentType())}) {
				return nil
			}
		}
	}
	return nil
}

// hidden reports whether a lower layer has a whiteout for name.
func (in *Inode) hidden(name string) bool {
	_, _, err := in.lookupBelow(name)
	return err == error(linux.ENOENT)
}

func (in *Inode) empty() (bool, error) {
	empty := true
	err := in.merge(func(vfs.Dirent) bool {
		empty = false
		return false
	})
	return empty, err
}

// dirFile is an open directory: the names it had when it was last read from
// the start. Where nothing differs from a single lower layer, that layer has
// them.
type dirFile struct {
	d    *Inode
	path vfs.Path

	mu lock.Mutex[lock.InodeData]

	// guarded by mu
	names []vfs.Dirent
	read  bool
	lower vfs.DirReader // instead of names
}

// Release implements vfs.File.
func (x *dirFile) Release() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dropLowerLocked()
}

func (x *dirFile) dropLowerLocked() {
	if f, ok := x.lower.(vfs.File); ok {
		f.Release()
	}
	x.lower = nil
}

// Sync implements vfs.Syncer: names are in memory.
func (x *dirFile) Sync(bool) error { return nil }

// InMemory implements vfs.InMemory.
func (x *dirFile) InMemory() {}

// ReadDir implements vfs.DirReader.
func (x *dirFile) ReadDir(off int64, emit func(vfs.Dirent) bool) error {
	if off < 0 {
		return linux.EINVAL
	}
	lower, err := x.same(off == 0)
	if err != nil {
		return err
	}
	if lower != nil {
		return x.readLower(lower, off, emit)
	}
	names, err := x.snapshot(off == 0)
	if err != nil {
		return err
	}
	for i := off; i < int64(len(names)); i++ {
		e := names[i]
		e.Next = i + 1
		if !emit(e) {
			return nil
		}
	}
	return nil
}

// same returns the lower directory if its names are x's.
func (x *dirFile) same(anew bool) (vfs.DirReader, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !anew {
		return x.lower, nil
	}
	x.dropLowerLocked()
	x.d.mu.Lock()
	differs := len(x.d.changes) > 0
	x.d.mu.Unlock()
	if differs || len(x.d.below) != 1 {
		return nil, nil
	}
	f, err := x.d.below[0].inode.Open(nil, vfs.Path{}, linux.O_RDONLY|linux.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	r, ok := f.(vfs.DirReader)
	if !ok {
		f.Release()
		return nil, linux.ENOTDIR
	}
	x.lower, x.names, x.read = r, nil, false
	return r, nil
}

// readLower is ReadDir from the lower directory.
func (x *dirFile) readLower(lower vfs.DirReader, off int64, emit func(vfs.Dirent) bool) error {
	layer := x.d.below[0].layer
	if t, ok := lower.(vfs.TailReader); ok && layer == 0 {
		return x.readTail(t, off, emit)
	}
	return lower.ReadDir(off, func(e vfs.Dirent) bool {
		if e.Name == ".." {
			e.Ino = x.parentIno()
		} else {
			e.Ino = inoOf(e.Ino, layer)
		}
		return emit(e)
	})
}

// readTail is readLower where nothing but the numbers of "." and ".." differs.
func (x *dirFile) readTail(lower vfs.TailReader, off int64, emit func(vfs.Dirent) bool) error {
	if off == 0 && !emit(vfs.Dirent{Name: ".", Ino: x.d.ino, Type: uint8(linux.DT_DIR), Next: 1}) {
		return nil
	}
	if off <= 1 && !emit(vfs.Dirent{Name: "..", Ino: x.parentIno(), Type: uint8(linux.DT_DIR), Next: 2}) {
		return nil
	}
	return lower.ReadTail(max(off, 2), emit)
}

func (x *dirFile) parentIno() uint64 {
	if x.path.Dentry != nil {
		if p := inodeOf(x.path.Dentry.Parent().Inode()); p != nil {
			return p.ino
		}
	}
	return x.d.ino
}

// snapshot returns the names, taken anew if asked for or not taken yet.
func (x *dirFile) snapshot(anew bool) ([]vfs.Dirent, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.read && !anew {
		return x.names, nil
	}
	names := []vfs.Dirent{
		{Name: ".", Ino: x.d.ino, Type: uint8(linux.DT_DIR)},
		{Name: "..", Ino: x.parentIno(), Type: uint8(linux.DT_DIR)},
	}
	err := x.d.merge(func(e vfs.Dirent) bool {
		names = append(names, e)
		return true
	})
	if err != nil {
		return nil, err
	}
	x.names, x.read = names, true
	return names, nil
}
