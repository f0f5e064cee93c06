package goferfs

import (
	"cordon/gofer/client"
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

const (
	// lookupTrips is how many round trips a listing may take that only saves
	// lookups.
	lookupTrips = 8
	// maxKept is the most names that a directory keeps.
	maxKept = 1 << 16
	// maxNames is the most names a directory may have.
	maxNames = 1 << 22
)

// An entry is a name in a listing.
type entry struct {
	name       string
	attr       client.Attr
	target     string
	gone       bool
	distrusted bool // attr may be older than what the Sentry did since
}

// A listing is all names of a directory. It is guarded by its Inode's mu.
// Positions stay: a name that goes leaves its place empty.
type listing struct {
	all   []entry
	index map[string]int
}

func (l *listing) add(e entry) {
	l.remove(e.name)
	l.index[e.name] = len(l.all)
	l.all = append(l.all, e)
}

func (l *listing) remove(name string) {
	if i, ok := l.index[name]; ok {
		l.all[i].gone = true
		delete(l.index, name)
	}
}

// distrust marks what the listing says of name as old.
func (in *Inode) distrust(name string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.names == nil {
		return
	}
	if i, ok := in.names.index[name]; ok {
		in.names.all[i].distrusted = true
	}
}

// list reads the directory, in at most trips round trips, and keeps the
// listing if the mount is exclusive. nil: there are too many names.
func (in *Inode) list(trips int) (*listing, error) {
	n, err := in.acquire()
	if err != nil {
		return nil, err
	}
	defer n.release()
	l := &listing{index: make(map[string]int)}
	var cookie uint64
	for end := false; !end; trips-- {
		if trips == 0 || len(l.all) > maxNames {
			in.mu.Lock()
			in.big = true
			in.mu.Unlock()
			return nil, nil
		}
		var some []client.Dirent
		some, end, err = n.node.Readdir(cookie)
		if err != nil {
			return nil, err
		}
		for i := range some {
			d := &some[i]
			cookie = d.Next
			if _, twice := l.index[d.Name]; !twice {
				l.add(entry{name: d.Name, attr: d.Attr, target: d.Target})
			}
		}
	}
	if !in.fs.shared && len(l.all) <= maxKept {
		in.mu.Lock()
		in.names = l
		in.mu.Unlock()
	}
	return l, nil
}

// dirFile is an open directory.
type dirFile struct {
	d    *Inode
	path vfs.Path

	// guarded by d.mu
	l *listing
}

// Release implements vfs.File.
func (x *dirFile) Release() {}

// Sync implements vfs.Syncer.
func (x *dirFile) Sync(dataOnly bool) error {
	n, err := x.d.acquire()
	if err != nil {
		return err
	}
	defer n.release()
	return n.node.Fsync(dataOnly)
}

// listing returns the names to list from off on: those of now at the start,
// the same as before later.
func (x *dirFile) listing(off int64) (*listing, error) {
	x.d.mu.Lock()
	l := x.l
	if off == 0 || l == nil {
		l = x.d.names
	}
	x.l = l
	x.d.mu.Unlock()
	if l != nil {
		return l, nil
	}
	l, err := x.d.list(maxNames)
	if err != nil {
		return nil, err
	}
	if l == nil {
		return nil, linux.ENOMEM
	}
	x.d.mu.Lock()
	x.l = l
	x.d.mu.Unlock()
	return l, nil
}

// ReadDir implements vfs.DirReader. Offsets are positions in the listing, after
// two for "." and "..".
func (x *dirFile) ReadDir(off int64, emit func(vfs.Dirent) bool) error {
	if off < 0 {
		return linux.EINVAL
	}
	if off == 0 && !emit(vfs.Dirent{Name: ".", Ino: x.d.ino, Type: uint8(linux.DT_DIR), Next: 1}) {
		return nil
	}
	if off <= 1 && !emit(vfs.Dirent{Name: "..", Ino: x.parentIno(), Type: uint8(linux.DT_DIR), Next: 2}) {
		return nil
	}
	l, err := x.listing(off)
	if err != nil {
		return err
	}
	for i := max(off-2, 0); ; i++ {
		x.d.mu.Lock()
		if i >= int64(len(l.all)) {
			x.d.mu.Unlock()
			return nil
		}
		e := l.all[i]
		x.d.mu.Unlock()
		if e.gone {
			continue
		}
		d := vfs.Dirent{Name: e.name, Ino: x.d.fs.ino(&e.attr), Type: uint8(e.attr.Mode.DirentType()), Next: i + 3}
		if !emit(d) {
			return nil
		}
	}
}

func (x *dirFile) parentIno() uint64 {
	if x.path.Dentry != nil {
		if p := inodeOf(x.path.Dentry.Parent().Inode()); p != nil {
			return p.ino
		}
	}
	return x.d.ino
}
