package client

import (
	"strings"

	"cordon/gofer/donate"
	"cordon/internal/linux"
)

// A Listing is directories, or one, as the gofer listed them: its text, which has
// been checked, and where in it things are.
type Listing struct {
	Text  string
	Items []uint32 // where entries begin; what reads them is donate.ParseItem
	Dirs  []Listed // of a scan
	Next  uint64   // the cookie that Readdir goes on with, 0 at the end

	item donate.Item // what is being checked: an address for checks that costs nothing
	dirs int         // among Items
}

// A Listed is a directory of a scan.
type Listed struct {
	donate.Head
	First int // of its Items, Head.Count in all
	Below int // how many of them are directories
}

// Below returns how many entries are directories.
func (l *Listing) Below() int { return l.dirs }

// Item returns an entry.
func (l *Listing) Item(i int) donate.Item {
	it, _ := donate.ParseItem(l.Text, int(l.Items[i]))
	return it
}

// Attr returns the attributes at a place of the text, of an inode of the root's
// device dev where they do not say it.
func (l *Listing) Attr(at int, f donate.Form, dev uint64) Attr {
	a, _ := donate.ParseAttr(l.Text, at, f, dev)
	return a
}

// minItem is the least an entry takes.
const minItem = 12

// entries notes count entries from off on, and returns where they end; a
// negative count is as many as there are. False: they are not what they must be.
func (l *Listing) entries(off, count int, check func(*donate.Item) bool) (int, bool) {
	it := &l.item
	for ok := true; count != 0 && (count > 0 || off < len(l.Text)); count-- {
		*it, ok = donate.ParseItem(l.Text, off)
		if !ok || !goodItem(l.Text, it) || !check(it) {
			return 0, false
		}
		if it.Type == linux.DT_DIR {
			l.dirs++
		}
		l.Items = append(l.Items, uint32(off))
		off = it.End
	}
	return off, true
}

// goodItem checks what there is of attributes.
func goodItem(text string, it *donate.Item) bool {
	if it.Form == donate.FormNone {
		return it.Target == ""
	}
	a, ok := donate.ParseAttr(text, it.Attr, it.Form, 0)
	return ok && a.Mode.DirentType() == it.Type && goodEntry(&donate.Entry{Attr: a, Target: it.Target})
}

// named checks an entry of a directory.
func named(it *donate.Item) bool {
	switch it.Type {
	case linux.DT_REG, linux.DT_DIR, linux.DT_LNK, linux.DT_CHR, linux.DT_BLK, linux.DT_FIFO, linux.DT_SOCK:
	default:
		return false
	}
	if strings.IndexByte(it.Name, '/') >= 0 || strings.IndexByte(it.Name, 0) >= 0 {
		return false
	}
	return it.Name != "" && it.Name != "." && it.Name != ".."
}

// unnamed checks an answer of StatMany.
func unnamed(it *donate.Item) bool {
	return it.Name == "" && (it.Form != donate.FormNone || it.Type == linux.DT_UNKNOWN)
}

// Readdir returns entries of n after the cookie, 0 at first; "." and ".." are not
// among them.
func (n *Node) Readdir(cookie uint64, attrs bool) (*Listing, error) {
	q := donate.Request{Op: donate.OpReaddir, Handle: n.handle, Offset: cookie, Flags: listFlags(attrs)}
	return n.list(&q, named, func(l *Listing) bool { return l.Next == 0 || len(l.Items) > 0 })
}

// StatMany returns what names are in the directory that path leads to from n, in
// order, as far as there is room. What cannot be had has no attributes.
func (n *Node) StatMany(path, names []string) (*Listing, error) {
	q := donate.Request{Op: donate.OpStatMany, Handle: n.handle}
	if e := join(&q, path, names, donate.MaxBatch); e != 0 {
		return nil, e
	}
	return n.list(&q, unnamed, func(l *Listing) bool { return len(l.Items) <= len(names) })
}

func listFlags(attrs bool) uint32 {
	if attrs {
		return donate.ListAttrs
	}
	return 0
}

// list performs an operation that returns a list without heads.
func (n *Node) list(q *donate.Request, item func(*donate.Item) bool, check func(*Listing) bool) (*Listing, error) {
	var r donate.Reply
	if e := n.c.do(q, &r); e != 0 {
		return nil, e
	}
	l := &Listing{Text: r.List, Next: r.Next, Items: make([]uint32, 0, len(r.List)/(2*minItem))}
	if _, ok := l.entries(0, -1, item); !ok || !check(l) {
		n.c.distrust(&r)
		return nil, linux.EIO
	}
	return l, nil
}

// A Scan lists directories and what is below them, piece by piece. It is for one
// caller at a time.
type Scan struct {
	c      *Client
	handle uint64 // to go on with; NoHandle at the end
	stack  []scanDir
	names  int

	q    donate.Request
	r    donate.Reply
	wait func() // nil: no piece is asked for
}

// scanDir is a directory on the way to where a scan is.
type scanDir struct {
	l     *Listing
	first int
	count uint32
}

// Scan begins to list the directories called names in the directory that path
// leads to from n, each with what is below it, and asks for the first piece, of
// about room bytes. It does not wait.
func (n *Node) Scan(path, names []string, room int, attrs bool) (*Scan, error) {
	s := &Scan{c: n.c, names: len(names)}
	s.q = donate.Request{Op: donate.OpScan, Handle: n.handle, Length: uint64(room), Flags: listFlags(attrs)}
	if e := join(&s.q, path, names, donate.MaxBatch); e != 0 {
		return nil, e
	}
	s.wait = n.c.t.Begin(&s.q, &s.r)
	return s, nil
}

// More asks for the next piece and reports whether there is one. The one before
// must have been waited for.
func (s *Scan) More(room int, attrs bool) bool {
	if s.handle == donate.NoHandle || s.wait != nil {
		return false
	}
	s.q = donate.Request{Op: donate.OpScanMore, Handle: s.handle, Length: uint64(room), Flags: listFlags(attrs)}
	s.wait = s.c.t.Begin(&s.q, &s.r)
	return true
}

// Wait returns the piece that was asked for. What it does not have of the
// directories asked for cannot be listed, or comes with the next.
func (s *Scan) Wait() (*Listing, error) {
	if s.wait == nil {
		return nil, linux.EIO
	}
	s.wait()
	s.wait = nil
	if e := s.c.checked(&s.q, &s.r); e != 0 {
		return nil, e
	}
	more := s.q.Op == donate.OpScanMore
	if more && s.r.Next != s.handle && s.r.Next != donate.NoHandle {
		s.c.distrust(&s.r)
		return nil, linux.EIO
	}
	if more && s.r.Next == donate.NoHandle {
		s.c.clunk(s.handle)
	}
	s.handle = s.r.Next
	l := &Listing{Text: s.r.List, Items: make([]uint32, 0, len(s.r.List)/(2*minItem))}
	s.r.List = ""
	if !s.parse(l) {
		s.c.distrust(&s.r)
		return nil, linux.EIO
	}
	return l, nil
}

// parse checks that every directory is one that was asked for, or an entry of
// one before.
func (s *Scan) parse(l *Listing) bool {
	for off := 0; off < len(l.Text); {
		h, ok := donate.ParseHead(l.Text, off)
		if !ok || h.Depth > len(s.stack) || h.Form == donate.FormNone {
			return false
		}
		a, ok := donate.ParseAttr(l.Text, h.Attr, h.Form, 0)
		if !ok || !a.Mode.IsDir() || !goodEntry(&donate.Entry{Attr: a}) {
			return false
		}
		if h.Depth == 0 && int64(h.Which) >= int64(s.names) {
			return false
		}
		if h.Depth > 0 {
			p := &s.stack[h.Depth-1]
			if h.Which >= p.count || p.l.Item(p.first+int(h.Which)).Type != linux.DT_DIR {
				return false
			}
		}
		if uint64(h.Count)*(minItem) > uint64(len(l.Text)) {
			return false
		}
		d, before := Listed{Head: h, First: len(l.Items)}, l.dirs
		if off, ok = l.entries(h.End, int(h.Count), named); !ok {
			return false
		}
		d.Below = l.dirs - before
		l.Dirs = append(l.Dirs, d)
		s.stack = append(s.stack[:h.Depth], scanDir{l, d.First, h.Count})
	}
	return true
}

// Close ends the scan, after the piece that was asked for.
func (s *Scan) Close() {
	if s.wait != nil {
		_, _ = s.Wait()
	}
	if s.handle != donate.NoHandle {
		s.c.clunk(s.handle)
		s.handle = donate.NoHandle
	}
}
