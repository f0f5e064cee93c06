package goferfs

import (
	"cordon/gofer/client"
	"cordon/gofer/donate"
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

const (
	// listAfter is how many lookups, at least, ask the gofer for single names
	// before the directory is listed as a whole.
	listAfter = 16
	// listedBytes is how many bytes of a directory cost as much to list as one
	// lookup: about twelve names.
	listedBytes = 512
)

// walk asks the gofer what name is.
func (d *Dir) walk(name string, o client.WalkOption) (client.Step, error) {
	steps, fd, err := d.inode().walk([]string{name}, o)
	closeFD(fd)
	if err != nil {
		return client.Step{}, err
	}
	return steps[0], nil
}

// Lookup implements vfs.Directory.
func (d *Dir) Lookup(name string) (vfs.Inode, error) {
	in := d.inode()
	if !in.fs.shared {
		if c, err, ok := in.answer(name); ok {
			return c, err
		}
		if in.learn(name) || in.worthListing() && in.listForLookups() {
			if c, err, ok := in.answer(name); ok {
				return c, err
			}
		}
	}
	steps, fd, err := in.walk([]string{name}, client.WalkOption{Open: in.fs.opensNext()})
	if err != nil {
		return nil, err
	}
	c := in.fs.inode(in, name, steps[0], fresh)
	c.lookedAt(fd)
	in.handOver(name, c, made)
	return c.outer(), nil
}

// answer is recall with what Lookup returns.
func (in *Inode) answer(name string) (vfs.Inode, error, bool) {
	c, ok := in.recall(name)
	switch {
	case !ok:
		return nil, nil, false
	case c == nil:
		return nil, linux.ENOENT, true
	}
	return c.outer(), nil, true
}

func (in *Inode) listForLookups() bool {
	l, err := in.list(lookupTrips, true)
	return err == nil && l != nil
}

// recall answers a lookup without the gofer if it can; nil says that the name
// is absent.
func (in *Inode) recall(name string) (*Inode, bool) {
	in.mu.Lock()
	c, ok := in.ahead[name]
	delete(in.ahead, name)
	l := in.names.load()
	in.mu.Unlock()
	if ok {
		if c != nil && !in.fs.has(c) {
			return nil, false // evicted meanwhile
		}
		return c, true
	}
	if l == nil {
		return nil, false
	}
	l.mu.Lock()
	i := l.find(name)
	if i < 0 {
		l.mu.Unlock()
		return nil, true
	}
	a, target, known := l.attrs(i)
	old, isDir := l.ents[i].flags&distrusted != 0, l.typ(i) == linux.DT_DIR
	first := !isDir && !l.wanted
	l.wanted = l.wanted || first
	l.mu.Unlock()
	if first {
		in.fs.wants()
	}
	if !known {
		return nil, false
	}
	// A file with several names may have been changed by another of them.
	c, how := in.fs.ofListing(in, name, &a, target, !old && (a.Nlink <= 1 || a.Mode.IsDir()))
	if c == nil {
		return nil, false
	}
	if how == found {
		c.moved(in, name)
	}
	in.handOver(name, c, how)
	return c, true
}

// learn asks for the attributes of name, which is listed without, and of those that
// a program asks for next: the names behind it, or if it reads the tree the
// directories behind it with what is in them.
func (in *Inode) learn(name string) bool {
	l := in.knownNames()
	if l == nil {
		return false
	}
	l.mu.Lock()
	i := l.find(name)
	if i < 0 || l.ents[i].attr != attrNone && l.belowAt(i) == nil || l.ents[i].flags&distrusted != 0 {
		l.mu.Unlock()
		return false
	}
	l.ents[i].attr = attrNone
	isDir := l.typ(i) == linux.DT_DIR
	l.mu.Unlock()
	if isDir && !in.fs.idleTree(in) && in.explore(l, name, false) {
		return true
	}
	if !isDir && !l.full && in.fs.wantsAttrs() && in.scan(true) {
		return true
	}
	return in.statBehind(l, i)
}

// idleTree reports whether what the scan around in brings is not read.
func (fs *FS) idleTree(in *Inode) bool {
	t := fs.treeOf(in)
	if t == nil {
		return false
	}
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	return !t.worthwhile()
}

// statBehind asks for the attributes of the name at position i of l, which is in's
// listing, and of some behind it.
func (in *Inode) statBehind(l *names, i int) bool {
	all := in.fs.wantsAttrs()
	l.mu.Lock()
	batch, at := l.unknown(i, all)
	l.mu.Unlock()
	before := in.fs.changes.Load()
	n, _, path, err := in.nearest()
	if err != nil || len(batch) == 0 {
		return false
	}
	got, err := n.node.StatMany(path, batch)
	n.release()
	if err != nil || in.fs.changes.Load() != before {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for k := range got.Items {
		it := got.Item(k)
		if it.Form != donate.FormNone && it.Type == l.typ(at[k]) && l.ents[at[k]].attr == attrNone {
			a := got.Attr(it.Attr, it.Form, l.host)
			l.tell(at[k], &a, it.Target)
		}
	}
	return l.ents[i].attr != attrNone
}

// origin says whether an Inode was made for a lookup or had been there before.
type origin bool

const (
	made  origin = true
	found origin = false
)

// handOver gives c, the directory called name, what a scan has found in it: when
// c is made, for c notes from then on what changes, or as long as nothing has
// changed since the scan.
func (in *Inode) handOver(name string, c *Inode, o origin) {
	if c.kind != linux.S_IFDIR {
		return
	}
	l := in.knownNames()
	if l == nil {
		return
	}
	l.mu.Lock()
	var b *listing
	if i := l.find(name); i >= 0 && l.ents[i].flags&handedOver == 0 {
		if b = l.belowAt(i); b != nil {
			l.ents[i].flags |= handedOver
		}
	}
	l.mu.Unlock()
	p := b.load()
	switch {
	case p == nil:
	case o == made:
		c.inherit(b, in.fs.changes.Load())
	default:
		c.inherit(b, p.before())
	}
}

// worthListing counts a lookup that recall could not answer.
func (in *Inode) worthListing() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.misses++
	return in.misses > max(listAfter, int32(in.size.Load()/listedBytes)) && in.names.load() == nil && !in.big
}

// Prefetch implements vfs.Prefetcher by one round trip. The Lookups that follow
// are answered from it.
func (d *Dir) Prefetch(names []string, open bool) {
	in := d.inode()
	if in.fs.shared || in.knows(names[0], len(names) > 1) || len(names) < 2 && (!open || in.worthListing()) {
		return
	}
	before := in.fs.changes.Load()
	steps, fd, err := in.walk(names, client.WalkOption{Open: open || in.fs.opensNext()})
	for i := range steps {
		c := in.fs.inode(in, names[i], steps[i], fresh)
		in.handOver(names[i], c, found)
		in.foresee(names[i], c, before)
		in = c
	}
	switch {
	case len(steps) == len(names) && !open:
		in.lookedAt(fd)
	case fd >= 0:
		in.install(fd, false)
		in.fs.idled(in)
	}
	if err == error(linux.ENOENT) {
		in.foresee(names[len(steps)], nil, before)
	}
}

// knows reports whether in can answer a lookup of name, or can learn much with
// it: further says that the lookup is on the way to other names.
func (in *Inode) knows(name string, further bool) bool {
	in.mu.Lock()
	_, ok := in.ahead[name]
	l := in.names.load()
	in.mu.Unlock()
	if ok || l == nil || !further {
		return ok || l != nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.find(name)
	return i < 0 || l.ents[i].attr != attrNone
}

// maxAhead bounds what Prefetch leaves in one directory.
const maxAhead = 64

func (in *Inode) foresee(name string, c *Inode, before uint64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.fs.changes.Load() != before {
		return
	}
	if in.ahead == nil || len(in.ahead) >= maxAhead {
		in.ahead = make(map[string]*Inode)
	}
	in.ahead[name] = c
}
