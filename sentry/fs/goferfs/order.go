package goferfs

import (
	"cmp"
	"slices"

	"cordon/gofer/client"
	"cordon/internal/linux"
)

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

// behind notes that the file called name, which l has, is opened, and returns it
// with the files behind it if they are opened in order.
func (in *Inode) behind(l *names, name string) group {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.find(name)
	if i < 0 {
		return group{}
	}
	most := l.note(i, order(in.fs.habit.Load())-1)
	if most == 1 {
		if l.open.strays > 0 {
			in.fs.habit.Store(0)
		}
		return group{}
	}
	in.fs.habit.Store(int32(l.open.order) + 1)
	g := group{l: l, base: in, batch: []string{name}, at: []int{i}}
	g.from = cursor{base: in, spots: []spot{{l: l, rank: l.rank(i)}}}
	l.files(&g, most)
	return g
}

// files adds the files behind the last that was opened, up to most in all, and up to
// the next directory, which a program that goes through the tree enters first.
func (l *names) files(g *group, most int) {
	r := l.rank(l.open.last)
	if r < 0 {
		return
	}
	for r++; r < l.ranked() && len(g.batch) < most; r++ {
		i := l.next(r)
		if l.typ(i) == linux.DT_DIR && !l.isGone(i) {
			break
		}
		if l.opensAlone(i) {
			continue
		}
		g.batch, g.at = append(g.batch, l.name(i)), append(g.at, i)
		l.open.last = i
	}
}

// ranked is how many names have a place in the order of opens.
func (l *names) ranked() int {
	if l.open.at != nil {
		return len(l.open.at)
	}
	return len(l.ents)
}

// opensAlone reports whether the name at position i is none to open ahead.
func (l *names) opensAlone(i int) bool {
	if l.typ(i) != linux.DT_REG || l.ents[i].flags&(gone|distrusted) != 0 {
		return true
	}
	a, _, known := l.attrs(i)
	return known && a.Nlink > 1
}
