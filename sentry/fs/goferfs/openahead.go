package goferfs

import (
	"cmp"
	"slices"
	"time"

	"cordon/gofer/client"
	"cordon/internal/linux"
)

const (
	// streakFrom is how many files of a directory have to be opened one after
	// the other before the ones behind them are opened too.
	streakFrom = 2
	// streakGap is how many names may lie between two of them.
	streakGap = 8
)

// An openAhead is files of a directory that are being opened because a program
// goes through it, in one round trip: what it opens next, here or in the directory
// that it comes to then. Who needs one of them takes it off the list and waits for
// it, or who drops it because there are too many.
type openAhead struct {
	// immutable
	fs     *FS
	l      *names // of their directory, which may have no Inode yet
	batch  []string
	at     []int // their positions in l
	before uint64

	call *client.Opening
	node *nodeRef // what it was asked of, until it is waited for
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
	o := fs.opening(l, name)
	if o == nil {
		f := parent.behind(l, name)
		if len(f.batch) == 0 {
			return
		}
		if o = parent.openMany(f); o == nil {
			return
		}
	}
	if !o.take(parent) {
		return
	}
	// The program needed it, so it will need the next.
	if base, f := parent.beyond(l); len(f.batch) > 0 {
		fs.enlist(base.openMany(f))
	}
}

// A following is files to open: those at positions of a listing, of the directory
// that way leads to from another.
type following struct {
	way   []string
	l     *names
	batch []string
	at    []int
}

// maxOpenings is how many openAheads there are at a time.
const maxOpenings = 4

// opening returns what opens the file called name in the directory of l, and takes it
// off the list.
func (fs *FS) opening(l *names, name string) *openAhead {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for i, o := range fs.ahead {
		if o.l == l && slices.Contains(o.batch, name) {
			fs.ahead = slices.Delete(fs.ahead, i, i+1)
			return o
		}
	}
	return nil
}

// enlist has o wait for who needs it, and gives up what was being opened longest ago
// if there is too much.
func (fs *FS) enlist(o *openAhead) {
	if o == nil {
		return
	}
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

// openMany begins to open files in or below in.
func (in *Inode) openMany(f following) *openAhead {
	fs := in.fs
	before := fs.changes.Load()
	n, _, path, err := in.nearest()
	if err != nil {
		return nil
	}
	call, err := n.node.BeginOpenMany(append(path, f.way...), f.batch)
	if err != nil {
		n.release()
		return nil
	}
	return &openAhead{fs: fs, l: f.l, batch: f.batch, at: f.at, before: before, call: call, node: n}
}

// take gives the files, which are in dir, their descriptors or their contents, and
// reports whether there were any.
func (o *openAhead) take(dir *Inode) bool {
	got := o.wait()
	fs := o.fs
	var brought *answer
	var all []contents
	until := time.Now().Add(goodFor)
	for i := range got {
		f := &got[i]
		if fs.changes.Load() != o.before {
			closeFD(f.FD)
			continue
		}
		o.l.mu.Lock()
		if o.l.ents[o.at[i]].attr == attrNone {
			o.l.tell(o.at[i], &f.Attr, "")
		}
		o.l.mu.Unlock()
		c := fs.inode(dir, o.batch[i], client.Step{Attr: f.Attr}, kept)
		if f.FD >= 0 {
			c.install(f.FD, false)
		} else if c.size.Load() == f.Attr.Size {
			if all == nil {
				all = make([]contents, len(got))
				brought = &answer{call: o.call, read: make([]*Inode, 0, len(got))}
				brought.refs.Store(1)
			}
			all[i] = contents{data: f.Contents, until: until, of: brought}
			c.inline.Store(&all[i])
			brought.read = append(brought.read, c)
		}
		fs.idled(c)
	}
	if brought != nil {
		fs.boundContents(brought)
	} else {
		o.call.Free()
	}
	if k := len(got); k > 0 && k < len(o.batch) {
		// It goes on behind the last.
		o.l.mu.Lock()
		o.l.open.last = o.at[k-1]
		o.l.mu.Unlock()
	}
	return len(got) > 0
}

// drop closes what o has opened.
func (o *openAhead) drop() {
	if o == nil {
		return
	}
	for _, f := range o.wait() {
		closeFD(f.FD)
	}
	o.call.Free()
}

// wait returns what was opened.
func (o *openAhead) wait() []client.Opened {
	got, err := o.call.Wait()
	o.node.release()
	if err != nil {
		return nil
	}
	return got
}

// An order is one that programs open the files of a directory in.
type order int32

const (
	asListed order = iota
	byNumber       // of the inode: find, cp and tar spare a disk so
	byName
	orders
)

// An opening is how the files of a directory are opened.
type opening struct {
	started bool
	last    int // the position of the last file that was opened, or ahead
	streak  int // how many were opened one after the other
	strays  int // how many were not

	order order
	ranks []int32 // of positions in the listing, by order; nil: themselves
	at    []int32 // positions by rank
}

// straysAllowed is how many opens out of order it takes to try another.
const straysAllowed = 2

// arrange puts the names of l into the order o.
func (l *names) arrange(o order) {
	p := &l.open
	p.order, p.strays, p.ranks, p.at = o, 0, nil, nil
	if o == asListed {
		return
	}
	p.at, p.ranks = make([]int32, len(l.ents)), make([]int32, len(l.ents))
	for i := range p.at {
		p.at[i] = int32(i)
	}
	slices.SortFunc(p.at, func(a, b int32) int {
		if o == byNumber {
			return cmp.Compare(l.number(int(a)), l.number(int(b)))
		}
		return cmp.Compare(l.name(int(a)), l.name(int(b)))
	})
	for r, i := range p.at {
		p.ranks[i] = int32(r)
	}
}

// rank returns where the name at position i comes in the order of opens, -1 if
// that is not known.
func (l *names) rank(i int) int {
	switch p := &l.open; {
	case p.ranks == nil:
		return i
	case i < len(p.ranks):
		return int(p.ranks[i])
	}
	return -1
}

// next returns the position of the name with a rank.
func (l *names) next(rank int) int {
	if l.open.at == nil {
		return rank
	}
	return int(l.open.at[rank])
}

// follows reports whether the file at position i comes soon after the last.
func (l *names) follows(i int) bool {
	gap := l.rank(i) - l.rank(l.open.last)
	return gap > 0 && gap <= streakGap
}

// note notes that the file at position i is opened, and returns how many files
// to open with it. habit is the order of the directories before, or -1.
func (l *names) note(i int, habit order) int {
	p := &l.open
	switch {
	case !p.started && habit >= 0:
		l.arrange(habit)
		if r := l.rank(i); r >= 0 && r < streakGap {
			p.streak = client.MaxOpen / 2
		}
	case !p.started:
	case l.follows(i):
		p.streak++
	default:
		p.streak = 0
		if p.strays++; p.strays > straysAllowed && p.order+1 < orders {
			l.arrange(p.order + 1)
			if l.follows(i) {
				p.streak = 1
			}
		}
	}
	p.started, p.last = true, i
	if p.streak < streakFrom {
		return 1
	}
	return min(2*p.streak, client.MaxOpen)
}

// behind notes that the file called name, which l has, is opened, and returns its
// name and those of the files behind it if they are opened in order.
func (in *Inode) behind(l *names, name string) following {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.find(name)
	if i < 0 {
		return following{}
	}
	most := l.note(i, order(in.fs.habit.Load())-1)
	if most == 1 {
		if l.open.strays > 0 {
			in.fs.habit.Store(0)
		}
		return following{}
	}
	in.fs.habit.Store(int32(l.open.order) + 1)
	return l.files(following{l: l, batch: []string{name}, at: []int{i}}, most)
}

// files adds the files behind the last that was opened, up to most in all, and up to
// the next directory, which a program that goes through the tree enters first.
func (l *names) files(f following, most int) following {
	r := l.rank(l.open.last)
	if r < 0 {
		return f
	}
	for r++; r < l.ranked() && len(f.batch) < most; r++ {
		i := l.next(r)
		if l.typ(i) == linux.DT_DIR && !l.isGone(i) {
			break
		}
		if l.opensAlone(i) {
			continue
		}
		f.batch, f.at = append(f.batch, l.name(i)), append(f.at, i)
		l.open.last = i
	}
	return f
}

// ranked is how many names have a place in the order of opens.
func (l *names) ranked() int {
	if l.open.at != nil {
		return len(l.open.at)
	}
	return len(l.ents)
}

// maxBeyond is how many names, and how many levels up and down, beyond looks at.
const maxBeyond = 16

// beyond returns the files that a program comes to that goes through the tree and
// has opened those of in, with the listing l, that were opened ahead: files behind
// them, or those of the next directory in the order of opens, here or above, and the
// Inode that they are below. There may be none, or none that is listed.
func (in *Inode) beyond(l *names) (base *Inode, f following) {
	habit := order(in.fs.habit.Load()) - 1
	if habit < 0 {
		return nil, f
	}
	l.mu.Lock()
	name := l.name(l.open.last)
	l.open.streak *= 2
	l.mu.Unlock()
	for range maxBeyond {
		f, end := l.filesAfter(name, habit)
		if !end {
			return in, f
		}
		in.mu.Lock()
		parent := in.parent
		name = in.name
		in.mu.Unlock()
		if in = parent; in == nil {
			return nil, f
		}
		if l = in.knownNames(); l == nil {
			return nil, f
		}
	}
	return nil, f
}

// filesAfter returns the first files after the directory called name, or at all if
// name is empty, in l or below. end says that there is nothing more.
func (l *names) filesAfter(name string, habit order) (f following, end bool) {
	var way []string
	for range maxBeyond {
		sub, f, end := l.step(name, habit)
		if sub == nil {
			f.way = way
			return f, end && len(way) == 0
		}
		way, l, name = append(way, f.way...), sub, ""
	}
	return f, false
}

// step looks at what comes after name in l: files, or a directory, which it returns.
func (l *names) step(name string, habit order) (sub *names, f following, end bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := &l.open; !p.started && (p.order != habit || habit != asListed && p.at == nil) {
		l.arrange(habit)
	}
	r := 0
	if name != "" {
		i := l.find(name)
		if i < 0 || l.rank(i) < 0 {
			return nil, f, false
		}
		r = l.rank(i) + 1
	}
	for ; r < l.ranked(); r++ {
		switch i := l.next(r); {
		case l.isGone(i):
		case l.typ(i) == linux.DT_DIR:
			// What is not listed yet, or empty, is not looked behind.
			if sub = l.belowAt(i).load(); sub != nil {
				f.way = []string{l.name(i)}
			}
			return sub, f, false
		case !l.opensAlone(i):
			if p := &l.open; !p.started {
				p.started, p.streak = true, client.MaxOpen/2
			}
			l.open.last = i
			f = following{l: l, batch: []string{l.name(i)}, at: []int{i}}
			return nil, l.files(f, min(2*l.open.streak, client.MaxOpen)), false
		}
	}
	return nil, f, true
}

// opensAlone reports whether the name at position i is none to open ahead.
func (l *names) opensAlone(i int) bool {
	if l.typ(i) != linux.DT_REG || l.ents[i].flags&(gone|distrusted) != 0 {
		return true
	}
	a, _, known := l.attrs(i)
	return known && a.Nlink > 1
}
