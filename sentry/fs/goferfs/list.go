package goferfs

import (
	"slices"
	"sync/atomic"

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
	attr       packedAttr
	more       *more // what few entries have
	gone       bool
	distrusted bool // attr may be older than what the Sentry did since
}

// more is the part of an entry that few need.
type more struct {
	target string       // of a symbolic link
	full   *client.Attr // where attr cannot say it
	below  *listing     // of a directory that has no Inode yet
}

func newEntry(name string, a *client.Attr, target string, host uint64) entry {
	e := entry{name: name}
	var full *client.Attr
	e.attr, full = pack(a, host)
	if target != "" || full != nil {
		e.more = &more{target: target, full: full}
	}
	return e
}

// unpack returns the attributes of an inode of the root's device host.
func (e *entry) unpack(host uint64) client.Attr {
	if e.more != nil && e.more.full != nil {
		return *e.more.full
	}
	return e.attr.unpack(host)
}

func (e *entry) isDir() bool  { return linux.FileMode(e.attr.mode).IsDir() }
func (e *entry) isFile() bool { return linux.FileMode(e.attr.mode).IsRegular() }

func (e *entry) target() string {
	if e.more != nil {
		return e.more.target
	}
	return ""
}

// below returns what a scan has found in the directory that e names.
func (e *entry) below() *listing {
	if e.more != nil {
		return e.more.below
	}
	return nil
}

func (e *entry) setBelow(l *listing) {
	if e.more == nil {
		e.more = &more{}
	}
	e.more.below = l
}

// A listing is all names of a directory, until the cache gives it up: then
// load returns nil.
type listing struct{ p atomic.Pointer[names] }

func (l *listing) load() *names {
	if l == nil {
		return nil
	}
	return l.p.Load()
}

// names is what a listing has. It is guarded by the mu of the Inode that has
// the listing. Positions stay: a name that goes leaves its place empty.
type names struct {
	all     []entry
	index   map[string]int // made at the first lookup
	scanned bool           // for a program that reads the directory
	unused  bool           // came with a scan and was not read yet
	open    opening
}

// find returns the entry called name, nil if there is none.
func (l *names) find(name string) *entry {
	if l.index == nil {
		l.index = make(map[string]int, len(l.all))
		for i := range l.all {
			if !l.all[i].gone {
				l.index[l.all[i].name] = i
			}
		}
	}
	if i, ok := l.index[name]; ok {
		return &l.all[i]
	}
	return nil
}

func (l *names) add(e entry) {
	l.remove(e.name)
	l.index[e.name] = len(l.all)
	l.all = append(l.all, e)
}

func (l *names) remove(name string) {
	if e := l.find(name); e != nil {
		e.gone, e.more = true, nil
		delete(l.index, name)
	}
}

// namesLocked returns the listing if there is one.
func (in *Inode) namesLocked() *names { return in.names.load() }

// distrust marks what a listing says of name, or will say that is being made
// now, as old.
func (in *Inode) distrust(name string) {
	in.fs.changes.Add(1)
	in.mu.Lock()
	defer in.mu.Unlock()
	if l := in.namesLocked(); l != nil {
		if e := l.find(name); e != nil {
			e.distrusted = true
		}
	}
}

// list reads the directory, in at most trips round trips, and keeps the
// listing if the mount is exclusive. nil: there are too many names.
func (in *Inode) list(trips int) (*names, error) {
	n, err := in.acquire()
	if err != nil {
		return nil, err
	}
	defer n.release()
	l := &names{}
	var seen map[string]bool // where names come in pieces, one may come twice
	before := in.fs.changes.Load()
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
		l.all = slices.Grow(l.all, len(some))
		if seen == nil && !end {
			seen = make(map[string]bool)
		}
		for i := range some {
			d := &some[i]
			cookie = d.Next
			if seen[d.Name] {
				continue
			}
			if seen != nil {
				seen[d.Name] = true
			}
			l.all = append(l.all, newEntry(d.Name, &d.Attr, d.Target, in.fs.host))
		}
	}
	if !in.fs.shared && len(l.all) <= maxKept {
		in.keep(in.fs.newListing(l), before)
	}
	return l, nil
}

// keep makes l what in answers from, unless something has changed since
// before: l may have been made without it.
func (in *Inode) keep(l *listing, before uint64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.fs.changes.Load() == before {
		in.names = l
	}
}

// dirFile is an open directory.
type dirFile struct {
	d    *Inode
	path vfs.Path

	// guarded by d.mu
	l *names
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
func (x *dirFile) listing(off int64) (*names, error) {
	if l := x.known(off == 0); l != nil {
		return l, nil
	}
	x.d.scan()
	l := x.known(true)
	if l == nil {
		var err error
		if l, err = x.d.list(maxNames); err != nil {
			return nil, err
		}
		if l == nil {
			return nil, linux.ENOMEM
		}
	}
	x.d.mu.Lock()
	l.scanned = true
	x.l = l
	x.d.mu.Unlock()
	return l, nil
}

// known returns the names that x was reading, or those that are known now.
func (x *dirFile) known(anew bool) *names {
	x.d.mu.Lock()
	defer x.d.mu.Unlock()
	l := x.l
	if anew || l == nil {
		l = x.d.namesLocked()
	}
	if x.l = l; l != nil {
		if l.unused {
			l.unused = false
			x.d.fs.used.Add(1)
		}
		l.scanned = true
	}
	return l
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
		d := vfs.Dirent{Name: e.name, Ino: x.d.fs.inoOf(&e), Type: uint8(linux.FileMode(e.attr.mode).DirentType()), Next: i + 3}
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
