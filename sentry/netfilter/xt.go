package netfilter

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"cordon/internal/linux"
	"cordon/netstack"
)

// An xtBuilder makes the step of a match or target of iptables from its struct. family is of the table.
type xtBuilder func(info []byte, c *chain, family uint8) (expr, linux.Errno)

// An xtKey names a match or target and its revision.
type xtKey struct {
	name   string
	rev    uint32
	target bool
}

// Extensions are the matches and targets that there are. Set in one place and never changed.
var extensions = map[xtKey]xtBuilder{
	{"tcp", 0, false}: newTCPMatch, {"udp", 0, false}: newUDPMatch, {"icmp", 0, false}: newICMPMatch, {"icmp6", 0, false}: newICMPMatch,
	{"multiport", 1, false}: newMultiport, {"comment", 0, false}: newComment, {"state", 0, false}: newStateMatch,
	{"conntrack", 1, false}: newConntrack(1), {"conntrack", 2, false}: newConntrack(2), {"conntrack", 3, false}: newConntrack(3),
	{"addrtype", 1, false}: newAddrType, {"mark", 1, false}: newMarkMatch, {"owner", 1, false}: newOwner,
	{"REJECT", 0, true}: newRejectTarget, {"MASQUERADE", 0, true}: newMasqueradeTarget, {"REDIRECT", 0, true}: newRedirectTarget,
	{"SNAT", 0, true}: newNATTarget(true), {"SNAT", 1, true}: newNATTarget(true), {"DNAT", 0, true}: newNATTarget(false),
	{"DNAT", 1, true}: newNATTarget(false), {"DNAT", 2, true}: newNATTarget(false), {"MARK", 2, true}: newMarkTarget,
}

// HasExtension says whether a match or target is there.
func HasExtension(name string, rev uint32, target bool) bool {
	return extensions[xtKey{name, rev, target}] != nil
}

// BestExtension is the highest revision of a match or target; false when there is none.
func BestExtension(name string, target bool) (uint32, bool) {
	best, found := uint32(0), false
	for k := range extensions {
		if k.name == name && k.target == target {
			best, found = max(best, k.rev), true
		}
	}
	return best, found
}

func newExtension(a attrs, target bool, c *chain, family uint8) (expr, linux.Errno) {
	rev, _ := a.u32(2)
	build := extensions[xtKey{a.text(1), rev, target}]
	if build == nil {
		return nil, linux.ENOENT
	}
	return build(a[3], c, family)
}

func newMatch(a attrs, c *chain, family uint8) (expr, linux.Errno) {
	return newExtension(a, false, c, family)
}
func newTarget(a attrs, c *chain, family uint8) (expr, linux.Errno) {
	return newExtension(a, true, c, family)
}

// A test is a match.
type test func(e *eval) bool

func (t test) eval(e *eval) bool { return t(e) }

// A stateTest is a match that asks for the state of connections.
type stateTest struct{ test }

func (stateTest) tracked() {}

func le16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }
func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

func within(v uint16, b []byte, not bool) bool { return (v >= le16(b) && v <= le16(b[2:])) != not }

func newTCPMatch(info []byte, _ *chain, _ uint8) (expr, linux.Errno) {
	if len(info) < 12 {
		return nil, linux.EINVAL
	}
	in := bytes.Clone(info)
	if in[8] != 0 || in[11]&^0xf != 0 {
		return nil, linux.EOPNOTSUPP // TCP options
	}
	return test(func(e *eval) bool {
		b := e.pkt.Transport()
		const tcp, flagsAt = 6, 13
		if e.pkt.Protocol() != tcp || e.fragment() || len(b) <= flagsAt {
			return false
		}
		return within(binary.BigEndian.Uint16(b), in, in[11]&1 != 0) && within(binary.BigEndian.Uint16(b[2:]), in[4:], in[11]&2 != 0) &&
			(b[flagsAt]&in[9] == in[10]) != (in[11]&4 != 0)
	}), 0
}

func newUDPMatch(info []byte, _ *chain, _ uint8) (expr, linux.Errno) {
	if len(info) < 9 {
		return nil, linux.EINVAL
	}
	in := bytes.Clone(info)
	return test(func(e *eval) bool {
		b := e.pkt.Transport()
		const udp = 17
		if e.pkt.Protocol() != udp || e.fragment() || len(b) < 8 {
			return false
		}
		return within(binary.BigEndian.Uint16(b), in, in[8]&1 != 0) && within(binary.BigEndian.Uint16(b[2:]), in[4:], in[8]&2 != 0)
	}), 0
}

func newICMPMatch(info []byte, _ *chain, _ uint8) (expr, linux.Errno) {
	if len(info) < 4 {
		return nil, linux.EINVAL
	}
	in := bytes.Clone(info)
	return test(func(e *eval) bool {
		b, p := e.pkt.Transport(), e.pkt.Protocol()
		if p != 1 && p != 58 || e.fragment() || len(b) < 2 {
			return false
		}
		const any = 255
		return (in[0] == any && p == 1 || b[0] == in[0] && b[1] >= in[1] && b[1] <= in[2]) != (in[3] != 0)
	}), 0
}

func newMultiport(info []byte, _ *chain, _ uint8) (expr, linux.Errno) {
	const most = 15
	if len(info) < 2+2*most+most+1 || info[1] > most || info[0] > 2 {
		return nil, linux.EINVAL
	}
	in := bytes.Clone(info)
	flags, n, not := in[0], int(in[1]), in[2+2*most+most] != 0
	has := func(port uint16) bool {
		for i := 0; i < n; i++ {
			lo := le16(in[2+2*i:])
			hi := lo
			if in[2+2*most+i] != 0 && i+1 < n {
				i++
				hi = le16(in[2+2*i:])
			}
			if port >= lo && port <= hi {
				return true
			}
		}
		return false
	}
	return test(func(e *eval) bool {
		b, p := e.pkt.Transport(), e.pkt.Protocol()
		if p != 6 && p != 17 || e.fragment() || len(b) < 4 {
			return false
		}
		src, dst := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		return (flags != 1 && has(src) || flags != 0 && has(dst)) != not
	}), 0
}

func newComment([]byte, *chain, uint8) (expr, linux.Errno) {
	return test(func(*eval) bool { return true }), 0
}

const knownStates = ctInvalid | ctEstablished | ctRelated | ctNew

func newStateMatch(info []byte, _ *chain, _ uint8) (expr, linux.Errno) {
	if len(info) < 4 {
		return nil, linux.EINVAL
	}
	return newStates(le32(info), false)
}

// newStates matches states; untracked has another bit here than in struct xt_conntrack_mtinfo.
func newStates(mask uint32, not bool) (expr, linux.Errno) {
	const xtUntracked = 1 << 8
	want := mask & knownStates
	if mask&xtUntracked != 0 {
		want |= ctUntracked
	}
	if mask&^(knownStates|xtUntracked) != 0 {
		return nil, linux.EOPNOTSUPP
	}
	return stateTest{func(e *eval) bool { return (e.state&want != 0) != not }}, 0
}

func newConntrack(rev int) xtBuilder {
	return func(info []byte, _ *chain, _ uint8) (expr, linux.Errno) {
		const flagsAt, size = 146, 154
		if len(info) < size {
			return nil, linux.EINVAL
		}
		const state = 1
		if le16(info[flagsAt:]) != state {
			return nil, linux.EOPNOTSUPP
		}
		mask := uint32(info[flagsAt+4])
		if rev > 1 {
			mask = uint32(le16(info[flagsAt+4:]))
		}
		return newStates(mask, le16(info[flagsAt+2:])&state != 0)
	}
}

// Types of addresses, as bits of RTN_ numbers.
const (
	typeUnicast   = 1 << linux.RTN_UNICAST
	typeLocal     = 1 << linux.RTN_LOCAL
	typeBroadcast = 1 << linux.RTN_BROADCAST
	typeMulticast = 1 << 5
)

func newAddrType(info []byte, _ *chain, _ uint8) (expr, linux.Errno) {
	if len(info) < 8 {
		return nil, linux.EINVAL
	}
	src, dst, flags := le16(info), le16(info[2:]), le32(info[4:])
	const known = typeUnicast | typeLocal | typeBroadcast | typeMulticast
	if (src|dst)&^known != 0 || flags&^3 != 0 {
		return nil, linux.EOPNOTSUPP
	}
	return test(func(e *eval) bool {
		is := func(ip netip.Addr, want uint16) bool {
			t := uint16(typeUnicast)
			switch {
			case e.pkt.IsLocal(ip):
				t = typeLocal
			case ip.IsMulticast():
				t = typeMulticast
			case ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
				t = typeBroadcast
			}
			return t&want != 0
		}
		s, d := e.pkt.Addresses()
		return (src == 0 || is(s, src) != (flags&1 != 0)) && (dst == 0 || is(d, dst) != (flags&2 != 0))
	}), 0
}

func newMarkMatch(info []byte, _ *chain, _ uint8) (expr, linux.Errno) {
	if len(info) < 9 {
		return nil, linux.EINVAL
	}
	mark, mask, not := le32(info), le32(info[4:]), info[8] != 0
	return test(func(e *eval) bool { return (e.pkt.Mark()&mask == mark) != not }), 0
}

func newMarkTarget(info []byte, _ *chain, _ uint8) (expr, linux.Errno) {
	if len(info) < 8 {
		return nil, linux.EINVAL
	}
	mark, mask := le32(info), le32(info[4:])
	return test(func(e *eval) bool {
		e.pkt.SetMark(e.pkt.Mark()&^mask ^ mark)
		return true
	}), 0
}

func newOwner(info []byte, c *chain, _ uint8) (expr, linux.Errno) {
	if len(info) < 18 {
		return nil, linux.EINVAL
	}
	in := bytes.Clone(info)
	match, not := in[16], in[17]
	if match&^3 != 0 {
		return nil, linux.EOPNOTSUPP
	}
	if errno := allowed(c, "", atOutput|atPostrouting); errno != 0 {
		return nil, linux.EINVAL
	}
	return test(func(e *eval) bool {
		uid, gid, ok := e.pkt.Owner()
		if !ok {
			return false
		}
		in1 := func(v uint32, b []byte) bool { return v >= le32(b) && v <= le32(b[4:]) }
		return (match&1 == 0 || in1(uid, in) != (not&1 != 0)) && (match&2 == 0 || in1(gid, in[8:]) != (not&2 != 0))
	}), 0
}

func newRejectTarget(info []byte, c *chain, family uint8) (expr, linux.Errno) {
	if len(info) < 4 {
		return nil, linux.EINVAL
	}
	four := []int{0, 1, 2, 3, -2, 9, 10, netstack.RejectReset, 13}
	six := []int{0, 1, -2, 3, 4, -2, netstack.RejectReset, -2, -2}
	list, f := four, netstack.IPv4
	if family == famIPv6 {
		list, f = six, netstack.IPv6
	}
	with := le32(info)
	if int64(with) >= int64(len(list)) {
		return nil, linux.EINVAL
	}
	kind := list[with]
	if !netstack.CanReject(f, kind) {
		return nil, linux.EOPNOTSUPP
	}
	return &reject{kind, kind}, allowed(c, "filter", atInput|atForward|atOutput)
}

// Flags of struct nf_nat_range.
const (
	natMapIPs  = 1
	natPorts   = 2
	natRandom  = 4
	natPersist = 8
)

// A natRange is one of the structs that SNAT, DNAT and their kin have.
type natRange struct {
	flags          uint32
	lo, hi         netip.Addr
	loPort, hiPort uint16
}

// readRange reads struct nf_nat_ipv4_multi_range_compat, or struct nf_nat_range and nf_nat_range2.
func readRange(info []byte, family uint8, old bool) (r natRange, ok bool) {
	if old && family != famIPv6 {
		const size = 20
		if len(info) < size || le32(info) != 1 {
			return r, false
		}
		b := info[4:]
		return natRange{
			le32(b), netip.AddrFrom4([4]byte(b[4:])), netip.AddrFrom4([4]byte(b[8:])), binary.BigEndian.Uint16(b[12:]),
			binary.BigEndian.Uint16(b[14:]),
		}, true
	}
	const size = 40
	if len(info) < size {
		return r, false
	}
	r = natRange{flags: le32(info), loPort: binary.BigEndian.Uint16(info[36:]), hiPort: binary.BigEndian.Uint16(info[38:])}
	if family == famIPv6 {
		r.lo, r.hi = netip.AddrFrom16([16]byte(info[4:])), netip.AddrFrom16([16]byte(info[20:]))
	} else {
		r.lo, r.hi = netip.AddrFrom4([4]byte(info[4:])), netip.AddrFrom4([4]byte(info[20:]))
	}
	return r, true
}

// single says whether a range is one address or port at most, as the stack can have it.
func (r *natRange) single() bool {
	return r.flags&^(natMapIPs|natPorts|natPersist) == 0 && (r.flags&natMapIPs == 0 || r.lo == r.hi) &&
		(r.flags&natPorts == 0 || r.loPort == r.hiPort)
}

func newNATTarget(source bool) xtBuilder {
	return func(info []byte, c *chain, family uint8) (expr, linux.Errno) {
		const multi = 20
		r, ok := readRange(info, family, len(info) < 40 && len(info) >= multi)
		if !ok {
			return nil, linux.EINVAL
		}
		if !r.single() {
			return nil, linux.EOPNOTSUPP
		}
		n := &nat{source: source, family: family, addr: -1, port: -1}
		if r.flags&natMapIPs != 0 {
			n.fixed = r.lo
		}
		if r.flags&natPorts != 0 {
			n.fixedPort = r.loPort
		}
		return n, allowed(c, "nat", n.hooks())
	}
}

func newMasqueradeTarget(info []byte, c *chain, family uint8) (expr, linux.Errno) {
	r, ok := readRange(info, family, true)
	if !ok {
		return nil, linux.EINVAL
	}
	if r.flags != 0 {
		return nil, linux.EOPNOTSUPP
	}
	return masquerade{}, allowed(c, "nat", atPostrouting)
}

func newRedirectTarget(info []byte, c *chain, family uint8) (expr, linux.Errno) {
	r, ok := readRange(info, family, true)
	if !ok {
		return nil, linux.EINVAL
	}
	if r.flags&^natPorts != 0 || !r.single() {
		return nil, linux.EOPNOTSUPP
	}
	t := &redirect{port: -1}
	if r.flags&natPorts != 0 {
		t.fixed = r.loPort
	}
	return t, allowed(c, "nat", atPrerouting|atOutput)
}
