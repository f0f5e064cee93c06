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
// the start.
type dirFile struct {
	d    *Inode
	path vfs.Path

	mu lock.Mutex[lock.InodeData]

	// guarded by mu
	names []vfs.Dirent
	read  bool
}

// Release implements vfs.File.
func (x *dirFile) Release() {}

// Sync implements vfs.Syncer: names are in memory.
func (x *dirFile) Sync(bool) error { return nil }

// ReadDir implements vfs.DirReader.
func (x *dirFile) ReadDir(off int64, emit func(vfs.Dirent) bool) error {
	if off < 0 {
		return linux.EINVAL
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

// snapshot returns the names, taken anew if asked for or not taken yet.
func (x *dirFile) snapshot(anew bool) ([]vfs.Dirent, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.read && !anew {
		return x.names, nil
	}
	up := x.d.ino
	if x.path.Dentry != nil {
		if p := inodeOf(x.path.Dentry.Parent().Inode()); p != nil {
			up = p.ino
		}
	}
	names := []vfs.Dirent{
		{Name: ".", Ino: x.d.ino, Type: uint8(linux.DT_DIR)},
		{Name: "..", Ino: up, Type: uint8(linux.DT_DIR)},
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
