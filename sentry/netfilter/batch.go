package netfilter

import (
	"bytes"
	"slices"

	"cordon/internal/linux"
)

// A Message is one of a batch: its type, the family of its struct nfgenmsg, its flags and attributes.
type Message struct {
	Type   uint8
	Family uint8
	Flags  linux.NlMsgFlags
	Attrs  []byte
}

// Apply applies a message to the batch.
func (b *Batch) Apply(m Message) linux.Errno {
	a, ok := parseAttrs(m.Attrs)
	if !ok {
		return linux.EINVAL
	}
	if m.Family != famInet && m.Family != famIPv4 && m.Family != famIPv6 && m.Type != MsgDelTable && m.Type != MsgDestroyTable {
		return linux.EAFNOSUPPORT
	}
	switch m.Type {
	case MsgNewTable:
		return b.newTable(m, a)
	case MsgDelTable, MsgDestroyTable:
		return b.gone(m, MsgDestroyTable, b.delTable(m, a))
	case MsgNewChain:
		return b.newChain(m, a)
	case MsgDelChain, MsgDestroyChain:
		return b.gone(m, MsgDestroyChain, b.delChain(m, a))
	case MsgNewRule:
		return b.newRule(m, a)
	case MsgDelRule, MsgDestroyRule:
		return b.gone(m, MsgDestroyRule, b.delRule(m, a))
	case MsgNewSet:
		return b.newSet(m, a)
	case MsgDelSet, MsgDestroySet:
		return b.gone(m, MsgDestroySet, b.delSet(m, a))
	case MsgNewSetElem:
		return b.newElems(m, a)
	case MsgDelSetElem, MsgDestroySetElem:
		return b.gone(m, MsgDestroySetElem, b.delElems(m, a))
	}
	return linux.EOPNOTSUPP
}

// gone: to destroy is to delete what may not be there.
func (b *Batch) gone(m Message, destroy uint8, errno linux.Errno) linux.Errno {
	if m.Type == destroy && errno == linux.ENOENT {
		return 0
	}
	return errno
}

func (b *Batch) full() bool { return b.s.objects() >= maxObjects }

func (b *Batch) newTable(m Message, a attrs) linux.Errno {
	name := a.text(tableName)
	if name == "" {
		return linux.EINVAL
	}
	flags, _ := a.u32(tableFlags)
	if flags&^1 != 0 {
		return linux.EOPNOTSUPP
	}
	if t := b.s.table(m.Family, name); t != nil {
		if m.Flags&linux.NLM_F_EXCL != 0 {
			return linux.EEXIST
		}
		t.flags = flags
		return 0
	}
	if b.full() {
		return linux.ENOMEM
	}
	b.s.tables = append(b.s.tables, &table{
		family: m.Family, name: name, flags: flags, handle: b.s.handle(), userdata: bytes.Clone(a[tableUserdata]),
	})
	return 0
}

func (b *Batch) delTable(m Message, a attrs) linux.Errno {
	name, named := a.text(tableName), false
	handle, byHandle := a.u64(tableHandle)
	n := len(b.s.tables)
	b.s.tables = slices.DeleteFunc(b.s.tables, func(t *table) bool {
		same := m.Family == 0 || t.family == m.Family
		switch {
		case byHandle:
			same = same && t.handle == handle
		case name != "":
			same = same && t.name == name
		default:
			named = true // all: a flush
		}
		return same
	})
	if len(b.s.tables) == n && !named {
		return linux.ENOENT
	}
	return 0
}

// tableOf finds the table that a message names.
func (b *Batch) tableOf(m Message, a attrs, typ uint16) (*table, linux.Errno) {
	t := b.s.table(m.Family, a.text(typ))
	if t == nil {
		return nil, linux.ENOENT
	}
	return t, 0
}

func (b *Batch) newChain(m Message, a attrs) linux.Errno {
	t, errno := b.tableOf(m, a, chainTable)
	if errno != 0 {
		return errno
	}
	c := t.chain(a.text(chainName))
	if h, ok := a.u64(chainHandle); ok {
		i := slices.IndexFunc(t.chains, func(c *chain) bool { return c.handle == h })
		if i < 0 {
			return linux.ENOENT
		}
		c = t.chains[i]
	}
	if c == nil {
		return b.makeChain(t, a)
	}
	if m.Flags&linux.NLM_F_EXCL != 0 {
		return linux.EEXIST
	}
	if name := a.text(chainName); name != "" && name != c.name {
		if t.chain(name) != nil {
			return linux.EEXIST
		}
		if c.base {
			return linux.EOPNOTSUPP
		}
		c.name = name
	}
	if h, has := a[chainHook]; has {
		hook, prio, errno := readHook(h)
		if errno != 0 {
			return errno
		}
		if !c.base || hook != c.hook || prio != c.priority {
			return linux.EEXIST
		}
	}
	if p, ok := a.u32(chainPolicy); ok {
		if !c.base {
			return linux.EOPNOTSUPP
		}
		if p > vAccept {
			return linux.EINVAL
		}
		c.policy = p
	}
	return c.setCounters(a)
}

func readHook(b []byte) (hook uint32, priority int32, errno linux.Errno) {
	h, ok := parseAttrs(b)
	hook, ok1 := h.u32(hookNum)
	prio, ok2 := h.u32(hookPriority)
	if !ok || !ok1 || !ok2 {
		return 0, 0, linux.EINVAL
	}
	if _, dev := h[hookDev]; dev || hook > 4 {
		return 0, 0, linux.EOPNOTSUPP
	}
	return hook, int32(prio), 0
}

func (b *Batch) makeChain(t *table, a attrs) linux.Errno {
	c := &chain{name: a.text(chainName), userdata: bytes.Clone(a[chainUserdata]), policy: vAccept}
	c.flags, _ = a.u32(chainFlags)
	c.id, _ = a.u32(chainID)
	if c.flags&^5 != 0 { // base and binding
		return linux.EOPNOTSUPP
	}
	if c.name == "" {
		if c.id == 0 {
			return linux.EINVAL
		}
		return linux.EOPNOTSUPP // chains without a name
	}
	if b.full() {
		return linux.ENOMEM
	}
	if h, has := a[chainHook]; has {
		var errno linux.Errno
		c.base = true
		if c.hook, c.priority, errno = readHook(h); errno != 0 {
			return errno
		}
		if c.typ = a.text(chainType); c.typ == "" {
			c.typ = "filter"
		}
		switch {
		case c.typ == "nat":
			if c.hook == 2 {
				return linux.EOPNOTSUPP
			}
		case c.typ == "route":
			if c.hook != 3 {
				return linux.EOPNOTSUPP
			}
		case c.typ != "filter":
			return linux.ENOENT
		}
		if p, ok := a.u32(chainPolicy); ok {
			if p > vAccept {
				return linux.EINVAL
			}
			c.policy = p
		}
	} else if _, has := a[chainPolicy]; has {
		return linux.EOPNOTSUPP
	}
	if errno := c.setCounters(a); errno != 0 {
		return errno
	}
	c.handle = t.next()
	t.chains = append(t.chains, c)
	return 0
}

func (c *chain) setCounters(a attrs) linux.Errno {
	raw, has := a[chainCounters]
	if !has {
		return 0
	}
	n, ok := parseAttrs(raw)
	if !ok || !c.base {
		return linux.EINVAL
	}
	c.counted, c.count = true, &counter{}
	if v, ok := n.u64(1); ok {
		c.count.bytes.Store(v)
	}
	if v, ok := n.u64(2); ok {
		c.count.packets.Store(v)
	}
	return 0
}

// usesOf counts what leads to a chain.
func (t *table) usesOf(name string) int {
	n := 0
	for _, c := range t.chains {
		for _, to := range chainTargets(c) {
			if to == name {
				n++
			}
		}
	}
	for _, s := range t.sets {
		for _, e := range s.elems {
			if e.verdict && e.chain == name {
				n++
			}
		}
	}
	return n
}

func (b *Batch) delChain(m Message, a attrs) linux.Errno {
	t, errno := b.tableOf(m, a, chainTable)
	if errno != 0 {
		return errno
	}
	name := a.text(chainName)
	handle, byHandle := a.u64(chainHandle)
	i := slices.IndexFunc(t.chains, func(c *chain) bool {
		return byHandle && c.handle == handle || !byHandle && c.name == name
	})
	if i < 0 {
		return linux.ENOENT
	}
	c := t.chains[i]
	if m.Flags&linux.NLM_F_NONREC != 0 && len(c.rules) > 0 || t.usesOf(c.name) > 0 {
		return linux.EBUSY
	}
	t.chains = slices.Delete(t.chains, i, i+1)
	return 0
}

// chainOfRule finds the chain that a message about a rule names.
func (t *table) chainOfRule(a attrs) *chain {
	if id, ok := a.u32(ruleChainID); ok {
		for _, c := range t.chains {
			if c.id == id {
				return c
			}
		}
		return nil
	}
	return t.chain(a.text(ruleChain))
}

func (b *Batch) newRule(m Message, a attrs) linux.Errno {
	t, errno := b.tableOf(m, a, ruleTable)
	if errno != 0 {
		return errno
	}
	c := t.chainOfRule(a)
	if c == nil {
		return linux.ENOENT
	}
	if b.full() {
		return linux.ENOMEM
	}
	ru := &rule{raw: bytes.Clone(a[ruleExpressions]), compat: bytes.Clone(a[ruleCompat]), userdata: bytes.Clone(a[ruleUserdata])}
	if len(ru.userdata) > maxUserdata {
		return linux.EINVAL
	}
	ru.id, _ = a.u32(ruleID)
	if ru.exprs, errno = parseExprs(ru.raw, c, m.Family); errno != 0 {
		return errno
	}
	for _, e := range ru.exprs {
		if l, ok := e.(*lookup); ok {
			s := t.setOfRule(l)
			if s == nil {
				return linux.ENOENT
			}
			if l.vmap != (s.flags&setMap != 0 && s.dataType == verdictType) && (l.vmap || l.to >= 0 != (s.flags&setMap != 0)) {
				return linux.EINVAL
			}
			l.name = s.name
		}
	}
	at := len(c.rules)
	if h, ok := a.u64(ruleHandle); ok {
		if at = slices.IndexFunc(c.rules, func(r *rule) bool { return r.handle == h }); at < 0 {
			return linux.ENOENT
		}
		if m.Flags&linux.NLM_F_REPLACE == 0 {
			return linux.EEXIST
		}
		ru.handle = t.next()
		c.rules[at] = ru
		return 0
	}
	if m.Flags&linux.NLM_F_CREATE == 0 || m.Flags&linux.NLM_F_REPLACE != 0 {
		return linux.EINVAL
	}
	if at, errno = c.place(m, a); errno != 0 {
		return errno
	}
	ru.handle = t.next()
	c.rules = slices.Insert(c.rules, at, ru)
	return 0
}

// place is where a new rule goes: before or behind another one, or all.
func (c *chain) place(m Message, a attrs) (int, linux.Errno) {
	add := m.Flags&linux.NLM_F_APPEND != 0
	find := func(same func(r *rule) bool) (int, linux.Errno) {
		i := slices.IndexFunc(c.rules, same)
		if i < 0 {
			return 0, linux.ENOENT
		}
		if add {
			i++
		}
		return i, 0
	}
	if h, ok := a.u64(rulePosition); ok {
		return find(func(r *rule) bool { return r.handle == h })
	}
	if id, ok := a.u32(rulePositionID); ok {
		return find(func(r *rule) bool { return r.id == id && id != 0 })
	}
	if add {
		return len(c.rules), 0
	}
	return 0, 0
}

func (b *Batch) delRule(m Message, a attrs) linux.Errno {
	t, errno := b.tableOf(m, a, ruleTable)
	if errno != 0 {
		return errno
	}
	if _, named := a[ruleChain]; !named {
		if _, byID := a[ruleChainID]; !byID {
			for _, c := range t.chains {
				c.rules = nil
			}
			t.dropAnonymous()
			return 0
		}
	}
	c := t.chainOfRule(a)
	if c == nil {
		return linux.ENOENT
	}
	h, byHandle := a.u64(ruleHandle)
	id, byID := a.u32(ruleID)
	if !byHandle && !byID {
		c.rules = nil
		t.dropAnonymous()
		return 0
	}
	i := slices.IndexFunc(c.rules, func(r *rule) bool { return byHandle && r.handle == h || !byHandle && r.id == id })
	if i < 0 {
		return linux.ENOENT
	}
	c.rules = slices.Delete(c.rules, i, i+1)
	t.dropAnonymous()
	return 0
}

// uses counts the rules that ask a set.
func (t *table) uses(s *set) int {
	n := 0
	for _, c := range t.chains {
		for _, ru := range c.rules {
			for _, e := range ru.exprs {
				if l, ok := e.(*lookup); ok && l.name == s.name {
					n++
				}
			}
		}
	}
	return n
}

// dropAnonymous ends the sets that belonged to rules that have gone.
func (t *table) dropAnonymous() {
	t.sets = slices.DeleteFunc(t.sets, func(s *set) bool { return s.flags&setAnonymous != 0 && t.uses(s) == 0 })
}

func (t *table) setOfRule(l *lookup) *set {
	for _, s := range t.sets {
		if s.name == l.name || l.id != 0 && s.id == l.id {
			return s
		}
	}
	return nil
}
