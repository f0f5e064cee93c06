package goferfs

import (
	"strings"

	"cordon/gofer/client"
	"cordon/gofer/donate"
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

const (
	// lookupTrips is how many round trips a listing may take that only saves
	// lookups.
	lookupTrips = 8
	// maxKept is the most names that a directory keeps.
	maxKept = 1 << 18
	// maxNames is the most names a directory may have.
	maxNames = 1 << 22
	// maxListed is how many bytes are kept in listings.
	maxListed = 24 << 20
)

// keptListing puts l among the listings that are kept, and gives up those that
// were made longest ago if there are too many.
func (fs *FS) keptListing(l *names) *listing {
	k := &listing{}
	k.p.Store(l)
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.keepLocked(k, l)
	return k
}

func (fs *FS) keepLocked(k *listing, l *names) {
	fs.listings = append(fs.listings, k)
	fs.listed += l.bytes()
	for fs.listed > maxListed && len(fs.listings) > 1 {
		fs.giveUpLocked()
	}
}

// giveUpLocked gives up the listing that was made longest ago.
func (fs *FS) giveUpLocked() {
	old := fs.listings[0]
	fs.listings[0] = nil
	fs.listings = fs.listings[1:]
	if o := old.p.Swap(nil); o != nil {
		fs.listed -= o.bytes()
	}
}

// Shrink implements vfs.Shrinker: listings are read again.
func (fs *FS) Shrink() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for len(fs.listings) > 0 {
		fs.giveUpLocked()
	}
}

// knownNames returns the listing if there is one.
func (in *Inode) knownNames() *names {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.names.load()
}

// distrust marks what a listing says of name, or will say that is being made
// now, as old.
func (in *Inode) distrust(name string) {
	in.fs.changes.Add(1)
	if l := in.knownNames(); l != nil {
		l.distrust(name)
	}
}

// list reads the directory, in at most trips round trips, and keeps the
// listing if the mount is exclusive. nil: there are too many names.
func (in *Inode) list(trips int, attrs bool) (*names, error) {
	n, err := in.acquire()
	if err != nil {
		return nil, err
	}
	defer n.release()
	l := &names{host: in.fs.host, full: attrs}
	var text strings.Builder
	before := in.fs.changes.Load()
	var cookie uint64
	for end := false; !end; trips-- {
		if trips == 0 || len(l.ents) > maxNames {
			in.mu.Lock()
			in.big = true
			in.mu.Unlock()
			return nil, nil
		}
		some, err := n.node.Readdir(cookie, attrs)
		if err != nil {
			return nil, err
		}
		cookie, end = some.Next, some.Next == 0
		if text.Len() == 0 && end {
			l.text = some.Text
			l.ents = entsOf(some)
			break
		}
		start := uint32(text.Len())
		text.WriteString(some.Text)
		l.text = text.String()
		for _, at := range some.Items {
			e := textEnt(some.Text, at)
			e.at += start
			l.addOnce(e)
		}
	}
	if !in.fs.shared && len(l.ents) <= maxKept {
		in.keep(in.fs.keptListing(l), before)
	}
	return l, nil
}

func entsOf(l *client.Listing) []ent {
	ents := make([]ent, len(l.Items))
	for i, at := range l.Items {
		ents[i] = textEnt(l.Text, at)
	}
	return ents
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

// inherit takes over a listing that was made before in was, or when nothing had
// changed since, unless in has one that is as good.
func (in *Inode) inherit(l *listing, before uint64) {
	p := l.load()
	if p == nil {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.fs.changes.Load() != before {
		return
	}
	if old := in.names.load(); old != nil {
		if old.full || !p.full {
			return
		}
		old.mu.Lock()
		read, wanted := old.read, old.wanted
		old.mu.Unlock()
		p.mu.Lock()
		p.read, p.wanted = p.read || read, p.wanted || wanted
		p.mu.Unlock()
	}
	in.names = l
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
	anew := off == 0
	l := x.known(anew)
	if l == nil && x.d.scan(false) {
		l = x.known(true)
	}
	if l == nil {
		var err error
		if l, err = x.d.list(maxNames, x.d.fs.wantsAttrs()); err != nil {
			return nil, err
		}
		if l == nil {
			return nil, linux.ENOMEM
		}
		x.d.mu.Lock()
		x.l = l
		x.d.mu.Unlock()
	}
	l.mu.Lock()
	first := !l.read
	l.read = true
	l.mu.Unlock()
	if first {
		x.d.fs.read(l)
	}
	return l, nil
}

// known returns the names that x was reading, or those that are known now.
func (x *dirFile) known(anew bool) *names {
	x.d.mu.Lock()
	defer x.d.mu.Unlock()
	if anew || x.l == nil {
		x.l = x.d.names.load()
	}
	return x.l
}

// some is how many entries are taken from a listing at a time.
const some = 32

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
	return x.readNames(off, emit)
}

// ReadTail implements vfs.TailReader.
func (x *dirFile) ReadTail(off int64, emit func(vfs.Dirent) bool) error {
	return x.readNames(off, emit)
}

// readNames emits what comes after "." and "..".
func (x *dirFile) readNames(off int64, emit func(vfs.Dirent) bool) error {
	l, err := x.listing(off)
	if err != nil {
		return err
	}
	var batch [some]vfs.Dirent
	for i := max(off-2, 0); ; {
		var n int
		n, i = l.some(&batch, i)
		if n == 0 {
			return nil
		}
		for k := range n {
			batch[k].Ino = x.d.fs.inoIn(x.d, batch[k].Ino)
			if !emit(batch[k]) {
				return nil
			}
		}
	}
}

// some fills batch from position i on. It returns how many names it has found, and the
// position after them.
func (l *names) some(batch *[some]vfs.Dirent, i int64) (n int, next int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for end := int64(len(l.ents)); i < end && n < some; i++ {
		e := &l.ents[i]
		if e.flags&gone != 0 {
			continue
		}
		d := &batch[n]
		n++
		d.Next = i + 3
		if e.at == notInText {
			m := l.more[int32(i)]
			d.Name, d.Ino, d.Type = m.name, m.ino, uint8(m.typ)
			continue
		}
		typ, name, ino := donate.PeekItem(l.text, int(e.at))
		d.Name, d.Ino, d.Type = name, ino, uint8(typ)
	}
	return n, i
}

func (x *dirFile) parentIno() uint64 {
	if x.path.Dentry != nil {
		if p := inodeOf(x.path.Dentry.Parent().Inode()); p != nil {
			return p.ino
		}
	}
	return x.d.ino
}
