package goferfs

import (
	"cmp"
	"slices"

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
// goes through it: all that it opens now and next, in one round trip. It is
// waited for when one of them is needed.
type openAhead struct {
	// immutable
	dir    *Inode
	l      *names
	batch  []string
	at     []int // their positions in l
	before uint64

	// turn holds a token while somebody works on what is below.
	turn chan struct{}

	call *client.Opening // nil: it was waited for
	node *nodeRef        // what it was asked of
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
	o := fs.openingAhead()
	if o == nil || o.l != l || !slices.Contains(o.batch, name) {
		batch, at := parent.behind(l, name)
		if len(batch) < 2 {
			return
		}
		if o = parent.openMany(l, batch, at); o == nil {
			return
		}
	}
	if !o.take() {
		return
	}
	// The program needed it, so it will need the next.
	if batch, at := l.nextBatch(); len(batch) > 1 {
		parent.openMany(l, batch, at)
	}
}

func (fs *FS) openingAhead() *openAhead {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.ahead
}

// openMany begins to open files of in, in place of what was being opened before.
func (in *Inode) openMany(l *names, batch []string, at []int) *openAhead {
	fs := in.fs
	before := fs.changes.Load()
	n, _, path, err := in.nearest()
	if err != nil {
		return nil
	}
	call, err := n.node.BeginOpenMany(path, batch)
	if err != nil {
		n.release()
		return nil
	}
	o := &openAhead{dir: in, l: l, batch: batch, at: at, before: before, turn: make(chan struct{}, 1), call: call, node: n}
	fs.mu.Lock()
	old := fs.ahead
	fs.ahead = o
	fs.mu.Unlock()
	old.take()
	return o
}

// take gives the files their descriptors, and reports whether it was this call that
// did.
func (o *openAhead) take() bool {
	if o == nil {
		return false
	}
	o.turn <- struct{}{}
	defer func() { <-o.turn }()
	got := o.waitLocked()
	fs := o.dir.fs
	for i, f := range got {
		if fs.changes.Load() != o.before {
			closeFD(f.FD)
			continue
		}
		o.l.mu.Lock()
		if o.l.ents[o.at[i]].attr == attrNone {
			o.l.tell(o.at[i], &f.Attr, "")
		}
		o.l.mu.Unlock()
		c := fs.inode(o.dir, o.batch[i], client.Step{Attr: f.Attr}, kept)
		c.install(f.FD, false)
		fs.idled(c)
	}
	return len(got) > 0
}

// drop closes what o has opened.
func (o *openAhead) drop() {
	if o == nil {
		return
	}
	o.turn <- struct{}{}
	defer func() { <-o.turn }()
	for _, f := range o.waitLocked() {
		closeFD(f.FD)
	}
}

// waitLocked returns what was opened, once.
func (o *openAhead) waitLocked() []client.Opened {
	if o.call == nil {
		return nil
	}
	got, err := o.call.Wait()
	o.call = nil
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
func (in *Inode) behind(l *names, name string) (batch []string, at []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.find(name)
	if i < 0 {
		return nil, nil
	}
	most := l.note(i, order(in.fs.habit.Load())-1)
	if most == 1 {
		if l.open.strays > 0 {
			in.fs.habit.Store(0)
		}
		return nil, nil
	}
	in.fs.habit.Store(int32(l.open.order) + 1)
	return l.files([]string{name}, []int{i}, most)
}

// nextBatch returns the files behind those that were opened last.
func (l *names) nextBatch() (batch []string, at []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open.streak *= 2
	return l.files(nil, nil, min(2*l.open.streak, client.MaxOpen))
}

// files adds the files behind the last that was opened, up to most in all.
func (l *names) files(batch []string, at []int, most int) ([]string, []int) {
	end := len(l.ents)
	if l.open.at != nil {
		end = len(l.open.at)
	}
	r := l.rank(l.open.last)
	if r < 0 {
		return batch, at
	}
	for r++; r < end && len(batch) < most; r++ {
		i := l.next(r)
		if l.opensAlone(i) {
			continue
		}
		batch, at = append(batch, l.name(i)), append(at, i)
		l.open.last = i
	}
	return batch, at
}

// opensAlone reports whether the name at position i is none to open ahead.
func (l *names) opensAlone(i int) bool {
	if l.typ(i) != linux.DT_REG || l.ents[i].flags&(gone|distrusted) != 0 {
		return true
	}
	a, _, known := l.attrs(i)
	return known && a.Nlink > 1
}
