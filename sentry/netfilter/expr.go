package netfilter

import (
	"bytes"
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/netstack"
)

// An expr is one step of a rule. It does not change.
type expr interface {
	// eval runs the step: false ends the rule without a verdict. A verdict is left in e.
	eval(e *eval) bool
}

// tracking marks steps that need connections to be followed.
type tracking interface {
	expr
	tracked()
}

// Registers are 64 bytes, named in sixteens or in fours.
const (
	regsSize  = 64
	regFirst  = 1
	regLast   = 4
	reg32     = 8
	reg32Last = 23
)

// regOf reads where a register begins; false when n bytes do not fit there.
func regOf(a attrs, typ uint16, n int) (int, bool) {
	v, ok := a.u32(typ)
	at := 0
	switch {
	case !ok:
		return 0, false
	case v >= regFirst && v <= regLast:
		at = int(v-regFirst) * 16
	case v >= reg32 && v <= reg32Last:
		at = int(v-reg32) * 4
	default:
		return 0, false
	}
	return at, n > 0 && at+n <= regsSize
}

// builders make steps of expressions, by name. An expression that is not there is ENOENT. Set in one place, never changed.
var builders = map[string]func(a attrs, c *chain, family uint8) (expr, linux.Errno){
	"immediate": newImmediate, "cmp": newCompare, "range": newRange, "bitwise": newBitwise, "payload": newPayload, "meta": newMeta,
	"ct": newCT, "counter": newCounter, "lookup": newLookup, "reject": newReject, "nat": newNAT, "masq": newMasquerade,
	"redir": newRedirect, "match": newMatch, "target": newTarget, "byteorder": newByteOrder,
}

// parseExprs makes the steps of a rule's expressions.
func parseExprs(b []byte, c *chain, family uint8) (out []expr, errno linux.Errno) {
	ok := each(b, func(typ uint16, data []byte) bool {
		a, sound := parseAttrs(data)
		if typ != listElem || !sound {
			errno = linux.EINVAL
			return false
		}
		d, sound := parseAttrs(a[exprData])
		if !sound {
			errno = linux.EINVAL
			return false
		}
		build := builders[a.text(exprName)]
		if build == nil {
			errno = linux.ENOENT
			return false
		}
		e, err := build(d, c, family)
		if err != 0 {
			errno = err
			return false
		}
		const maxExprs = 128
		if out = append(out, e); len(out) > maxExprs {
			errno = linux.EINVAL
		}
		return errno == 0
	})
	if errno == 0 && !ok {
		errno = linux.EINVAL
	}
	return out, errno
}

// An immediate puts data into a register, or is a verdict.
type immediate struct {
	verdict bool
	code    int32
	chain   string
	at      int
	data    []byte
}

func newImmediate(a attrs, _ *chain, _ uint8) (expr, linux.Errno) {
	d, ok := parseAttrs(a[2])
	if !ok {
		return nil, linux.EINVAL
	}
	if v, has := d[dataVerdict]; has {
		return newVerdict(v)
	}
	data := d[dataValue]
	at, ok := regOf(a, 1, len(data))
	if !ok {
		return nil, linux.EINVAL
	}
	return &immediate{at: at, data: bytes.Clone(data)}, 0
}

func newVerdict(b []byte) (*immediate, linux.Errno) {
	v, ok := parseAttrs(b)
	if !ok {
		return nil, linux.EINVAL
	}
	code, ok := v.u32(verdictCode)
	im := &immediate{verdict: true, code: int32(code), chain: v.text(verdictChain)}
	if !ok {
		return nil, linux.EINVAL
	}
	switch im.code {
	case vDrop, vAccept, vContinue, vBreak, vReturn:
	case vJump, vGoto:
		if im.chain == "" {
			return nil, linux.EINVAL
		}
	default:
		return nil, linux.EOPNOTSUPP // queues to programs
	}
	return im, 0
}

func (i *immediate) eval(e *eval) bool {
	if i.verdict {
		e.code, e.chain = i.code, i.chain
		return true
	}
	copy(e.regs[i.at:], i.data)
	return true
}

// A compare is cmp.
type compare struct {
	at, op int
	data   []byte
}

func newCompare(a attrs, _ *chain, _ uint8) (expr, linux.Errno) {
	d, ok := parseAttrs(a[3])
	op, has := a.u32(2)
	at, fits := regOf(a, 1, len(d[dataValue]))
	if !ok || !has || op > 5 || !fits {
		return nil, linux.EINVAL
	}
	return &compare{at, int(op), bytes.Clone(d[dataValue])}, 0
}

func (c *compare) eval(e *eval) bool {
	r := bytes.Compare(e.regs[c.at:c.at+len(c.data)], c.data)
	switch c.op {
	case 0:
		return r == 0
	case 1:
		return r != 0
	case 2:
		return r < 0
	case 3:
		return r <= 0
	case 4:
		return r > 0
	}
	return r >= 0
}

// A between is range.
type between struct {
	at       int
	not      bool
	from, to []byte
}

func newRange(a attrs, _ *chain, _ uint8) (expr, linux.Errno) {
	from, ok1 := parseAttrs(a[3])
	to, ok2 := parseAttrs(a[4])
	op, has := a.u32(2)
	at, fits := regOf(a, 1, len(from[dataValue]))
	if !ok1 || !ok2 || !has || op > 1 || !fits || len(from[dataValue]) != len(to[dataValue]) {
		return nil, linux.EINVAL
	}
	return &between{at, op == 1, bytes.Clone(from[dataValue]), bytes.Clone(to[dataValue])}, 0
}

func (b *between) eval(e *eval) bool {
	v := e.regs[b.at : b.at+len(b.from)]
	return (bytes.Compare(v, b.from) >= 0 && bytes.Compare(v, b.to) <= 0) != b.not
}

// A bitwise is (source & mask) ^ xor.
type bitwise struct {
	from, to  int
	mask, xor []byte
}

func newBitwise(a attrs, _ *chain, _ uint8) (expr, linux.Errno) {
	n, ok := a.u32(3)
	if op, has := a.u32(6); has && op != 0 {
		return nil, linux.EOPNOTSUPP // shifts
	}
	from, ok1 := regOf(a, 1, int(n))
	to, ok2 := regOf(a, 2, int(n))
	m, ok3 := parseAttrs(a[4])
	x, ok4 := parseAttrs(a[5])
	if !ok || !ok1 || !ok2 || !ok3 || !ok4 || len(m[dataValue]) != int(n) || len(x[dataValue]) != int(n) {
		return nil, linux.EINVAL
	}
	return &bitwise{from, to, bytes.Clone(m[dataValue]), bytes.Clone(x[dataValue])}, 0
}

func (b *bitwise) eval(e *eval) bool {
	for i := range b.mask {
		e.regs[b.to+i] = e.regs[b.from+i]&b.mask[i] ^ b.xor[i]
	}
	return true
}

// A byteOrder turns numbers round.
type byteOrder struct{ from, to, n, size int }

func newByteOrder(a attrs, _ *chain, _ uint8) (expr, linux.Errno) {
	n, ok := a.u32(4)
	size, has := a.u32(5)
	from, ok1 := regOf(a, 1, int(n))
	to, ok2 := regOf(a, 2, int(n))
	if !ok || !has || !ok1 || !ok2 || size != 2 && size != 4 && size != 8 || n%size != 0 {
		return nil, linux.EINVAL
	}
	return &byteOrder{from, to, int(n), int(size)}, 0
}

func (b *byteOrder) eval(e *eval) bool {
	var v [regsSize]byte
	copy(v[:], e.regs[b.from:b.from+b.n])
	for i := 0; i < b.n; i++ {
		at := i / b.size * b.size
		e.regs[b.to+i] = v[at+b.size-1-(i-at)]
	}
	return true
}

// A payload loads bytes of the packet.
type payload struct{ at, base, offset, n int }

const (
	payloadNetwork   = 1
	payloadTransport = 2
)

func newPayload(a attrs, _ *chain, _ uint8) (expr, linux.Errno) {
	if _, ok := a[5]; ok {
		return nil, linux.EOPNOTSUPP // writes
	}
	base, ok1 := a.u32(2)
	off, ok2 := a.u32(3)
	n, ok3 := a.u32(4)
	if !ok1 || !ok2 || !ok3 || n == 0 || n > 16 || off > 255 {
		return nil, linux.EINVAL
	}
	at, fits := regOf(a, 1, int(n))
	if !fits {
		return nil, linux.EINVAL
	}
	if base != payloadNetwork && base != payloadTransport {
		return nil, linux.EOPNOTSUPP
	}
	return &payload{at, int(base), int(off), int(n)}, 0
}

func (p *payload) eval(e *eval) bool {
	b := e.pkt.Network()
	if p.base == payloadTransport {
		if e.fragment() {
			return false
		}
		b = e.pkt.Transport()
		if len(b) < p.offset+p.n {
			b = append(bytes.Clone(b), e.pkt.Data(p.offset+p.n-len(b))...)
		}
	}
	if len(b) < p.offset+p.n {
		return false
	}
	e.store(p.at, b[p.offset:p.offset+p.n])
	return true
}

// store writes a register, in whole words as Linux does.
func (e *eval) store(at int, b []byte) {
	n := copy(e.regs[at:], b)
	for n%4 != 0 && at+n < regsSize {
		e.regs[at+n] = 0
		n++
	}
}

// Keys of meta.
const (
	metaLen      = 0
	metaProtocol = 1
	metaMark     = 3
	metaIIF      = 4
	metaOIF      = 5
	metaIIFName  = 6
	metaOIFName  = 7
	metaUID      = 10
	metaGID      = 11
	metaNFProto  = 15
	metaL4Proto  = 16
)

// A meta loads what is known of a packet, or with set stores its mark.
type meta struct {
	at, key int
	set     bool
}

func newMeta(a attrs, _ *chain, _ uint8) (expr, linux.Errno) {
	key, ok := a.u32(2)
	if !ok {
		return nil, linux.EINVAL
	}
	typ, n := uint16(1), 4
	m := &meta{key: int(key)}
	if _, m.set = a[3]; m.set {
		if typ = 3; key != metaMark {
			return nil, linux.EOPNOTSUPP
		}
	}
	switch key {
	case metaLen, metaProtocol, metaMark, metaIIF, metaOIF, metaUID, metaGID, metaNFProto, metaL4Proto:
	case metaIIFName, metaOIFName:
		n = linux.IFNAMSIZ
	default:
		return nil, linux.EOPNOTSUPP
	}
	if m.at, ok = regOf(a, typ, n); !ok {
		return nil, linux.EINVAL
	}
	return m, 0
}

func (m *meta) eval(e *eval) bool {
	p := e.pkt
	word := func(v uint32) bool {
		binary.LittleEndian.PutUint32(e.regs[m.at:], v)
		return true
	}
	name := func(s string) bool {
		var b [linux.IFNAMSIZ]byte
		copy(b[:linux.IFNAMSIZ-1], s)
		e.store(m.at, b[:])
		return true
	}
	if m.set {
		p.SetMark(binary.LittleEndian.Uint32(e.regs[m.at:]))
		return true
	}
	switch m.key {
	case metaLen:
		return word(uint32(p.Size()))
	case metaProtocol:
		proto := uint16(linux.ETH_P_IP)
		if p.Family() == netstack.IPv6 {
			proto = linux.ETH_P_IPV6
		}
		e.store(m.at, binary.BigEndian.AppendUint16(nil, proto))
	case metaMark:
		return word(p.Mark())
	case metaIIF:
		return word(uint32(p.IndexOf(p.In())))
	case metaOIF:
		return word(uint32(p.IndexOf(p.Out())))
	case metaIIFName:
		return name(p.In())
	case metaOIFName:
		return name(p.Out())
	case metaUID, metaGID:
		uid, gid, ok := p.Owner()
		if !ok {
			return false
		}
		if m.key == metaGID {
			uid = gid
		}
		return word(uid)
	case metaNFProto:
		e.store(m.at, []byte{familyNumber(p.Family())})
	case metaL4Proto:
		e.store(m.at, []byte{p.Protocol()})
	}
	return true
}

func familyNumber(f netstack.Family) byte {
	if f == netstack.IPv6 {
		return famIPv6
	}
	return famIPv4
}

// A ctState loads the state of the packet's connection.
type ctState struct{ at int }

func newCT(a attrs, _ *chain, _ uint8) (expr, linux.Errno) {
	key, ok := a.u32(2)
	if _, sets := a[4]; sets || !ok || key != 0 {
		return nil, linux.EOPNOTSUPP
	}
	at, fits := regOf(a, 1, 4)
	if !fits {
		return nil, linux.EINVAL
	}
	return &ctState{at}, 0
}

func (*ctState) tracked() {}

func (c *ctState) eval(e *eval) bool {
	binary.LittleEndian.PutUint32(e.regs[c.at:], e.state)
	return true
}

// A count is counter.
type count struct{ *counter }

func newCounter(a attrs, _ *chain, _ uint8) (expr, linux.Errno) {
	c := &count{&counter{}}
	if v, ok := a.u64(1); ok {
		c.bytes.Store(v)
	}
	if v, ok := a.u64(2); ok {
		c.packets.Store(v)
	}
	return c, 0
}

func (c *count) eval(e *eval) bool {
	c.packets.Add(1)
	c.bytes.Add(uint64(e.pkt.Size()))
	return true
}
