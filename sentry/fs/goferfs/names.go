package goferfs

import (
	"hash/maphash"
	"sync/atomic"

	"cordon/gofer/client"
	"cordon/gofer/donate"
	"cordon/internal/linux"
	"cordon/internal/lock"
)

// A listing is all names of a directory, until the cache gives it up: then
// load returns nil.
type listing struct{ p atomic.Pointer[names] }

func (l *listing) load() *names {
	if l == nil {
		return nil
	}
	return l.p.Load()
}

// names is what a listing has. A name costs what it takes in the gofer's answer
// and an ent, until it is looked up. Positions stay: a name that goes leaves its
// place empty.
type names struct {
	// immutable
	text string // the gofer's answer, or the part of it that is this directory's
	self place  // the directory's own attributes, if a scan has brought them
	from *piece // the piece of a scan that it came with, if one did
	host uint64 // the device that attributes are of if they do not say
	full bool   // the gofer was asked for attributes with the names

	mu lock.Mutex[lock.GoferNames]

	// guarded by mu
	ents   []ent
	told   []donate.Packed // attributes that came later
	more   map[int32]*more // what few entries have, by position
	below  []*listing      // of directories that were listed before they were looked up
	index  []int32         // 1 + positions by hash of the name; made at the first lookup
	read   bool            // by a program
	wanted bool            // the attributes of one of its files were
	asked  bool            // attributes that did not come with the names were asked for
	open   opening
}

// An ent is a name.
type ent struct {
	at    uint32 // where it is in text; notInText: more has it
	attr  int32  // where its attributes are: a position in told, or one of the below
	flags entFlags
}

const (
	attrNone  int32 = -1 - iota // not known
	attrText                    // with the name
	attrMore                    // in more
	attrBelow                   // in below[0], and so on downwards
)

const notInText = ^uint32(0)

type entFlags uint8

const (
	gone       entFlags = 1 << iota
	distrusted          // the attributes may be older than what the Sentry did since
	handedOver          // the directory's Inode has been given what is below
)

// more is the part of an entry that few need.
type more struct {
	name   string // of what was made here
	typ    linux.DirentType
	ino    uint64
	target string       // of a symbolic link
	full   *client.Attr // where a Packed cannot say it
}

// A place is where in a text attributes are.
type place struct {
	at   uint32
	form donate.Form
}

// textEnt is the ent of an entry at a place of text.
func textEnt(text string, at uint32) ent {
	e := ent{at: at, attr: attrNone}
	if donate.Form(text[at+1]) != donate.FormNone {
		e.attr = attrText
	}
	return e
}

// name, typ and number are of the entry at position i.
func (l *names) name(i int) string {
	at := l.ents[i].at
	if at == notInText {
		return l.more[int32(i)].name
	}
	return l.text[at+3 : at+3+uint32(l.text[at+2])]
}

func (l *names) typ(i int) linux.DirentType {
	if at := l.ents[i].at; at != notInText {
		return linux.DirentType(l.text[at])
	}
	return l.more[int32(i)].typ
}

func (l *names) number(i int) uint64 {
	if at := l.ents[i].at; at != notInText {
		_, _, ino := donate.PeekItem(l.text, int(at))
		return ino
	}
	return l.more[int32(i)].ino
}

func (l *names) isGone(i int) bool { return l.ents[i].flags&gone != 0 }

// belowAt returns what a scan has found in the directory at position i.
func (l *names) belowAt(i int) *listing {
	if a := l.ents[i].attr; a <= attrBelow {
		return l.below[attrBelow-a]
	}
	return nil
}

// listed reports whether a scan has listed the directory at position i, with
// attributes if they are asked for.
func (l *names) listed(i int, attrs bool) bool {
	b := l.belowAt(i).load()
	return b != nil && (b.full || !attrs)
}

// attrs returns the attributes of the entry at position i, and what it leads to if
// it is a symbolic link; false if they are not known.
func (l *names) attrs(i int) (a client.Attr, target string, ok bool) {
	e := &l.ents[i]
	m := l.more[int32(i)]
	if m != nil {
		target = m.target
	}
	switch {
	case e.attr >= 0:
		return l.told[e.attr].Unpack(l.host), target, true
	case e.attr == attrMore:
		return *m.full, target, true
	case e.attr == attrText:
		it, _ := donate.ParseItem(l.text, int(e.at))
		a, ok = donate.ParseAttr(l.text, it.Attr, it.Form, l.host)
		return a, it.Target, ok
	case e.attr <= attrBelow:
		if b := l.below[attrBelow-e.attr].load(); b != nil {
			a, ok = donate.ParseAttr(b.text, int(b.self.at), b.self.form, b.host)
		}
	}
	return a, "", ok
}

// tell notes the attributes of the entry at position i.
func (l *names) tell(i int, a *client.Attr, target string) {
	p, exact := donate.Pack(a, l.host)
	m := l.more[int32(i)]
	if m == nil && (target != "" || !exact) {
		m = l.moreOf(i)
	}
	if m != nil {
		m.target, m.full = target, nil
	}
	if exact {
		l.ents[i].attr = int32(len(l.told))
		l.told = append(l.told, p)
		return
	}
	full := plain(a)
	m.full, l.ents[i].attr = &full, attrMore
}

func (l *names) moreOf(i int) *more {
	m := l.more[int32(i)]
	if m == nil {
		m = &more{}
		if l.more == nil {
			l.more = make(map[int32]*more)
		}
		l.more[int32(i)] = m
	}
	return m
}

// put notes what a scan has found in the directory at position i.
func (l *names) put(i int, b *listing) {
	l.ents[i].attr = attrBelow - int32(len(l.below))
	l.ents[i].flags &^= handedOver
	l.below = append(l.below, b)
}

// few is how many names are looked through rather than indexed.
const few = 8

// seed makes what a guest calls its files spread.
var seed = maphash.MakeSeed()

// find returns the position of the entry called name, -1 if there is none.
func (l *names) find(name string) int {
	if len(l.ents) <= few && l.index == nil {
		for i := range l.ents {
			if !l.isGone(i) && l.name(i) == name {
				return i
			}
		}
		return -1
	}
	if l.index == nil {
		l.reindex()
	}
	mask := len(l.index) - 1
	for h := int(maphash.String(seed, name)) & mask; l.index[h] != 0; h = (h + 1) & mask {
		if i := int(l.index[h]) - 1; !l.isGone(i) && l.name(i) == name {
			return i
		}
	}
	return -1
}

// reindex makes the index, half empty.
func (l *names) reindex() {
	size := 2 * few
	for size < 2*len(l.ents) {
		size *= 2
	}
	l.index = make([]int32, size)
	for i := range l.ents {
		if !l.isGone(i) {
			l.enter(i)
		}
	}
}

func (l *names) enter(i int) {
	mask := len(l.index) - 1
	h := int(maphash.String(seed, l.name(i))) & mask
	for l.index[h] != 0 {
		h = (h + 1) & mask
	}
	l.index[h] = int32(i) + 1
}

// add puts in a name that the Sentry has made. Its attributes will change.
func (l *names) add(name string, a *client.Attr, target string) {
	l.remove(name)
	i := len(l.ents)
	l.ents = append(l.ents, ent{at: notInText, attr: attrNone, flags: distrusted})
	m := l.moreOf(i)
	m.name, m.typ, m.ino = name, a.Mode.DirentType(), a.Ino
	l.tell(i, a, target)
	l.added()
}

// addOnce puts in e, which is in the text: where names come in pieces, one may come
// twice.
func (l *names) addOnce(e ent) {
	_, name, _ := donate.PeekItem(l.text, int(e.at))
	if l.find(name) < 0 {
		l.ents = append(l.ents, e)
		l.added()
	}
}

// added has the index know the last entry.
func (l *names) added() {
	switch {
	case l.index == nil:
	case 4*len(l.ents) > 3*len(l.index):
		l.reindex()
	default:
		l.enter(len(l.ents) - 1)
	}
}

func (l *names) remove(name string) {
	if i := l.find(name); i >= 0 {
		l.ents[i].flags |= gone
	}
}

// distrust marks the attributes of name as old, and what a scan has found below it.
func (l *names) distrust(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := l.find(name); i >= 0 {
		l.ents[i].flags |= distrusted | handedOver
	}
}

// bytes is about what l costs.
func (l *names) bytes() int {
	const fixed, each = 300, 35 // an ent, and a name as most are
	return fixed + each*len(l.ents)
}

// unknown returns the names from position i on, and round to it, of which the
// attributes are not known, and their positions: some at first, then all that one
// request takes.
func (l *names) unknown(i int, all bool) (batch []string, at []int) {
	const first, ofRead, size = 16, 256, 32 << 10
	most := donate.MaxBatch - maxWay
	switch {
	case all || l.asked:
	case l.read:
		most = ofRead
	default:
		most = first
	}
	l.asked = true
	room := size
	for k := range len(l.ents) {
		j := l.turn(i, k)
		if e := &l.ents[j]; e.attr != attrNone || e.flags&(gone|distrusted) != 0 {
			continue
		}
		name := l.name(j)
		if room -= len(name); room < 0 || len(batch) == most {
			break
		}
		batch, at = append(batch, name), append(at, j)
	}
	return batch, at
}

// directories returns the directories from position i on, and round to it, that
// have not been listed as they are to be, and their positions.
func (l *names) directories(i int, attrs bool) (batch []string, at []int) {
	const size = 32 << 10
	room := size
	for k := range len(l.ents) {
		j := l.turn(i, k)
		if l.typ(j) != linux.DT_DIR || l.isGone(j) || l.listed(j, attrs) {
			continue
		}
		name := l.name(j)
		if room -= len(name); room < 0 || len(batch) == donate.MaxBatch-maxWay {
			break
		}
		batch, at = append(batch, name), append(at, j)
	}
	return batch, at
}

// turn is the k-th position from i on, in the order that a program goes by.
func (l *names) turn(i, k int) int {
	if at := l.open.at; len(at) == len(l.ents) {
		return int(at[(int(l.open.ranks[i])+k)%len(at)])
	}
	return (i + k) % len(l.ents)
}

// plain is a without what nobody asks for.
func plain(a *client.Attr) client.Attr {
	b := *a
	b.MountID, b.AttributesMask = 0, 0
	return b
}
