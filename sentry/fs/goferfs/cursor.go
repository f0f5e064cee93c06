package goferfs

import (
	"slices"

	"cordon/gofer/client"
	"cordon/gofer/donate"
	"cordon/internal/linux"
)

// A cursor is a place in a tree that a program goes through, in the order that it opens
// files in: in the directory of the last spot, which is below those before it.
type cursor struct {
	base  *Inode // the directory of the first spot
	spots []spot
}

// A spot is the place in one directory: the rank of what comes next.
type spot struct {
	l    *names
	name string // of the directory in the one above
	rank int
}

// maxSteps is how many directories next looks at for a file.
const maxSteps = 64

// next returns the next file, if it is known.
func (c *cursor) next(habit order) (l *names, i int, ok bool) {
	for range maxSteps {
		s := &c.spots[len(c.spots)-1]
		i, sub, end := s.step(habit)
		switch {
		case sub.l != nil && len(c.spots) < maxWay/2:
			c.spots = append(c.spots, sub)
		case sub.l != nil:
		case !end:
			return s.l, i, i >= 0
		case len(c.spots) > 1:
			c.spots = c.spots[:len(c.spots)-1]
		case !c.climb(habit):
			return nil, 0, false
		}
	}
	return nil, 0, false
}

// step goes to the next file, which it returns, or directory. A directory that is not
// listed is not passed: then i is negative. end says that there is nothing more.
func (s *spot) step(habit order) (i int, sub spot, end bool) {
	l := s.l
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expect(habit)
	for ; s.rank < l.ranked(); s.rank++ {
		i := l.next(s.rank)
		switch {
		case l.isGone(i):
		case l.typ(i) == linux.DT_DIR:
			sub.l, sub.name = l.belowAt(i).load(), l.name(i)
			if sub.l == nil {
				return -1, spot{}, false
			}
			s.rank++
			return -1, sub, false
		case !l.opensAlone(i):
			s.rank++
			return i, spot{}, false
		}
	}
	return -1, spot{}, true
}

// expect puts l into the order that files are opened in elsewhere, if none was here.
func (l *names) expect(habit order) {
	if p := &l.open; !p.started && (p.order != habit || habit != asListed && p.at == nil) {
		l.arrange(habit)
	}
}

// climb goes to what comes after the first spot's directory in the one above it.
func (c *cursor) climb(habit order) bool {
	c.base.mu.Lock()
	parent, name := c.base.parent, c.base.name
	c.base.mu.Unlock()
	if parent == nil {
		return false
	}
	l := parent.knownNames()
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expect(habit)
	i := l.find(name)
	if i < 0 || l.rank(i) < 0 {
		return false
	}
	c.base, c.spots = parent, []spot{{l: l, rank: l.rank(i) + 1}}
	return true
}

// after returns a copy of c that is n files further on in its directory.
func (c *cursor) after(n int) cursor {
	d := cursor{base: c.base, spots: slices.Clone(c.spots)}
	s := &d.spots[len(d.spots)-1]
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	for ; n > 0 && s.rank < s.l.ranked(); s.rank++ {
		if i := s.l.next(s.rank); s.l.typ(i) != linux.DT_DIR && !s.l.opensAlone(i) {
			n--
		}
	}
	return d
}

// gather returns the next files, as many as fit in one answer.
func (c *cursor) gather(habit order, inlines bool) (groups []group) {
	fds, bytes, names := 0, 0, 0
	for files := 0; files < client.MaxOpen && names < donate.MaxBatch/2; files++ {
		l, i, ok := c.next(habit)
		if !ok {
			break
		}
		top := &c.spots[len(c.spots)-1]
		l.mu.Lock()
		if size := l.sizeInline(i); inlines && size > 0 {
			bytes += size
		} else {
			fds++
		}
		if fds > donate.MaxFDs || bytes > donate.MaxContents {
			top.rank-- // it is the first of the next answer
			l.mu.Unlock()
			break
		}
		if k := len(groups); k == 0 || groups[k-1].l != l {
			g := group{l: l, base: c.base}
			g.from = cursor{base: c.base, spots: slices.Clone(c.spots)}
			g.from.spots[len(c.spots)-1].rank--
			for _, s := range c.spots[1:] {
				g.way = append(g.way, s.name)
			}
			groups, names = append(groups, g), names+maxWay
		}
		g := &groups[len(groups)-1]
		g.batch, g.at = append(g.batch, l.name(i)), append(g.at, i)
		if p := &l.open; !p.started {
			p.started, p.streak = true, client.MaxOpen/2
		}
		l.open.last = i
		l.mu.Unlock()
		names++
	}
	return groups
}

// sizeInline returns how many bytes the file at position i comes as, if it comes as its
// contents; 0 if not.
func (l *names) sizeInline(i int) int {
	const unknown = 8 << 10
	a, _, known := l.attrs(i)
	switch {
	case !known:
		return unknown
	case a.Size > donate.MaxInline || a.Blocks == 0:
		return 0
	}
	return int(a.Size)
}
