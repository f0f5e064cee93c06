package netfilter

import "cordon/internal/linux"

// A Query says what to list; zeros say everything.
type Query struct {
	Family uint8
	Attrs  []byte
}

// An Item is one object in a listing: the type of its message, its family and its attributes.
type Item struct {
	Type   uint8
	Family uint8
	Attrs  []byte
}

// List answers a MsgGetX: all objects that a query takes, with emit called for each. one says that a single one is meant:
// then ENOENT if it is not there.
func (r *Ruleset) List(typ uint8, q Query, one bool, emit func(Item)) linux.Errno {
	a, ok := parseAttrs(q.Attrs)
	if !ok {
		return linux.EINVAL
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l := lister{s: &r.now, family: q.Family, a: a, one: one, emit: emit}
	switch typ {
	case MsgGetTable:
		l.tables()
	case MsgGetChain:
		l.chains()
	case MsgGetRule, MsgGetRuleReset:
		l.reset = typ == MsgGetRuleReset
		l.rules()
	case MsgGetSet:
		l.sets()
	case MsgGetSetElem:
		return l.elems()
	case MsgGetObj, MsgGetFlowtable:
	default:
		return linux.EINVAL
	}
	if one && l.found == 0 {
		return linux.ENOENT
	}
	return 0
}

type lister struct {
	s      *state
	family uint8
	a      attrs
	one    bool
	reset  bool
	found  int
	emit   func(Item)
}

func (l *lister) put(typ, family uint8, fill func(w *Writer)) {
	var w Writer
	fill(&w)
	l.found++
	l.emit(Item{typ, family, w.B})
}

// each calls fn with the tables that are asked about.
func (l *lister) each(typ uint16, fn func(t *table)) {
	name := l.a.text(typ)
	for _, t := range l.s.tables {
		if (l.family == 0 || t.family == l.family) && (name == "" || t.name == name) {
			fn(t)
		}
	}
}

func (l *lister) tables() {
	handle, byHandle := l.a.u64(tableHandle)
	l.each(tableName, func(t *table) {
		if !byHandle || t.handle == handle {
			l.put(MsgNewTable, t.family, t.write)
		}
	})
}

func (t *table) write(w *Writer) {
	w.text(tableName, t.name)
	w.u64(tableHandle, t.handle)
	w.u32(tableFlags, t.flags)
	w.u32(tableUse, uint32(len(t.chains)+len(t.sets)))
	if len(t.userdata) > 0 {
		w.Attr(tableUserdata, t.userdata)
	}
}

func (l *lister) chains() {
	name := l.a.text(chainName)
	handle, byHandle := l.a.u64(chainHandle)
	l.each(chainTable, func(t *table) {
		for _, c := range t.chains {
			if (name == "" || c.name == name) && (!byHandle || c.handle == handle) {
				l.put(MsgNewChain, t.family, func(w *Writer) { c.write(w, t) })
			}
		}
	})
}

func (c *chain) write(w *Writer, t *table) {
	w.text(chainTable, t.name)
	w.text(chainName, c.name)
	w.u64(chainHandle, c.handle)
	if c.base {
		w.nest(chainHook, func(w *Writer) {
			w.u32(hookNum, c.hook)
			w.u32(hookPriority, uint32(c.priority))
		})
		w.u32(chainPolicy, c.policy)
		w.text(chainType, c.typ)
		if c.counted {
			w.nest(chainCounters, func(w *Writer) { c.count.write(w) })
		}
	}
	if c.flags != 0 {
		w.u32(chainFlags, c.flags)
	}
	w.u32(chainUse, uint32(len(c.rules)+t.usesOf(c.name)))
	if len(c.userdata) > 0 {
		w.Attr(chainUserdata, c.userdata)
	}
}

func (c *counter) write(w *Writer) {
	w.u64(1, c.bytes.Load())
	w.u64(2, c.packets.Load())
}

func (l *lister) rules() {
	name := l.a.text(ruleChain)
	handle, byHandle := l.a.u64(ruleHandle)
	l.each(ruleTable, func(t *table) {
		for _, c := range t.chains {
			if name != "" && c.name != name {
				continue
			}
			last := uint64(0)
			for _, ru := range c.rules {
				if !byHandle || ru.handle == handle {
					l.put(MsgNewRule, t.family, func(w *Writer) { ru.write(w, t, c, last) })
				}
				if l.reset {
					ru.zero()
				}
				last = ru.handle
			}
		}
	})
}

func (ru *rule) zero() {
	for _, e := range ru.exprs {
		if c, ok := e.(*count); ok {
			c.packets.Store(0)
			c.bytes.Store(0)
		}
	}
}

func (ru *rule) write(w *Writer, t *table, c *chain, before uint64) {
	w.text(ruleTable, t.name)
	w.text(ruleChain, c.name)
	w.u64(ruleHandle, ru.handle)
	if before != 0 {
		w.u64(rulePosition, before)
	}
	w.nest(ruleExpressions, ru.writeExprs)
	if len(ru.userdata) > 0 {
		w.Attr(ruleUserdata, ru.userdata)
	}
}

// writeExprs writes the expressions as they were given, but counters as they are now, and sets by the names they have got.
func (ru *rule) writeExprs(w *Writer) {
	i := 0
	each(ru.raw, func(_ uint16, data []byte) bool {
		e := ru.exprs[i]
		i++
		switch e := e.(type) {
		case *count:
			w.nest(listElem, func(w *Writer) {
				w.text(exprName, "counter")
				w.nest(exprData, func(w *Writer) { e.counter.write(w) })
			})
		case *lookup:
			a, _ := parseAttrs(data)
			w.nest(listElem, func(w *Writer) {
				w.text(exprName, "lookup")
				w.nest(exprData, func(w *Writer) {
					w.text(1, e.name)
					each(a[exprData], func(typ uint16, data []byte) bool {
						if typ != 1 && typ != 4 {
							w.Attr(typ, data)
						}
						return true
					})
				})
			})
		default:
			w.Attr(listElem|nested, data)
		}
		return true
	})
}

func (l *lister) sets() {
	name := l.a.text(setName)
	handle, byHandle := l.a.u64(setHandle)
	l.each(setTable, func(t *table) {
		for _, s := range t.sets {
			if (name == "" || s.name == name) && (!byHandle || s.handle == handle) {
				l.put(MsgNewSet, t.family, func(w *Writer) { s.write(w, t) })
			}
		}
	})
}

func (s *set) write(w *Writer, t *table) {
	w.text(setTable, t.name)
	w.text(setName, s.name)
	w.u64(setHandle, s.handle)
	if s.flags != 0 {
		w.u32(setFlags, s.flags)
	}
	w.u32(setKeyType, s.keyType)
	w.u32(setKeyLen, s.keyLen)
	if s.flags&setMap != 0 {
		w.u32(setDataType, s.dataType)
		w.u32(setDataLen, s.dataLen)
	}
	for _, x := range []uint16{setPolicy, setDesc} {
		if b := s.raw[x]; len(b) > 0 {
			typ := x
			if x == setDesc {
				typ |= nested
			}
			w.Attr(typ, b)
		}
	}
	if len(s.userdata) > 0 {
		w.Attr(setUserdata, s.userdata)
	}
}

// elemsPerMessage is how many elements go into one message of a listing.
const elemsPerMessage = 64

func (l *lister) elems() linux.Errno {
	errno := linux.Errno(linux.ENOENT)
	wanted := []*element(nil)
	if l.one {
		return linux.EOPNOTSUPP // single elements
	}
	l.each(elemsTable, func(t *table) {
		s := t.set(l.a.text(elemsSet))
		if s == nil {
			return
		}
		errno = 0
		wanted = s.elems
		for len(wanted) > 0 {
			n := min(len(wanted), elemsPerMessage)
			l.put(MsgNewSetElem, t.family, func(w *Writer) { s.writeElems(w, t, wanted[:n]) })
			wanted = wanted[n:]
		}
	})
	return errno
}

func (s *set) writeElems(w *Writer, t *table, es []*element) {
	w.text(elemsTable, t.name)
	w.text(elemsSet, s.name)
	w.nest(elemsList, func(w *Writer) {
		for _, e := range es {
			w.nest(listElem, func(w *Writer) { e.write(w) })
		}
	})
}

func (e *element) write(w *Writer) {
	w.nest(elemKey, func(w *Writer) { w.Attr(dataValue, e.key) })
	if e.end {
		w.u32(elemFlags, elemIntervalEnd)
	}
	switch {
	case e.verdict:
		w.nest(elemData, func(w *Writer) {
			w.nest(dataVerdict, func(w *Writer) {
				w.u32(verdictCode, uint32(e.code))
				if e.chain != "" {
					w.text(verdictChain, e.chain)
				}
			})
		})
	case e.data != nil:
		w.nest(elemData, func(w *Writer) { w.Attr(dataValue, e.data) })
	}
	if len(e.userdata) > 0 {
		w.Attr(elemUserdata, e.userdata)
	}
}

// WriteGeneration writes the attributes of MsgNewGen.
func (r *Ruleset) WriteGeneration(w *Writer, pid uint32, name string) {
	w.u32(genID, r.Generation())
	w.u32(2, pid)
	w.text(3, name)
}

// Compat answers NFT_COMPAT's question for a match or target: its attributes, or ENOENT.
func Compat(b []byte) ([]byte, linux.Errno) {
	a, ok := parseAttrs(b)
	rev, ok2 := a.u32(2)
	kind, ok3 := a.u32(3)
	if !ok || !ok2 || !ok3 || kind > 1 {
		return nil, linux.EINVAL
	}
	name := a.text(1)
	if !HasExtension(name, rev, kind == 1) {
		return nil, linux.ENOENT
	}
	var w Writer
	w.text(1, name)
	w.u32(2, rev)
	w.u32(3, kind)
	return w.B, 0
}
