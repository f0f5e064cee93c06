package netlink

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/netstack"
)

const (
	ndmsgSize  = 12
	ndaIfIndex = linux.NDA_IFINDEX
)

// States of neighbours that can be asked for.
const (
	nudReachable = 0x02
	nudPermanent = 0x80
)

func (k *call) dumpNeighbours() error {
	index, state := uint32(0), uint16(0)
	if k.strict() {
		if len(k.r.body) < ndmsgSize {
			return k.fail(linux.EINVAL, "Invalid header for neighbor dump request")
		}
		attrs, err := k.r.attributes(ndmsgSize)
		if err != nil {
			return err
		}
		index, _ = u32(attrs[ndaIfIndex])
		k.reply.filtered = index != 0
	}
	for _, n := range k.stack.Neighbours() {
		if wants(k.r.body[0], n.Addr) && (index == 0 || index == uint32(n.Index)) && (state == 0 || state&uint16(n.State) != 0) {
			writeNeighbour(&k.reply, linux.RTM_NEWNEIGH, &n)
		}
	}
	return nil
}

func writeNeighbour(p *reply, typ linux.NlMsgType, n *netstack.Neighbour) {
	p.begin(typ, &linux.Ndmsg{Family: uint8(familyOf(n.Addr)), Ifindex: n.Index, State: uint16(n.State), Type: linux.RTN_UNICAST})
	p.attrIP(linux.NDA_DST, n.Addr)
	if n.HWAddr != [6]byte{} {
		p.attr(linux.NDA_LLADDR, n.HWAddr[:])
	}
	p.attrU32(linux.NDA_PROBES, 0)
	p.attr(linux.NDA_CACHEINFO, make([]byte, 16))
	p.end()
}

// readNeighbour reads the neighbour that a request is about.
func (k *call) readNeighbour() (n netstack.Neighbour, has bool, err error) {
	attrs, err := k.r.attributes(ndmsgSize)
	if err != nil {
		return n, false, err
	}
	n.Index = int32(binary.LittleEndian.Uint32(k.r.body[4:]))
	n.State = netstack.NeighbourState(binary.LittleEndian.Uint16(k.r.body[8:]))
	b, ok := attrs[linux.NDA_DST]
	if !ok {
		return n, false, k.fail(linux.EINVAL, "Network address not specified")
	}
	ip, ok := ipOf(b)
	if !ok || familyOf(ip) != linux.AddressFamily(k.r.body[0]) {
		return n, false, k.fail(linux.EINVAL, "Invalid network address")
	}
	n.Addr = ip
	if n.Index == 0 {
		return n, false, linux.EINVAL
	}
	if _, ok := k.stack.Interface(n.Index); !ok {
		return n, false, linux.ENODEV
	}
	if l, ok := attrs[linux.NDA_LLADDR]; ok {
		if len(l) != len(n.HWAddr) {
			return n, false, k.fail(linux.EINVAL, "Invalid link address")
		}
		has = true
		copy(n.HWAddr[:], l)
	}
	return n, has, nil
}

// newNeighbour makes a neighbour whose address is known: the stack keeps it as permanent.
func (k *call) newNeighbour() error {
	n, has, err := k.readNeighbour()
	if err != nil {
		return err
	}
	there := false
	for _, o := range k.stack.Neighbours() {
		if o.Index == n.Index && o.Addr == n.Addr {
			there = true
			if !has {
				n.HWAddr = o.HWAddr
			}
		}
	}
	switch {
	case there && k.r.flags&linux.NLM_F_EXCL != 0:
		return linux.EEXIST
	case !there && k.r.flags&linux.NLM_F_CREATE == 0:
		return linux.ENOENT
	case n.State&(nudPermanent|nudReachable) == 0 || !has && !there:
		return linux.EOPNOTSUPP
	}
	n.State = nudPermanent
	return k.ns().SetNeighbour(n)
}

func (k *call) delNeighbour() error {
	n, _, err := k.readNeighbour()
	if err != nil {
		return err
	}
	return k.ns().RemoveNeighbour(n.Index, n.Addr)
}

func (k *call) getNeighbour() error {
	n, _, err := k.readNeighbour()
	if err != nil {
		return err
	}
	for _, o := range k.stack.Neighbours() {
		if o.Index == n.Index && o.Addr == n.Addr {
			writeNeighbour(&k.reply, linux.RTM_NEWNEIGH, &o)
			return nil
		}
	}
	return k.fail(linux.ENOENT, "Neighbour entry not found")
}

// fibRuleHdr is struct fib_rule_hdr.
type fibRuleHdr struct {
	Family, DstLen, SrcLen, Tos, Table, _, _, Action uint8
	Flags                                            uint32
}

const (
	fraPriority          = 6
	fraSuppressPrefixLen = 14
	fraTable             = 15
	fraProtocol          = 21
	frActToTable         = 1
)

// dumpRules lists the rules that every kernel begins with; there are no others.
func (k *call) dumpRules() error {
	for _, f := range []linux.AddressFamily{linux.AF_INET, linux.AF_INET6} {
		if b := k.r.body[0]; b != byte(linux.AF_UNSPEC) && b != byte(f) {
			continue
		}
		for _, r := range []struct {
			priority uint32
			table    uint8
		}{{0, linux.RT_TABLE_LOCAL}, {32766, linux.RT_TABLE_MAIN}, {32767, linux.RT_TABLE_DEFAULT}} {
			if f == linux.AF_INET6 && r.table == linux.RT_TABLE_DEFAULT {
				continue
			}
			k.reply.begin(linux.RTM_NEWRULE, &fibRuleHdr{Family: uint8(f), Table: r.table, Action: frActToTable})
			k.reply.attrU32(fraTable, uint32(r.table))
			k.reply.attrU32(fraSuppressPrefixLen, ^uint32(0))
			k.reply.attrU8(fraProtocol, linux.RTPROT_KERNEL)
			if r.priority != 0 {
				k.reply.attrU32(fraPriority, r.priority)
			}
			k.reply.end()
		}
	}
	return nil
}
