package goferfs

import (
	"cordon/gofer/client"
	"cordon/gofer/donate"
)

const (
	// maxListed is how many names are kept in listings.
	maxListed = 256 << 10
	// minRoom and maxRoom bound how much one scan asks for, in bytes.
	minRoom = 16 << 10
	maxRoom = donate.MaxPacket
)

// newListing puts l among the listings that are kept, and gives up those that
// were made longest ago if there are too many.
func (fs *FS) newListing(l *names) *listing {
	k := &listing{}
	k.p.Store(l)
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.listings = append(fs.listings, k)
	fs.listed += len(l.all) + 1
	for fs.listed > maxListed && len(fs.listings) > 1 {
		old := fs.listings[0]
		fs.listings[0] = nil
		fs.listings = fs.listings[1:]
		if o := old.p.Swap(nil); o != nil {
			fs.listed -= len(o.all) + 1
		}
	}
	return k
}

// room returns how much the next scan asks for: more each time as long as most
// of what scans bring is read.
func (fs *FS) room() int {
	used, brought := fs.used.Swap(0), fs.brought.Swap(0)
	r := fs.scanRoom.Load()
	if used*2 >= brought {
		r = min(max(2*r, minRoom), maxRoom)
	} else {
		r = minRoom
	}
	fs.scanRoom.Store(r)
	return int(r)
}

// scan is called to list in. If its parent has been read, a program is going
// through the tree: then in is listed with what is below it, and with the
// directories that come after it in its parent.
func (in *Inode) scan() {
	if in.fs.shared {
		return
	}
	in.mu.Lock()
	parent, name := in.parent, in.name
	in.mu.Unlock()
	if parent == nil {
		return
	}
	batch := parent.following(name)
	if len(batch) == 0 {
		return
	}
	before := in.fs.changes.Load()
	n, _, path, err := parent.nearest()
	if err != nil {
		return
	}
	defer n.release()
	found, err := n.node.Scan(path, batch, in.fs.room())
	if err == nil {
		parent.scanned(found, before)
	}
}

// following returns the directories in in from name on that have not been
// listed, if in has been read.
func (in *Inode) following(name string) []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	l := in.namesLocked()
	if l == nil || !l.scanned || l.find(name) == nil {
		return nil
	}
	batch := []string{name}
	for i := l.index[name] + 1; i < len(l.all) && len(batch) < donate.MaxNames-maxWay; i++ {
		if e := &l.all[i]; e.isDir() && !e.gone && e.below().load() == nil {
			batch = append(batch, e.name)
		}
	}
	return batch
}

// scanned takes over what a scan has found in in, unless something has changed
// since before.
func (in *Inode) scanned(found []client.Scanned, before uint64) {
	made := make([]*names, len(found))
	lists := make([]*listing, len(found))
	for i := range found {
		f := &found[i]
		l := &names{all: make([]entry, len(f.Entries)), scanned: true, unused: true}
		for k := range f.Entries {
			d := &f.Entries[k]
			l.all[k] = newEntry(d.Name, &d.Attr, d.Target, in.fs.host)
		}
		made[i], lists[i] = l, in.fs.newListing(l)
		if f.Parent >= 0 {
			if e := made[f.Parent].find(f.Name); e != nil {
				e.setBelow(lists[i])
			}
		}
	}
	in.fs.brought.Add(int64(len(found)))
	for i := range found {
		if found[i].Parent < 0 {
			in.offer(found[i].Name, lists[i], before)
		}
	}
}

// offer gives l to the Inode of name, or keeps it for when there is one.
func (in *Inode) offer(name string, l *listing, before uint64) {
	in.mu.Lock()
	n := in.namesLocked()
	if n == nil || in.fs.changes.Load() != before {
		in.mu.Unlock()
		return
	}
	e := n.find(name)
	if e == nil {
		in.mu.Unlock()
		return
	}
	a := e.unpack(in.fs.host)
	e.setBelow(l)
	in.mu.Unlock()
	if c := in.fs.known(&a); c != nil {
		in.handOver(name, c, before)
	}
}

// inherit takes over a listing that was made before in was, unless in has a
// better one.
func (in *Inode) inherit(l *listing, before uint64) {
	if l.load() == nil {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.namesLocked() == nil && in.fs.changes.Load() == before {
		in.names = l
	}
}
