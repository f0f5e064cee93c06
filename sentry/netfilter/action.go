package netfilter

import (
	"encoding/binary"
	"net/netip"

	"cordon/internal/linux"
	"cordon/netstack"
)

// Hooks at which an action may stand, as a mask.
const (
	atPrerouting  = 1 << netstack.HookPrerouting
	atInput       = 1 << netstack.HookInput
	atForward     = 1 << netstack.HookForward
	atOutput      = 1 << netstack.HookOutput
	atPostrouting = 1 << netstack.HookPostrouting
)

// allowed checks that a chain is of a kind and at a hook where an action works; in a chain that others jump to it is found
// out with the packet, which is then dropped.
func allowed(c *chain, typ string, hooks uint) linux.Errno {
	if !c.base {
		return 0
	}
	if typ != "" && c.typ != typ || hooks>>c.hook&1 == 0 {
		return linux.EOPNOTSUPP
	}
	return 0
}

// A reject answers a packet with an error and drops it.
type reject struct{ four, six int }

// icmpx are the codes of "icmpx", which stand for one of each version.
var icmpx = [][2]int{{0, 0}, {3, 4}, {1, 3}, {13, 1}}

func newReject(a attrs, c *chain, family uint8) (expr, linux.Errno) {
	typ, ok := a.u32(1)
	code := 0
	if b := a[2]; len(b) == 1 {
		code = int(b[0])
	}
	if !ok {
		return nil, linux.EINVAL
	}
	r := &reject{code, code}
	switch typ {
	case 1:
		r.four, r.six = netstack.RejectReset, netstack.RejectReset
	case 2:
		if code >= len(icmpx) {
			return nil, linux.EINVAL
		}
		r.four, r.six = icmpx[code][0], icmpx[code][1]
	case 0:
		if family == famInet {
			return nil, linux.EINVAL
		}
	default:
		return nil, linux.EINVAL
	}
	if family != famIPv6 && !netstack.CanReject(netstack.IPv4, r.four) || family != famIPv4 && !netstack.CanReject(netstack.IPv6, r.six) {
		return nil, linux.EOPNOTSUPP
	}
	return r, allowed(c, "filter", atInput|atForward|atOutput)
}

func (r *reject) eval(e *eval) bool {
	kind := r.four
	if e.pkt.Family() == netstack.IPv6 {
		kind = r.six
	}
	const tcp = 6
	if kind == netstack.RejectReset && e.pkt.Protocol() != tcp {
		e.code = vDrop
		return true
	}
	e.pkt.Reject(kind) // where no answer can be sent, the packet is dropped all the same
	e.code = vDrop
	return true
}

// A nat translates addresses: from registers, or to what is fixed.
type nat struct {
	source     bool
	family     uint8
	addr, port int // registers, -1: none
	fixed      netip.Addr
	fixedPort  uint16
}

func newNAT(a attrs, c *chain, family uint8) (expr, linux.Errno) {
	typ, ok := a.u32(1)
	fam, ok2 := a.u32(2)
	if !ok || !ok2 || typ > 1 || fam != famIPv4 && fam != famIPv6 {
		return nil, linux.EINVAL
	}
	n := &nat{source: typ == 0, family: uint8(fam), addr: -1, port: -1}
	// A range of one address or port is one; other ranges, and flags, are not to be had.
	for _, r := range [][2]uint16{{3, 4}, {5, 6}} {
		if max, has := a.u32(r[1]); has {
			if min, ok := a.u32(r[0]); !ok || min != max {
				return nil, linux.EOPNOTSUPP
			}
		}
	}
	if f, has := a.u32(7); has && f&^3 != 0 {
		return nil, linux.EOPNOTSUPP
	}
	size := 4
	if fam == famIPv6 {
		size = 16
	}
	if _, has := a[3]; has {
		if n.addr, ok = regOf(a, 3, size); !ok {
			return nil, linux.EINVAL
		}
	}
	if _, has := a[5]; has {
		if n.port, ok = regOf(a, 5, 2); !ok {
			return nil, linux.EINVAL
		}
	}
	return n, allowed(c, "nat", n.hooks())
}

func (n *nat) hooks() uint {
	if n.source {
		return atInput | atPostrouting
	}
	return atPrerouting | atOutput
}

func (n *nat) eval(e *eval) bool {
	if familyNumber(e.pkt.Family()) != n.family {
		return false
	}
	ip, port := n.fixed, n.fixedPort
	if n.addr >= 0 {
		size := 4
		if n.family == famIPv6 {
			size = 16
		}
		ip, _ = netip.AddrFromSlice(e.regs[n.addr : n.addr+size])
	}
	if n.port >= 0 {
		port = binary.BigEndian.Uint16(e.regs[n.port:])
	}
	return e.translate(func() bool {
		if n.source {
			if !ip.IsValid() {
				ip, _ = e.pkt.Addresses()
			}
			return e.pkt.SNAT(ip, port)
		}
		return e.pkt.DNAT(ip, port)
	})
}

// translate translates and tells the tracker; a packet that could not be is dropped.
func (e *eval) translate(do func() bool) bool {
	before, known := tupleOf(e.pkt)
	if do() {
		e.code = vAccept
		if known {
			e.r.track.translated(before, e.pkt)
		}
	} else {
		e.code = vDrop
	}
	return true
}

type masquerade struct{}

func newMasquerade(a attrs, c *chain, _ uint8) (expr, linux.Errno) {
	if _, ports := a[2]; ports {
		return nil, linux.EOPNOTSUPP
	}
	if f, has := a.u32(1); has && f != 0 {
		return nil, linux.EOPNOTSUPP
	}
	return masquerade{}, allowed(c, "nat", atPostrouting)
}

func (masquerade) eval(e *eval) bool { return e.translate(e.pkt.Masquerade) }

// A redirect is DNAT to this machine; port is a register, -1 for fixed.
type redirect struct {
	port  int
	fixed uint16
}

func newRedirect(a attrs, c *chain, _ uint8) (expr, linux.Errno) {
	r := &redirect{port: -1}
	if max, has := a.u32(2); has {
		if min, ok := a.u32(1); !ok || min != max {
			return nil, linux.EOPNOTSUPP
		}
	}
	if f, has := a.u32(3); has && f&^2 != 0 {
		return nil, linux.EOPNOTSUPP
	}
	if _, has := a[1]; has {
		var ok bool
		if r.port, ok = regOf(a, 1, 2); !ok {
			return nil, linux.EINVAL
		}
	}
	return r, allowed(c, "nat", atPrerouting|atOutput)
}

func (r *redirect) eval(e *eval) bool {
	port := r.fixed
	if r.port >= 0 {
		port = binary.BigEndian.Uint16(e.regs[r.port:])
	}
	return e.translate(func() bool { return e.pkt.Redirect(port) })
}
