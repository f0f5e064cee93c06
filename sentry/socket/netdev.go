package socket

import (
	"bytes"
	"encoding/binary"
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
		f |= linux.IFF_UP | linux.IFF_RUNNING | linux.IFF_LOWER_UP
	}
	if i.Loopback {
		f |= linux.IFF_LOOPBACK
	} else {
		f |= linux.IFF_BROADCAST | linux.IFF_MULTICAST
	}
	if i.Promisc {
		f |= linux.IFF_PROMISC
	}
	return f
}

// HardwareType is an interface's ARPHRD_ number.
func HardwareType(i *netstack.Interface) uint16 {
	if i.Loopback {
		return linux.ARPHRD_LOOPBACK
	}
	return linux.ARPHRD_ETHER
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
	get, set := ifreqGetters[cmd], ifreqSetters[cmd]
	if get == nil && set == nil {
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
	linux.SIOCGIFTXQLEN: putNumber(func(*netstack.Interface) uint32 { return 1000 }),
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
		up := f&linux.IFF_UP != 0
		if up == i.Up {
			return nil
		}
		return ns.Stack.SetUp(i.Index, up)
	},
	linux.SIOCSIFMTU: func(ns *Namespace, i *netstack.Interface, data []byte) error {
		mtu := int32(binary.LittleEndian.Uint32(data))
		if mtu < 68 || mtu > 65536 {
			return linux.EINVAL
		}
		return ns.Stack.SetMTU(i.Index, uint32(mtu))
	},
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
