package socket

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"net/netip"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// Ioctls about routes and neighbours (route(7), arp(7)); netlink's older kin.
const (
	sizeRtentry = 120
	sizeArpreq  = 68

	rtfGateway = 0x2
	rtfHost    = 0x4
	rtfReject  = 0x200

	atfCom  = 0x2
	atfPerm = 0x4
)

// Set in one place and never changed.
var tableIoctls = map[linux.IoctlCmd]func(ns *Namespace, c *vfs.Caller, mem usermem.Space, arg uint64) error{
	linux.SIOCADDRT: func(ns *Namespace, c *vfs.Caller, mem usermem.Space, arg uint64) error {
		r, err := readRtentry(ns, c, mem, arg)
		if err != nil {
			return err
		}
		return ns.AddRoute(r, RouteCreate|RouteExcl)
	},
	linux.SIOCDELRT: func(ns *Namespace, c *vfs.Caller, mem usermem.Space, arg uint64) error {
		r, err := readRtentry(ns, c, mem, arg)
		if err != nil && err != error(linux.ENODEV) {
			return err
		}
		return ns.RemoveRoute(func(o *Route) bool {
			return o.Dst == r.Dst && (r.Index == 0 || o.Index == r.Index) && (!r.Gateway.IsValid() || o.Gateway == r.Gateway)
		})
	},
	linux.SIOCSARP: setNeighbourEntry,
	linux.SIOCGARP: getNeighbourEntry,
	linux.SIOCDARP: deleteNeighbourEntry,
}

// deviceName reads a name behind a pointer.
func deviceName(mem usermem.Space, ptr uint64) (string, error) {
	var b [linux.IFNAMSIZ]byte
	for i := range b[:linux.IFNAMSIZ-1] {
		if _, err := mem.CopyIn(ptr+uint64(i), b[i:i+1]); err != nil {
			return "", err
		}
		if b[i] == 0 {
			break
		}
	}
	name, _, _ := bytes.Cut(b[:], []byte{0})
	return string(name), nil
}

// readRtentry reads struct rtentry. ENODEV, with all but the interface, when no interface is named or found.
func readRtentry(ns *Namespace, c *vfs.Caller, mem usermem.Space, arg uint64) (r Route, err error) {
	if !ns.Capable(c, linux.CAP_NET_ADMIN) {
		return r, linux.EPERM
	}
	var b [sizeRtentry]byte
	if _, err := mem.CopyIn(arg, b[:]); err != nil {
		return r, err
	}
	dst, err := readIn(b[8:])
	if err != nil {
		return r, linux.EAFNOSUPPORT
	}
	flags := binary.LittleEndian.Uint16(b[56:])
	if flags&rtfReject != 0 {
		return r, linux.EOPNOTSUPP
	}
	ones := 32
	if flags&rtfHost == 0 {
		m := binary.BigEndian.Uint32(b[44:])
		ones = bits.LeadingZeros32(^m)
		if m != uint32(^uint64(0)<<(32-ones)) {
			return r, linux.EINVAL
		}
	}
	r = Route{Table: linux.RT_TABLE_MAIN, Type: linux.RTN_UNICAST, Proto: linux.RTPROT_BOOT, Scope: linux.RT_SCOPE_LINK}
	if r.Dst = netip.PrefixFrom(dst, ones); r.Dst.Masked() != r.Dst {
		return r, linux.EINVAL
	}
	if metric := int16(binary.LittleEndian.Uint16(b[80:])); metric > 0 {
		r.Metric = uint32(metric - 1)
	}
	r.MTU = uint32(binary.LittleEndian.Uint64(b[96:]))
	if flags&rtfGateway != 0 {
		if r.Gateway, err = readIn(b[24:]); err != nil {
			return r, err
		}
		r.Scope = linux.RT_SCOPE_UNIVERSE
	}
	if ptr := binary.LittleEndian.Uint64(b[88:]); ptr != 0 {
		name, err := deviceName(mem, ptr)
		if err != nil {
			return r, err
		}
		i, ok := ns.Stack.InterfaceByName(name)
		if !ok {
			return r, linux.ENODEV
		}
		r.Index = i.Index
	}
	if r.Gateway.IsValid() && !r.Gateway.IsUnspecified() {
		for _, f := range ns.Fib() {
			if f.Dst.Contains(r.Gateway) && f.Dst.Bits() > 0 && !f.Gateway.IsValid() && (r.Index == 0 || f.Index == r.Index) {
				r.Index = f.Index
				return r, nil
			}
		}
		return r, linux.ENETUNREACH
	}
	r.Gateway = netip.Addr{}
	if r.Index == 0 {
		return r, linux.ENODEV
	}
	return r, nil
}

// readArpreq reads struct arpreq and finds the interface it is about.
func readArpreq(ns *Namespace, mem usermem.Space, arg uint64) (b [sizeArpreq]byte, n netstack.Neighbour, err error) {
	if _, err = mem.CopyIn(arg, b[:]); err != nil {
		return b, n, err
	}
	ip, err := readIn(b[:])
	if err != nil {
		return b, n, linux.EPFNOSUPPORT
	}
	n.Addr = ip
	copy(n.HWAddr[:], b[18:])
	name, _, _ := bytes.Cut(b[52:68], []byte{0})
	if len(name) == 0 {
		p, err := ns.Stack.FindRoute(ip, 0)
		if err != nil {
			return b, n, linux.ENXIO
		}
		n.Index = p.Index
		return b, n, nil
	}
	i, ok := ns.Stack.InterfaceByName(string(name))
	if !ok {
		return b, n, linux.ENODEV
	}
	n.Index = i.Index
	return b, n, nil
}

func setNeighbourEntry(ns *Namespace, c *vfs.Caller, mem usermem.Space, arg uint64) error {
	if !ns.Capable(c, linux.CAP_NET_ADMIN) {
		return linux.EPERM
	}
	b, n, err := readArpreq(ns, mem, arg)
	if err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(b[32:])&atfCom == 0 {
		return linux.EINVAL
	}
	const permanent = 0x80
	n.State = permanent
	return ns.SetNeighbour(n)
}

func deleteNeighbourEntry(ns *Namespace, c *vfs.Caller, mem usermem.Space, arg uint64) error {
	if !ns.Capable(c, linux.CAP_NET_ADMIN) {
		return linux.EPERM
	}
	_, n, err := readArpreq(ns, mem, arg)
	if err != nil {
		return err
	}
	if ns.RemoveNeighbour(n.Index, n.Addr) != nil {
		return linux.ENXIO
	}
	return nil
}

func getNeighbourEntry(ns *Namespace, _ *vfs.Caller, mem usermem.Space, arg uint64) error {
	b, n, err := readArpreq(ns, mem, arg)
	if err != nil {
		return err
	}
	for _, o := range ns.Stack.Neighbours() {
		if o.Index != n.Index || o.Addr != n.Addr {
			continue
		}
		const permanent = 0x80
		flags := uint32(atfCom)
		if o.State == permanent {
			flags |= atfPerm
		}
		binary.LittleEndian.PutUint16(b[16:], linux.ARPHRD_ETHER)
		copy(b[18:], o.HWAddr[:])
		binary.LittleEndian.PutUint32(b[32:], flags)
		if i, ok := ns.Stack.Interface(o.Index); ok {
			clear(b[52:68])
			copy(b[52:67], i.Name)
		}
		_, err := mem.CopyOut(arg, b[:])
		return err
	}
	return linux.ENXIO
}
