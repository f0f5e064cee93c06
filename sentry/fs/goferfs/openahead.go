package goferfs

import (
	"cmp"
	"slices"

	"cordon/gofer/client"
)

const (
	// streakFrom is how many files of a directory have to be opened one after
	// the other before the ones behind them are opened too.
	streakFrom = 2
	// streakGap is how many names may lie between two of them.
	streakGap = 8
)

// openAhead is called to open in. If a program goes through the files of the
// directory, it opens those behind in too, in one round trip, and returns in's
// descriptor. -1: in is to be opened alone.
func (in *Inode) openAhead(write bool) int {
	if write || in.fs.shared {
		return -1
	}
	in.mu.Lock()
	parent, name, adrift := in.parent, in.name, in.adrift
	in.mu.Unlock()
	if parent == nil || adrift {
		return -1
	}
	batch := parent.behind(name)
	if len(batch) < 2 {
		return -1
	}
	before := in.fs.changes.Load()
	n, _, path, err := parent.nearest()
	if err != nil {
		return -1
	}
	defer n.release()
	got, err := n.node.OpenMany(path, batch)
	if err != nil {
		return -1
	}
	fd := -1
	for i, o := range got {
		switch {
		case i == 0 && in.is(&o.Attr):
			fd = o.FD
		case i == 0 || in.fs.changes.Load() != before:
			closeFD(o.FD)
		default:
			c := in.fs.inode(parent, batch[i], client.Step{Attr: o.Attr}, kept)
			c.install(o.FD, false)
			in.fs.idled(c)
		}
	}
	return fd
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
	p.at, p.ranks = make([]int32, len(l.all)), make([]int32, len(l.all))
	for i := range p.at {
		p.at[i] = int32(i)
	}
	slices.SortFunc(p.at, func(a, b int32) int {
		x, y := &l.all[a], &l.all[b]
		if o == byNumber {
			return cmp.Compare(x.attr.ino, y.attr.ino)
		}
		return cmp.Compare(x.name, y.name)
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
			p.streak = streakFrom + 1
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

// behind notes that the file called name is opened, and returns its name and
// those of the files behind it if they are opened in order.
func (in *Inode) behind(name string) []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	l := in.namesLocked()
	if l == nil || l.find(name) == nil {
		return nil
	}
	at := l.index[name]
	most := l.note(at, order(in.fs.habit.Load())-1)
	if most == 1 {
		if l.open.strays > 0 {
			in.fs.habit.Store(0)
		}
		return nil
	}
	in.fs.habit.Store(int32(l.open.order) + 1)
	batch := []string{name}
	end := len(l.all)
	if l.open.at != nil {
		end = len(l.open.at)
	}
	for r := l.rank(at) + 1; r < end && len(batch) < most; r++ {
		i := l.next(r)
		e := &l.all[i]
		if !e.gone && !e.distrusted && e.attr.nlink == 1 && e.isFile() {
			batch = append(batch, e.name)
			l.open.last = i
		}
	}
	return batch
}
