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

const sizeIfreq = 40

// IfFlagsOf are an interface's flags as SIOCGIFFLAGS and netlink tell them.
func IfFlagsOf(i *netstack.Interface) linux.IfFlags {
	var f linux.IfFlags
	if i.Up {
		f |= linux.IFF_UP
	}
	if i.Up && i.Carrier {
		f |= linux.IFF_RUNNING | linux.IFF_LOWER_UP
	}
	switch {
	case i.Loopback:
		f |= linux.IFF_LOOPBACK
	case i.Bare:
		f |= linux.IFF_POINTOPOINT | linux.IFF_NOARP | linux.IFF_MULTICAST
	default:
		f |= linux.IFF_BROADCAST | linux.IFF_MULTICAST
	}
	if i.Promisc {
		f |= linux.IFF_PROMISC
	}
	return f
}

// HardwareType is an interface's ARPHRD_ number.
func HardwareType(i *netstack.Interface) uint16 {
	switch {
	case i.Loopback:
		return linux.ARPHRD_LOOPBACK
	case i.Bare:
		return linux.ARPHRD_NONE
	}
	return linux.ARPHRD_ETHER
}

// QueueLength is how long an interface says that its queue is: of bare packets' what tun(4) has.
func QueueLength(i *netstack.Interface) uint32 {
	if i.Bare {
		return 500
	}
	return 1000
}

// DeviceIoctl handles the requests about interfaces, which every socket takes (netdevice(7)). ENOTTY: none of them.
func DeviceIoctl(ns *Namespace, c *vfs.Caller, mem usermem.Space, req uint32, arg uint64) (uintptr, error) {
	if ns.Stack == nil && ns.Host == nil {
		return 0, linux.ENOTTY
	}
	cmd := linux.IoctlCmd(req)
	if cmd == linux.SIOCGIFCONF {
		return 0, ifconf(ns, mem, arg)
	}
	if h := tableIoctls[cmd]; h != nil && ns.Stack != nil {
		return 0, h(ns, c, mem, arg)
	}
	if h := bridgeIoctls[cmd]; h != nil && ns.Stack != nil {
		return h(ns, c, mem, arg)
	}
	get, set := ifreqGetters[cmd], ifreqSetters[cmd]
	if get == nil && set == nil && cmd != linux.SIOCETHTOOL {
		return 0, linux.ENOTTY
	}
	var b [sizeIfreq]byte
	if _, err := mem.CopyIn(arg, b[:]); err != nil {
		return 0, err
	}
	i, err := ifreqTarget(ns, cmd, b[:])
	if err != nil {
		return 0, err
	}
	if set != nil {
		if ns.Stack == nil || !ns.Capable(c, linux.CAP_NET_ADMIN) {
			return 0, linux.EPERM // the host's are not for us to change
		}
		return 0, set(ns, &i, b[linux.IFNAMSIZ:])
	}
	if cmd == linux.SIOCETHTOOL {
		return 0, ethtool(ns, mem, &i, binary.LittleEndian.Uint64(b[linux.IFNAMSIZ:]))
	}
	if err := get(&i, &b); err != nil {
		return 0, err
	}
	_, err = mem.CopyOut(arg, b[:])
	return 0, err
}

// ifreqTarget finds the interface that a request is about: by name, or for SIOCGIFNAME by number.
func ifreqTarget(ns *Namespace, cmd linux.IoctlCmd, b []byte) (netstack.Interface, error) {
	var i netstack.Interface
	var ok bool
	if cmd == linux.SIOCGIFNAME {
		index := int32(binary.LittleEndian.Uint32(b[linux.IFNAMSIZ:]))
		i, ok = ns.interfaceWith(func(i *netstack.Interface) bool { return i.Index == index })
	} else {
		name, _, _ := bytes.Cut(b[:linux.IFNAMSIZ-1], []byte{0})
		name, _, _ = bytes.Cut(name, []byte{':'}) // an alias is the interface itself
		i, ok = ns.interfaceWith(func(i *netstack.Interface) bool { return i.Name == string(name) })
	}
	if !ok {
		return i, linux.ENODEV
	}
	return i, nil
}

type ifreqGet func(i *netstack.Interface, b *[sizeIfreq]byte) error

// Set in one place and never changed.
var ifreqGetters = map[linux.IoctlCmd]ifreqGet{
	linux.SIOCGIFNAME: func(i *netstack.Interface, b *[sizeIfreq]byte) error {
		clear(b[:linux.IFNAMSIZ])
		copy(b[:linux.IFNAMSIZ-1], i.Name)
		return nil
	},
	linux.SIOCGIFINDEX: putNumber(func(i *netstack.Interface) uint32 { return uint32(i.Index) }),
	linux.SIOCGIFFLAGS: func(i *netstack.Interface, b *[sizeIfreq]byte) error {
		binary.LittleEndian.PutUint16(b[linux.IFNAMSIZ:], uint16(IfFlagsOf(i)))
		return nil
	},
	linux.SIOCGIFMTU:    putNumber(func(i *netstack.Interface) uint32 { return i.MTU }),
	linux.SIOCGIFMETRIC: putNumber(func(*netstack.Interface) uint32 { return 0 }),
	linux.SIOCGIFTXQLEN: putNumber(QueueLength),
	linux.SIOCGIFHWADDR: func(i *netstack.Interface, b *[sizeIfreq]byte) error {
		clear(b[linux.IFNAMSIZ:])
		binary.LittleEndian.PutUint16(b[linux.IFNAMSIZ:], HardwareType(i))
		copy(b[linux.IFNAMSIZ+2:], i.HWAddr[:])
		return nil
	},
	linux.SIOCGIFMAP: func(_ *netstack.Interface, b *[sizeIfreq]byte) error {
		clear(b[linux.IFNAMSIZ:])
		return nil
	},
	linux.SIOCGIFADDR:    putAddress(netip.Prefix.Addr),
	linux.SIOCGIFDSTADDR: putAddress(netip.Prefix.Addr),
	linux.SIOCGIFNETMASK: putAddress(Netmask),
	linux.SIOCGIFBRDADDR: putAddress(Broadcast4),
}

func putNumber(of func(*netstack.Interface) uint32) ifreqGet {
	return func(i *netstack.Interface, b *[sizeIfreq]byte) error {
		binary.LittleEndian.PutUint32(b[linux.IFNAMSIZ:], of(i))
		return nil
	}
}

func putAddress(of func(netip.Prefix) netip.Addr) ifreqGet {
	return func(i *netstack.Interface, b *[sizeIfreq]byte) error {
		for _, p := range i.Addrs {
			if !p.Addr().Is4() {
				continue
			}
			clear(b[linux.IFNAMSIZ:])
			putSockaddrIn(b[linux.IFNAMSIZ:], of(p))
			return nil
		}
		return linux.EADDRNOTAVAIL
	}
}

func putSockaddrIn(b []byte, ip netip.Addr) {
	binary.LittleEndian.PutUint16(b, uint16(linux.AF_INET))
	a := ip.As4()
	copy(b[4:], a[:])
}

// Netmask and Broadcast4 derive an IPv4 network's mask and broadcast address; a host's own network has none (0.0.0.0).
func Netmask(p netip.Prefix) netip.Addr {
	var m [4]byte
	binary.BigEndian.PutUint32(m[:], ^uint32(0)<<(32-p.Bits()))
	if p.Bits() == 0 {
		m = [4]byte{}
	}
	return netip.AddrFrom4(m)
}

func Broadcast4(p netip.Prefix) netip.Addr {
	if p.Bits() >= 31 || p.Addr().IsLoopback() {
		return netip.AddrFrom4([4]byte{})
	}
	a := p.Masked().Addr().As4()
	binary.BigEndian.PutUint32(a[:], binary.BigEndian.Uint32(a[:])|^uint32(0)>>p.Bits())
	return netip.AddrFrom4(a)
}

type ifreqSet func(ns *Namespace, i *netstack.Interface, data []byte) error

// Set in one place and never changed.
var ifreqSetters = map[linux.IoctlCmd]ifreqSet{
	linux.SIOCSIFFLAGS: func(ns *Namespace, i *netstack.Interface, data []byte) error {
		f := linux.IfFlags(binary.LittleEndian.Uint16(data))
		if on := f&linux.IFF_PROMISC != 0; on != i.Promisc {
			if err := ns.Stack.SetPromiscuous(i.Index, on); err != nil {
				return err
			}
		}
		up := f&linux.IFF_UP != 0
		if up == i.Up {
			return nil
		}
		return ns.SetLinkUp(i.Index, up)
	},
	linux.SIOCSIFMTU: func(ns *Namespace, i *netstack.Interface, data []byte) error {
		mtu := int32(binary.LittleEndian.Uint32(data))
		if mtu < 0 || !i.Loopback && (mtu < netstack.MinMTU || mtu > netstack.MaxMTU) {
			return linux.EINVAL
		}
		if err := ns.Stack.SetMTU(i.Index, uint32(mtu)); err != nil {
			return err
		}
		ns.LinkChanged(i.Index)
		return nil
	},
	linux.SIOCSIFNAME: func(ns *Namespace, i *netstack.Interface, data []byte) error {
		name, _, _ := bytes.Cut(data[:linux.IFNAMSIZ-1], []byte{0})
		if err := ns.Stack.Rename(i.Index, string(name)); err != nil {
			return err
		}
		ns.LinkChanged(i.Index)
		return nil
	},
	linux.SIOCSIFHWADDR: func(ns *Namespace, i *netstack.Interface, data []byte) error {
		if binary.LittleEndian.Uint16(data) != HardwareType(i) {
			return linux.EINVAL
		}
		if err := ns.Stack.SetHWAddr(i.Index, netstack.HWAddr(data[2:8])); err != nil {
			return err
		}
		ns.LinkChanged(i.Index)
		return nil
	},
	linux.SIOCSIFTXQLEN: func(_ *Namespace, _ *netstack.Interface, data []byte) error {
		if binary.LittleEndian.Uint32(data) != 1000 {
			return linux.EOPNOTSUPP // there are no queues
		}
		return nil
	},
	linux.SIOCSIFADDR:    setAddress,
	linux.SIOCSIFNETMASK: setNetmask,
	linux.SIOCSIFBRDADDR: setBroadcast,
}

// readIn reads the IPv4 address of a struct sockaddr.
func readIn(data []byte) (netip.Addr, error) {
	if linux.AddressFamily(binary.LittleEndian.Uint16(data)) != linux.AF_INET {
		return netip.Addr{}, linux.EINVAL
	}
	return netip.AddrFrom4([4]byte(data[4:8])), nil
}

// firstIn is the IPv4 address of an interface that ioctls are about.
func firstIn(ns *Namespace, i *netstack.Interface) (Addr, bool) {
	for _, a := range ns.AddressesOf(i) {
		if a.Prefix.Addr().Is4() {
			return a, true
		}
	}
	return Addr{}, false
}

// setAddress replaces the IPv4 address, with the network that addresses of its class had; 0.0.0.0 takes it away. As in Linux,
// the interface is set up.
func setAddress(ns *Namespace, i *netstack.Interface, data []byte) error {
	ip, err := readIn(data)
	if err != nil {
		return err
	}
	if old, ok := firstIn(ns, i); ok {
		if old.Prefix.Addr() == ip {
			return nil
		}
		if err := ns.RemoveAddr(i.Index, old.Prefix); err != nil {
			return err
		}
	}
	if ip.IsUnspecified() {
		return nil
	}
	a := Addr{Index: i.Index, Prefix: netip.PrefixFrom(ip, classBits(ip)), Label: i.Name, Scope: ScopeOf(ip)}
	if !i.Loopback && a.Prefix.Bits() < 31 {
		a.Broadcast = LastOf(a.Prefix)
	}
	if err := ns.AddAddr(a); err != nil {
		return err
	}
	if !i.Up {
		return ns.SetLinkUp(i.Index, true)
	}
	return nil
}

// classBits is the length of the network that an address had before there were others.
func classBits(ip netip.Addr) int {
	switch b := ip.As4()[0]; {
	case b < 128:
		return 8
	case b < 192:
		return 16
	}
	return 24
}

func setNetmask(ns *Namespace, i *netstack.Interface, data []byte) error {
	m := binary.BigEndian.Uint32(data[4:])
	ones := bits.LeadingZeros32(^m)
	if m != uint32(^uint64(0)<<(32-ones)) {
		return linux.EINVAL
	}
	a, ok := firstIn(ns, i)
	if !ok {
		return linux.EADDRNOTAVAIL
	}
	if a.Prefix.Bits() == ones {
		return nil
	}
	wide := a.Broadcast.IsValid() && a.Prefix.Bits() < 31 && a.Broadcast == LastOf(a.Prefix)
	if err := ns.RemoveAddr(i.Index, a.Prefix); err != nil {
		return err
	}
	a.Prefix = netip.PrefixFrom(a.Prefix.Addr(), ones)
	if wide {
		a.Broadcast = LastOf(a.Prefix)
	}
	return ns.AddAddr(a)
}

func setBroadcast(ns *Namespace, i *netstack.Interface, data []byte) error {
	ip, err := readIn(data)
	if err != nil {
		return err
	}
	a, ok := firstIn(ns, i)
	if !ok {
		return linux.EADDRNOTAVAIL
	}
	a.Broadcast = ip
	return ns.ChangeAddr(a)
}

// ifconf lists the interfaces' IPv4 addresses, as far as there is room; without a buffer it says how much it takes.
func ifconf(ns *Namespace, mem usermem.Space, arg uint64) error {
	var h [16]byte
	if _, err := mem.CopyIn(arg, h[:]); err != nil {
		return err
	}
	room, ptr := int64(int32(binary.LittleEndian.Uint32(h[:]))), binary.LittleEndian.Uint64(h[8:])
	var out []byte
	for _, i := range ns.Interfaces() {
		for _, p := range i.Addrs {
			if !p.Addr().Is4() || ptr != 0 && int64(len(out))+sizeIfreq > room {
				continue
			}
			var b [sizeIfreq]byte
			copy(b[:linux.IFNAMSIZ-1], i.Name)
			putSockaddrIn(b[linux.IFNAMSIZ:], p.Addr())
			out = append(out, b[:]...)
		}
	}
	if ptr != 0 {
		if _, err := mem.CopyOut(ptr, out); err != nil {
			return err
		}
	}
	_, err := mem.CopyOut(arg, SizeOf(len(out)))
	return err
}
