package netfilter

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"cordon/internal/linux"
)

// The interface of iptables before nf_tables (ip_tables.h, ip6_tables.h): a table is one blob of entries, read and replaced
// as a whole. Here it is a table like others, with the blob beside it.

// Sizes and places in the blob's structs.
const (
	legacyName     = 32
	legacyHooks    = 5
	legacyInfoSize = legacyName + 4 + 8*legacyHooks + 8
	replaceHead    = 96
	entriesHead    = 40
	extensionHead  = 32
	maxLegacy      = 1 << 20
)

// A layout is where things stand in an entry of a family.
type layout struct {
	addr, ifaces, proto, flags, inv, target, counters, head int
}

var (
	layout4 = layout{4, 16, 80, 82, 83, 88, 96, 112}
	layout6 = layout{16, 64, 128, 131, 132, 140, 152, 168}
)

func layoutOf(family uint8) layout {
	if family == famIPv6 {
		return layout6
	}
	return layout4
}

// A legacyTable is one of the tables that iptables knows.
type legacyTable struct {
	name             string
	family           uint8
	hooks            uint32
	entry, underflow [legacyHooks]uint32
	blob             []byte
	places           []int // of the entries in blob
	counts           []*counter
	t                *table
}

// legacyKind is what a table may have: its hooks, their chains' type and priorities.
type legacyKind struct {
	hooks    uint32
	typ      string
	priority [legacyHooks]int32
}

// Set in one place and never changed.
var legacyKinds = map[string]legacyKind{
	"filter": {1<<1 | 1<<2 | 1<<3, "filter", [legacyHooks]int32{}},
	"nat":    {1<<0 | 1<<1 | 1<<3 | 1<<4, "nat", [legacyHooks]int32{-100, 100, 0, -100, 100}},
	"mangle": {1<<legacyHooks - 1, "filter", [legacyHooks]int32{-150, -150, -150, -150, -150}},
	"raw":    {1<<0 | 1<<3, "filter", [legacyHooks]int32{-300, 0, 0, -300, 0}},
}

// legacy finds a table, or makes it as it is in the beginning: all is accepted.
func (s *state) legacyTable(name string, family uint8) (*legacyTable, linux.Errno) {
	for _, l := range s.legacy {
		if l.name == name && l.family == family {
			return l, 0
		}
	}
	kind, ok := legacyKinds[name]
	if !ok {
		return nil, linux.ENOENT
	}
	y := layoutOf(family)
	l := &legacyTable{name: name, family: family, hooks: kind.hooks}
	put := func(target []byte) {
		e := make([]byte, y.head)
		le := binary.LittleEndian
		le.PutUint16(e[y.target:], uint16(y.head))
		le.PutUint16(e[y.target+2:], uint16(y.head+len(target)))
		l.blob = append(append(l.blob, e...), target...)
	}
	standard := make([]byte, extensionHead+8)
	binary.LittleEndian.PutUint16(standard, uint16(len(standard)))
	accept := int32(-vAccept - 1)
	binary.LittleEndian.PutUint32(standard[extensionHead:], uint32(accept))
	for h := range uint32(legacyHooks) {
		if kind.hooks>>h&1 != 0 {
			l.entry[h], l.underflow[h] = uint32(len(l.blob)), uint32(len(l.blob))
			put(standard)
		}
	}
	end := make([]byte, extensionHead+32)
	binary.LittleEndian.PutUint16(end, uint16(len(end)))
	copy(end[2:], "ERROR")
	copy(end[extensionHead:], "ERROR")
	put(end)
	if errno := l.parse(); errno != 0 {
		return nil, errno
	}
	return l, 0
}

// askedLocked returns the table that a request of at least size bytes names at its
// beginning.
func (r *Ruleset) askedLocked(family uint8, in []byte, size int) (*legacyTable, linux.Errno) {
	if len(in) < size {
		return nil, linux.EINVAL
	}
	return r.now.legacyTable(nameOf(in[:legacyName]), family)
}

// LegacyInfo is IPT_SO_GET_INFO.
func (r *Ruleset) LegacyInfo(family uint8, in []byte) ([]byte, linux.Errno) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, errno := r.askedLocked(family, in, legacyInfoSize)
	if errno != 0 {
		return nil, errno
	}
	b := bytes.Clone(in[:legacyName])
	le := binary.LittleEndian
	b = le.AppendUint32(b, l.hooks)
	for _, v := range l.entry {
		b = le.AppendUint32(b, v)
	}
	for _, v := range l.underflow {
		b = le.AppendUint32(b, v)
	}
	b = le.AppendUint32(b, uint32(len(l.places)))
	return le.AppendUint32(b, uint32(len(l.blob))), 0
}

// LegacyEntries is IPT_SO_GET_ENTRIES.
func (r *Ruleset) LegacyEntries(family uint8, in []byte) ([]byte, linux.Errno) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, errno := r.askedLocked(family, in, entriesHead)
	if errno != 0 {
		return nil, errno
	}
	if le32(in[legacyName:]) != uint32(len(l.blob)) {
		return nil, linux.EAGAIN
	}
	return append(bytes.Clone(in[:entriesHead]), l.counted()...), 0
}

// counted is the blob with the counters as they are.
func (l *legacyTable) counted() []byte {
	b, y := bytes.Clone(l.blob), layoutOf(l.family)
	for i, at := range l.places {
		binary.LittleEndian.PutUint64(b[at+y.counters:], l.counts[i].packets.Load())
		binary.LittleEndian.PutUint64(b[at+y.counters+8:], l.counts[i].bytes.Load())
	}
	return b
}

// LegacyReplace is IPT_SO_SET_REPLACE. The old counters are not given back: they begin anew.
func (r *Ruleset) LegacyReplace(family uint8, in []byte) linux.Errno {
	if len(in) < replaceHead {
		return linux.EINVAL
	}
	l := &legacyTable{name: nameOf(in[:legacyName]), family: family, hooks: le32(in[32:])}
	kind, ok := legacyKinds[l.name]
	if !ok {
		return linux.ENOENT
	}
	size := le32(in[40:])
	if uint64(len(in)) != replaceHead+uint64(size) || size > maxLegacy || l.hooks != kind.hooks {
		return linux.EINVAL
	}
	for h := range legacyHooks {
		l.entry[h], l.underflow[h] = le32(in[44+4*h:]), le32(in[64+4*h:])
	}
	l.blob = bytes.Clone(in[replaceHead:])
	if errno := l.parse(); errno != 0 {
		return errno
	}
	if uint32(len(l.places)) != le32(in[36:]) {
		return linux.EINVAL
	}
	return r.replaceLegacy(l)
}

func (r *Ruleset) replaceLegacy(l *legacyTable) linux.Errno {
	b, errno := r.Begin(0)
	if errno != 0 {
		return errno
	}
	kept := make([]*legacyTable, 0, len(b.s.legacy)+1)
	for _, o := range b.s.legacy {
		if o.name != l.name || o.family != l.family {
			kept = append(kept, o)
		}
	}
	b.s.legacy = append(kept, l)
	return b.Commit()
}

// LegacyAddCounters is IPT_SO_SET_ADD_COUNTERS.
func (r *Ruleset) LegacyAddCounters(family uint8, in []byte) linux.Errno {
	const head = 40
	if len(in) < head {
		return linux.EINVAL
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l, errno := r.now.legacyTable(nameOf(in[:legacyName]), family)
	if errno != 0 {
		return errno
	}
	n := int(le32(in[legacyName:]))
	if n != len(l.counts) || len(in) != head+16*n {
		return linux.EINVAL
	}
	for i, c := range l.counts {
		c.packets.Add(binary.LittleEndian.Uint64(in[head+16*i:]))
		c.bytes.Add(binary.LittleEndian.Uint64(in[head+16*i+8:]))
	}
	return 0
}

// LegacyRevision is IPT_SO_GET_REVISION_MATCH and _TARGET.
func LegacyRevision(in []byte, target bool) linux.Errno {
	const size, nameSize = 30, 29
	if len(in) < size {
		return linux.EINVAL
	}
	name := nameOf(in[:nameSize])
	if target && (name == "" || name == "ERROR") && in[nameSize] == 0 {
		return 0
	}
	if _, ok := BestExtension(name, target); !ok {
		return linux.ENOENT
	}
	if !HasExtension(name, uint32(in[nameSize]), target) {
		return linux.EPROTONOSUPPORT
	}
	return 0
}

func nameOf(b []byte) string {
	name, _, _ := bytes.Cut(b, []byte{0})
	return string(name)
}

// parse makes chains and rules of the blob.
func (l *legacyTable) parse() linux.Errno {
	y := layoutOf(l.family)
	at := make(map[uint32]int) // entries by their place
	for off := 0; off < len(l.blob); {
		if len(l.blob)-off < y.head {
			return linux.EINVAL
		}
		e := l.blob[off:]
		target, next := int(le16(e[y.target:])), int(le16(e[y.target+2:]))
		if off%8 != 0 || target < y.head || next < target+extensionHead || next > len(e) || next%8 != 0 {
			return linux.EINVAL
		}
		at[uint32(off)] = len(l.places)
		l.places = append(l.places, off)
		l.counts = append(l.counts, &counter{})
		n := len(l.counts) - 1
		l.counts[n].packets.Store(binary.LittleEndian.Uint64(e[y.counters:]))
		l.counts[n].bytes.Store(binary.LittleEndian.Uint64(e[y.counters+8:]))
		off += next
	}
	if len(l.places) == 0 || len(l.places) > maxObjects {
		return linux.EINVAL
	}
	return l.chains(at)
}

// chains cuts the entries into chains: one begins at each hook's entry and behind each ERROR that has a name.
func (l *legacyTable) chains(at map[uint32]int) linux.Errno {
	kind := legacyKinds[l.name]
	l.t = &table{family: l.family, name: l.name}
	starts := make(map[int]*chain)
	for h := range uint32(legacyHooks) {
		if l.hooks>>h&1 == 0 {
			continue
		}
		i, ok1 := at[l.entry[h]]
		last, ok2 := at[l.underflow[h]]
		if !ok1 || !ok2 || last < i || starts[i] != nil {
			return linux.EINVAL
		}
		c := &chain{name: "hook" + strconv.Itoa(int(h)), base: true, hook: h, typ: kind.typ, priority: kind.priority[h], policy: vAccept}
		if v, ok := l.verdict(last); !ok || v != vDrop && v != vAccept {
			return linux.EINVAL
		} else {
			c.policy = uint32(v)
		}
		starts[i] = c
	}
	for i := range l.places {
		if l.isError(i) && i+1 < len(l.places) {
			if starts[i+1] == nil {
				starts[i+1] = &chain{name: "at" + strconv.Itoa(l.places[i+1])}
			}
		}
	}
	var c *chain
	for i := range l.places {
		if s := starts[i]; s != nil {
			c = s
			l.t.chains = append(l.t.chains, c)
		}
		if l.isError(i) {
			c = nil
			continue
		}
		if c == nil {
			return linux.EINVAL
		}
		ru, errno := l.rule(i, c, at, starts)
		if errno != 0 {
			return errno
		}
		c.rules = append(c.rules, ru)
	}
	return 0
}

// target returns an entry's target: its name, revision and data.
func (l *legacyTable) target(i int) (name string, rev uint32, data []byte) {
	y, e := layoutOf(l.family), l.blob[l.places[i]:]
	t := e[le16(e[y.target:]):le16(e[y.target+2:])]
	return nameOf(t[2:31]), uint32(t[31]), t[extensionHead:]
}

func (l *legacyTable) isError(i int) bool {
	name, _, _ := l.target(i)
	return name == "ERROR"
}

// verdict is what a standard target says: one of ours, or the place to jump to as a number from 2 on, less 2.
func (l *legacyTable) verdict(i int) (int32, bool) {
	name, _, data := l.target(i)
	if name != "" || len(data) < 4 {
		return 0, false
	}
	const xtReturn = -5
	v := int32(le32(data))
	switch {
	case v >= 0:
		return v + 2, true
	case v == xtReturn:
		return vReturn, true
	case v == -vDrop-1, v == -vAccept-1:
		return -v - 1, true
	}
	return 0, false
}

// rule makes the steps of an entry.
func (l *legacyTable) rule(i int, c *chain, at map[uint32]int, starts map[int]*chain) (*rule, linux.Errno) {
	y, e := layoutOf(l.family), l.blob[l.places[i]:]
	head, errno := newHeader(e[:y.head], l.family)
	if errno != 0 {
		return nil, errno
	}
	ru := &rule{exprs: []expr{head}}
	for off, end := y.head, int(le16(e[y.target:])); off < end; {
		if end-off < extensionHead {
			return nil, linux.EINVAL
		}
		m := e[off:end]
		size := int(le16(m))
		if size < extensionHead || size > len(m) {
			return nil, linux.EINVAL
		}
		build := extensions[xtKey{nameOf(m[2:31]), uint32(m[31]), false}]
		if build == nil {
			return nil, linux.ENOENT
		}
		x, errno := build(m[extensionHead:size], c, l.family)
		if errno != 0 {
			return nil, errno
		}
		ru.exprs = append(ru.exprs, x)
		off += size
	}
	ru.exprs = append(ru.exprs, &count{l.counts[i]})
	name, rev, data := l.target(i)
	if name != "" {
		build := extensions[xtKey{name, rev, true}]
		if build == nil {
			return nil, linux.ENOENT
		}
		x, errno := build(data, c, l.family)
		if errno != 0 {
			return nil, errno
		}
		ru.exprs = append(ru.exprs, x)
		return ru, 0
	}
	v, ok := l.verdict(i)
	if !ok {
		return nil, linux.EINVAL
	}
	if v < 2 {
		ru.exprs = append(ru.exprs, &immediate{verdict: true, code: v})
		return ru, 0
	}
	to, known := at[uint32(v-2)]
	if !known {
		return nil, linux.EINVAL
	}
	if to == i+1 {
		return ru, 0 // no target: on to the next
	}
	next := starts[to]
	if next == nil || next.base {
		return nil, linux.EINVAL
	}
	const gotoFlag = 2
	code := int32(vJump)
	if e[y.flags]&gotoFlag != 0 {
		code = vGoto
	}
	ru.exprs = append(ru.exprs, &immediate{verdict: true, code: code, chain: next.name})
	return ru, 0
}

// newHeader makes the test of what each entry has: addresses, interfaces, protocol.
func newHeader(e []byte, family uint8) (expr, linux.Errno) {
	y := layoutOf(family)
	const (
		invIn, invOut, invSrc, invDst, invProto = 1, 2, 8, 0x10, 0x40
		known                                   = invIn | invOut | invSrc | invDst | invProto
	)
	h := bytes.Clone(e)
	inv := h[y.inv]
	flags := h[y.flags]
	if family == famIPv6 {
		flags &^= 1 // that the protocol counts
	}
	if inv&^known != 0 || flags&^2 != 0 {
		return nil, linux.EOPNOTSUPP
	}
	n := y.addr
	masked := func(ip, want, mask []byte) bool {
		for i := range n {
			if ip[i]&mask[i] != want[i] {
				return false
			}
		}
		return true
	}
	iface := func(name string, want, mask []byte) bool {
		var b [linux.IFNAMSIZ]byte
		copy(b[:linux.IFNAMSIZ-1], name)
		for i := range b {
			if (b[i]^want[i])&mask[i] != 0 {
				return false
			}
		}
		return true
	}
	ifs := h[y.ifaces : y.ifaces+64]
	proto := le16(h[y.proto:])
	return test(func(e *eval) bool {
		s, d := e.pkt.Addresses()
		return masked(s.AsSlice(), h, h[2*n:]) != (inv&invSrc != 0) && masked(d.AsSlice(), h[n:], h[3*n:]) != (inv&invDst != 0) &&
			iface(e.pkt.In(), ifs, ifs[32:]) != (inv&invIn != 0) && iface(e.pkt.Out(), ifs[16:], ifs[48:]) != (inv&invOut != 0) &&
			(proto == 0 || (uint16(e.pkt.Protocol()) == proto) != (inv&invProto != 0))
	}), 0
}

// LegacyImage is a table of iptables in a checkpoint.
type LegacyImage struct {
	Name             string
	Family           uint8
	Hooks            uint32
	Entry, Underflow []uint32
	Blob             []byte
}

func (l *legacyTable) image() LegacyImage {
	return LegacyImage{l.name, l.family, l.hooks, l.entry[:], l.underflow[:], l.counted()}
}

func (im *LegacyImage) restore() *legacyTable {
	l := &legacyTable{name: im.Name, family: im.Family, hooks: im.Hooks, blob: im.Blob}
	if copy(l.entry[:], im.Entry) != legacyHooks || copy(l.underflow[:], im.Underflow) != legacyHooks {
		return nil
	}
	if k, ok := legacyKinds[l.name]; !ok || k.hooks != l.hooks || l.family != famIPv4 && l.family != famIPv6 || l.parse() != 0 {
		return nil
	}
	return l
}
