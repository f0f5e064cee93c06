package goferfs

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cordon/gofer/client"
)

const (
	// streakFrom is how many files of a directory have to be opened one after
	// the other before the ones behind them are opened too.
	streakFrom = 2
	// streakGap is how many names may lie between two of them.
	streakGap = 8
)

// An openAhead is files that are being opened because a program goes through a tree, in
// one round trip: what it opens next, here and in the directories that it comes to then.
// Who needs one of them takes those of its directory and waits for all, or who drops it
// because there are too many.
type openAhead struct {
	// immutable
	fs     *FS
	line   *line
	before uint64
	call   *client.Opening
	node   *nodeRef // what it was asked of, until it is waited for

	// set by once: what came, until when contents are good, and the answer with them
	once    sync.Once
	got     []client.Opened
	until   time.Time
	brought *answer

	left atomic.Int32 // groups that are not done with

	// guarded by fs.mu
	groups []group // that nobody has taken
	begun  bool    // one of them was
}

// A group is the files of one directory in an openAhead, at positions of its listing.
type group struct {
	l     *names // may have no Inode yet
	batch []string
	at    []int
	first int    // where in the answer they begin
	from  cursor // what comes from the first of them on

	// The directory: it is where way leads to from base.
	base *Inode
	way  []string
}

// A line is a program's way through the files of a tree.
type line struct {
	// guarded by fs.mu
	busy  bool // somebody looks for the next files
	ahead int  // openAheads that nobody has taken from

	// by who has made it busy, or has the first of what is ahead
	cur cursor
}

// openBatch opens in for reading with the files behind it, if a program goes
// through the files of the directory. It does nothing otherwise, and may fail:
// then in is to be opened alone.
func (in *Inode) openBatch() {
	in.mu.Lock()
	parent, name, adrift := in.parent, in.name, in.adrift
	in.mu.Unlock()
	if parent == nil || adrift {
		return
	}
	l := parent.knownNames()
	if l == nil {
		return
	}
	fs := in.fs
	o, g := fs.opening(l, name)
	if o == nil {
		if g = parent.behind(l, name); len(g.batch) == 0 {
			return
		}
		ln := &line{ahead: 1, cur: g.from.after(len(g.batch))}
		if o = fs.openMany(ln, parent, []group{g}); o == nil {
			return
		}
		o.groups = nil // taken here
	}
	if o.take(&g, parent) {
		o.goOn() // the program needed it, so it will need the next
	}
}

// maxOpenings is how many openAheads there are at a time.
const maxOpenings = 4

// opening takes the group of the file called name in the directory of l off what is
// being opened.
func (fs *FS) opening(l *names, name string) (*openAhead, group) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for i, o := range fs.ahead {
		for k := range o.groups {
			g := o.groups[k]
			if g.l != l || !slices.Contains(g.batch, name) {
				continue
			}
			if o.groups = slices.Delete(o.groups, k, k+1); len(o.groups) == 0 {
				fs.ahead = slices.Delete(fs.ahead, i, i+1)
			}
			return o, g
		}
	}
	return nil, group{}
}

// enlist has o wait for who needs it, and gives up what was being opened longest ago
// if there is too much.
func (fs *FS) enlist(o *openAhead) {
	fs.mu.Lock()
	old := pushBounded(&fs.ahead, o, maxOpenings)
	fs.mu.Unlock()
	old.drop()
}

// pushBounded appends v to a queue of at most most, and returns what it took off the
// front for it, or nil.
func pushBounded[T any](q *[]*T, v *T, most int) (old *T) {
	if len(*q) == most {
		old = (*q)[0]
		*q = slices.Delete(*q, 0, 1)
	}
	*q = append(*q, v)
	return old
}

// openMany begins to open files in and below base. It returns nil if it cannot.
func (fs *FS) openMany(ln *line, base *Inode, groups []group) *openAhead {
	before := fs.changes.Load()
	n, _, path, err := base.nearest()
	if err != nil {
		return nil
	}
	wire, first := make([]client.Group, len(groups)), 0
	for i := range groups {
		g := &groups[i]
		way, ok := g.base.below(base)
		if !ok {
			n.release()
			return nil
		}
		wire[i] = client.Group{Path: slices.Concat(path, way, g.way), Names: g.batch}
		g.first = first
		first += len(g.batch)
	}
	call, err := n.node.BeginOpenMany(wire)
	if err != nil {
		n.release()
		return nil
	}
	o := &openAhead{fs: fs, line: ln, before: before, call: call, node: n, groups: groups}
	o.left.Store(int32(len(groups)))
	return o
}

// below returns the names that lead from top to in.
func (in *Inode) below(top *Inode) (way []string, ok bool) {
	for range maxWay {
		if in == top {
			slices.Reverse(way)
			return way, true
		}
		in.mu.Lock()
		parent, name := in.parent, in.name
		in.mu.Unlock()
		if parent == nil {
			break
		}
		way, in = append(way, name), parent
	}
	return nil, false
}

// receive waits for what was opened.
func (o *openAhead) receive(groups []group) {
	got, err := o.call.Wait()
	o.node.release()
	if err != nil {
		return
	}
	o.got, o.until = got, time.Now().Add(goodFor)
	for i := range got {
		if got[i].FD < 0 {
			o.brought = &answer{call: o.call}
			o.brought.refs.Store(2) // ours, and that of the list
			o.fs.inlines.Store(true)
			o.fs.boundContents(o.brought)
			break
		}
	}
	for i := range groups {
		// It goes on with the first that did not come.
		if g := &groups[i]; len(got) > 0 && len(got) < g.first+len(g.batch) {
			o.line.cur = g.from.after(max(len(got)-g.first, 0))
			break
		}
	}
}

// await receives what was opened if nobody has.
func (o *openAhead) await(g *group) {
	o.once.Do(func() {
		o.fs.mu.Lock()
		groups := append([]group{*g}, o.groups...)
		o.fs.mu.Unlock()
		slices.SortFunc(groups, func(a, b group) int { return a.first - b.first })
		o.receive(groups)
	})
}

// of returns what came for g.
func (o *openAhead) of(g *group) []client.Opened {
	return o.got[min(g.first, len(o.got)):min(g.first+len(g.batch), len(o.got))]
}

// take gives the files of g, which are in dir, their descriptors or their contents, and
// reports whether there were any.
func (o *openAhead) take(g *group, dir *Inode) bool {
	o.await(g)
	fs := o.fs
	got := o.of(g)
	var all []contents
	var read []*Inode
	for i := range got {
		f := &got[i]
		if fs.changes.Load() != o.before {
			closeFD(f.FD)
			continue
		}
		g.l.mu.Lock()
		if g.l.ents[g.at[i]].attr == attrNone {
			g.l.tell(g.at[i], &f.Attr, "")
		}
		g.l.mu.Unlock()
		c := fs.inode(dir, g.batch[i], client.Step{Attr: f.Attr}, kept)
		if f.FD >= 0 {
			c.install(f.FD, false)
		} else if c.size.Load() == f.Attr.Size {
			if all == nil {
				all, read = make([]contents, len(got)), make([]*Inode, 0, len(got))
			}
			all[i] = contents{data: f.Contents, until: o.until, of: o.brought}
			c.inline.Store(&all[i])
			read = append(read, c)
		}
		fs.idled(c)
	}
	if len(read) > 0 {
		fs.mu.Lock()
		o.brought.read = append(o.brought.read, read...)
		fs.mu.Unlock()
	}
	if k := len(got); k > 0 && k < len(g.batch) {
		// It goes on behind the last.
		g.l.mu.Lock()
		g.l.open.last = g.at[k-1]
		g.l.mu.Unlock()
	}
	o.leave(1)
	return len(got) > 0
}

// leave notes that n groups are done with.
func (o *openAhead) leave(n int) {
	switch {
	case o.left.Add(int32(-n)) > 0:
	case o.brought != nil:
		o.brought.release()
	default:
		o.call.Free()
	}
}

// goOn asks for the files behind those of o, unless that was done.
func (o *openAhead) goOn() {
	fs, ln := o.fs, o.line
	habit := order(fs.habit.Load()) - 1
	fs.mu.Lock()
	if !o.begun {
		o.begun = true
		ln.ahead--
	}
	if ln.busy || ln.ahead > 0 || habit < 0 {
		fs.mu.Unlock()
		return
	}
	ln.busy = true
	fs.mu.Unlock()
	var next *openAhead
	if groups := ln.cur.gather(habit, fs.inlines.Load()); len(groups) > 0 {
		next = fs.openMany(ln, ln.cur.base, groups)
	}
	fs.mu.Lock()
	ln.busy = false
	if next != nil {
		ln.ahead++
	}
	fs.mu.Unlock()
	if next != nil {
		fs.enlist(next)
	}
}

// drop closes what nobody has taken of o.
func (o *openAhead) drop() {
	if o == nil {
		return
	}
	o.fs.mu.Lock()
	groups := o.groups
	o.groups = nil
	o.fs.mu.Unlock()
	if len(groups) == 0 {
		return
	}
	o.await(&groups[0])
	for i := range groups {
		for _, f := range o.of(&groups[i]) {
			closeFD(f.FD)
		}
	}
	o.leave(len(groups))
}
