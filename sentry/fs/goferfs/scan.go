package goferfs

import (
	"sync/atomic"

	"cordon/gofer/client"
	"cordon/gofer/donate"
	"cordon/internal/linux"
)

const (
	// firstRoom and maxRoom bound how much one piece of a scan brings, in bytes.
	firstRoom = 2 << 10
	maxRoom   = donate.MaxPacket
	// maxTrees is how many scans there are at a time.
	maxTrees = 4
)

// A tree is a scan in progress: the directories that a program is going to read,
// with all that is below them, in the order of a listing. A piece of it is taken
// over when the program needs it; the gofer makes the next one meanwhile, as long
// as most of what comes is read.
type tree struct {
	// immutable
	base   *Inode // has the directories that were asked for
	top    *names // its listing
	at     []int  // their positions in it
	before uint64 // what changes was when it began

	// turn holds a token while somebody works on what is below.
	turn chan struct{}

	scan  *client.Scan // nil: it has ended
	node  *nodeRef     // what it was begun from, until the gofer has begun
	asked bool         // a piece is on its way
	full  bool         // with attributes
	room  int
	stack []*names // the directories on the way to where it is
	last  *piece
}

// A piece is one answer of a scan.
type piece struct {
	before  uint64       // what changes was when the scan began
	brought int64        // directories
	used    atomic.Int64 // those of them that were read
}

// scan makes in listed, with attributes if they are asked for, if its parent has
// been read: then a program is going through the tree. It reports whether it may
// have been.
func (in *Inode) scan(attrs bool) bool {
	if in.fs.shared {
		return false
	}
	in.mu.Lock()
	parent, name := in.parent, in.name
	in.mu.Unlock()
	if parent == nil {
		return false
	}
	l := parent.knownNames()
	if l == nil || !parent.explore(l, name, attrs) {
		return false
	}
	l.mu.Lock()
	var b *listing
	if i := l.find(name); i >= 0 {
		b = l.belowAt(i)
		l.ents[i].flags |= handedOver
	}
	l.mu.Unlock()
	p := b.load()
	if p == nil {
		return false
	}
	in.inherit(b, p.before())
	return true
}

// before is what changes was when a scan found l.
func (l *names) before() uint64 {
	if l.from == nil {
		return 0
	}
	return l.from.before
}

// explore makes what is in the directory called name in in known, where l are the
// names of in and a program reads them. False: it is not to be had so.
func (in *Inode) explore(l *names, name string, attrs bool) bool {
	l.mu.Lock()
	read := l.read
	l.mu.Unlock()
	if !read {
		return false
	}
	if l.explored(name, attrs) {
		return true
	}
	if t := in.fs.treeOf(in); t != nil && t.goOn(l, name, attrs) {
		return true
	}
	t := in.fs.newTree(in, l, name, attrs)
	if t == nil {
		return false
	}
	t.turn <- struct{}{}
	t.take()
	<-t.turn
	return l.explored(name, attrs)
}

// explored reports whether what is in the directory called name is known.
func (l *names) explored(name string, attrs bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.find(name)
	return i >= 0 && l.listed(i, attrs)
}

// treeOf returns the scan that goes through the part of the tree that in is in.
func (fs *FS) treeOf(in *Inode) *tree {
	fs.mu.Lock()
	trees := fs.trees
	fs.mu.Unlock()
	for i := len(trees) - 1; i >= 0; i-- {
		if t := trees[i]; t != nil && t.covers(in) {
			return t
		}
	}
	return nil
}

// covers reports whether t goes through what is in in.
func (t *tree) covers(in *Inode) bool {
	for range maxWay {
		if in == nil || in == t.base {
			return in != nil
		}
		in.mu.Lock()
		p := in.parent
		in.mu.Unlock()
		in = p
	}
	return false
}

// worthwhile reports whether a program reads what t brings.
func (t *tree) worthwhile() bool { return 2*t.last.used.Load() >= t.last.brought }

// goOn takes the next piece of t, and reports whether name in l is known then.
func (t *tree) goOn(l *names, name string, attrs bool) bool {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	if l.explored(name, attrs) {
		return true
	}
	if !t.asked && t.scan != nil && t.worthwhile() {
		t.ask()
	}
	if !t.asked {
		return false
	}
	t.take()
	return l.explored(name, attrs)
}

// ask asks for the next piece, a larger one.
func (t *tree) ask() {
	t.room = min(4*t.room, maxRoom)
	t.full = t.base.fs.wantsAttrs()
	t.asked = t.scan.More(t.room, t.full)
}

// newTree begins a scan of the directories in in from name on.
func (fs *FS) newTree(in *Inode, l *names, name string, attrs bool) *tree {
	l.mu.Lock()
	i := l.find(name)
	var batch []string
	var at []int
	if i >= 0 && l.typ(i) == linux.DT_DIR {
		batch, at = l.directories(i, attrs)
	}
	l.mu.Unlock()
	if len(batch) == 0 || batch[0] != name {
		return nil
	}
	t := &tree{base: in, top: l, at: at, before: fs.changes.Load(), turn: make(chan struct{}, 1), room: firstRoom}
	t.last = &piece{before: t.before}
	n, _, path, err := in.nearest()
	if err != nil {
		return nil
	}
	t.full = attrs || fs.wantsAttrs()
	t.scan, err = n.node.Scan(path, batch, t.room, t.full)
	if err != nil {
		n.release()
		return nil
	}
	t.node, t.asked = n, true
	fs.replaceTree(t)
	return t
}

// replaceTree puts t in place of the scan that has gone through the same part of
// the tree, or the oldest if there are too many.
func (fs *FS) replaceTree(t *tree) {
	old := fs.treeOf(t.base)
	fs.mu.Lock()
	trees := make([]*tree, 0, maxTrees)
	for _, x := range fs.trees {
		if x != old {
			trees = append(trees, x)
		}
	}
	if len(trees) == maxTrees {
		old, trees = trees[0], trees[1:]
	}
	fs.trees = append(trees, t)
	fs.mu.Unlock()
	if old != nil {
		old.end()
	}
}

// end ends the scan.
func (t *tree) end() {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	t.endLocked()
}

func (t *tree) endLocked() {
	if t.scan != nil {
		t.scan.Close()
		t.scan, t.asked, t.stack = nil, false, nil
	}
	t.begun()
}

// begun gives back the node that the scan was begun from.
func (t *tree) begun() {
	if t.node != nil {
		t.node.release()
		t.node = nil
	}
}

// take takes over the piece that was asked for, unless something has changed
// since the scan began, and asks for the next if the one before was of use.
func (t *tree) take() {
	if !t.asked {
		return
	}
	l, err := t.scan.Wait()
	t.asked = false
	t.begun()
	if err != nil || t.base.fs.changes.Load() != t.before {
		t.endLocked()
		return
	}
	first, useful := t.last.brought == 0, t.worthwhile()
	t.last = t.apply(l)
	if !first && useful {
		t.ask()
	}
}

// apply puts a piece below the names that it has brought before.
func (t *tree) apply(l *client.Listing) *piece {
	p := &piece{before: t.before, brought: int64(len(l.Dirs))}
	all, lists, ents := make([]names, len(l.Dirs)), make([]listing, len(l.Dirs)), entsOf(l)
	fs := t.base.fs
	below := make([]*listing, l.Below())
	for i := range l.Dirs {
		d := &l.Dirs[i]
		end := d.First + int(d.Count)
		n := &all[i]
		n.text, n.self, n.from, n.host, n.full = l.Text, place{uint32(d.Attr), d.Form}, p, fs.host, t.full
		n.ents = ents[d.First:end:end]
		n.below, below = below[:0:d.Below], below[d.Below:]
		lists[i].p.Store(n)
		above, at := t.top, int(d.Which)
		if d.Depth == 0 {
			at = t.at[at]
		} else {
			above = t.stack[d.Depth-1]
		}
		above.mu.Lock()
		above.put(at, &lists[i])
		above.mu.Unlock()
		t.stack = append(t.stack[:d.Depth], n)
	}
	fs.mu.Lock()
	for i := range lists {
		fs.keepLocked(&lists[i], &all[i])
	}
	fs.mu.Unlock()
	return p
}

// read notes that a program reads l for the first time.
func (fs *FS) read(l *names) {
	if l.from != nil {
		l.from.used.Add(1)
	}
	fs.reads.Add(1)
}

// wants notes that a program wants the attributes of a file in a directory, for the
// first time there.
func (fs *FS) wants() { fs.wanted.Add(1) }

// habitSpan is over how many directories habits are looked at.
const habitSpan = 64

// wantsAttrs reports whether programs want the attributes of the files in the
// directories that they read.
func (fs *FS) wantsAttrs() bool {
	reads, wanted := fs.reads.Load(), fs.wanted.Load()
	if reads > habitSpan {
		fs.reads.Store(reads / 2)
		fs.wanted.Store(wanted / 2)
	}
	return !fs.shared && wanted > 0 && 2*wanted >= reads
}
