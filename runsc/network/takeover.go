package network

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"

	"cordon/runsc/boot"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// gsoMax is the largest segment that is left to the host to cut.
const gsoMax = 65536

// inNamespace runs f on a thread in a network namespace.
func inNamespace(path string, f func() error) error {
	ns, err := os.Open(path)
	if err != nil {
		return err
	}
	defer ns.Close()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("entering network namespace %s: %w", path, err)
			return
		}
		done <- f()
	}()
	return <-done
}

// None is the network of a stack with nothing but loopback.
func None() *boot.Network { return &boot.Network{Broker: -1} }

// TakeOver takes the interfaces of a network namespace away from the host's stack. With a record, a file's path, they can
// be given back.
func TakeOver(path, record string) (*boot.Network, error) {
	n := None()
	err := inNamespace(path, func() error {
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return fmt.Errorf("netlink: %w", err)
		}
		defer h.Close()
		if err := takeOver(h, n, path, record); err != nil || len(n.Links) == 0 {
			return err
		}
		if err := addLoopback(n); err != nil {
			slog.Debug("no way from the namespace's loopback to the sandbox's", "namespace", path, "error", err)
		}
		return nil
	})
	if err == nil && n.Watch != nil {
		err = addOpener(n, path)
	}
	if err != nil {
		n.CloseFDs()
		return nil, err
	}
	return n, nil
}

func takeOver(h *netlink.Handle, n *boot.Network, path, record string) error {
	links, err := h.LinkList()
	if err != nil {
		return fmt.Errorf("listing interfaces: %w", err)
	}
	names := make(map[int]string)
	var taken []netlink.Link
	for _, l := range links {
		a := l.Attrs()
		if a.EncapType != "ether" || a.Flags&net.FlagUp == 0 {
			continue
		}
		if err := addLink(h, n, l); err != nil {
			return fmt.Errorf("interface %s: %w", a.Name, err)
		}
		names[a.Index] = a.Name
		taken = append(taken, l)
	}
	if err := addRoutes(h, n, names); err != nil {
		return err
	}
	if err := addNeighbours(h, n, names); err != nil {
		return err
	}
	if record != "" && len(taken) > 0 {
		if err := writeRecord(record, path, n); err != nil {
			return err
		}
	}
	if len(taken) == 0 {
		return nil
	}
	muted := mute(h)
	if muted == nil {
		return addWatch(n)
	}
	// Without routing rules the host's stack is kept quiet by having no addresses; who changes them later is not followed.
	slog.Debug("changes of the namespace will not be seen", "namespace", path, "error", muted)
	unmute(h)
	for _, l := range taken {
		if err := silence(h, l); err != nil {
			return fmt.Errorf("interface %s: %w", l.Attrs().Name, err)
		}
	}
	return nil
}

// addLink describes one interface and opens its packet socket.
func addLink(h *netlink.Handle, n *boot.Network, l netlink.Link) error {
	a := l.Attrs()
	out := boot.Link{Index: int32(a.Index), Name: a.Name, HWAddr: a.HardwareAddr, MTU: uint32(a.MTU), Up: true}
	addrs, err := h.AddrList(l, netlink.FAMILY_ALL)
	if err != nil {
		return fmt.Errorf("addresses: %w", err)
	}
	for _, ad := range addrs {
		if p, ok := prefixOf(ad.IPNet); ok {
			out.Addrs = append(out.Addrs, p)
		}
	}
	addLinkLocal(n, &out)
	fd, err := packetSocket(a.Index)
	if err != nil {
		return err
	}
	out.VNetHeader, out.GSOMax = true, gsoMax
	if m := a.GSOMaxSize; m > 0 && m < gsoMax {
		out.GSOMax = m
	}
	out.FD = n.Add(fd)
	n.Links = append(n.Links, out)
	return nil
}

// addLinkLocal gives an interface that speaks IPv6 the link-local address that it has not got yet: the host's stack may
// still be testing it.
func addLinkLocal(n *boot.Network, l *boot.Link) {
	v6 := false
	for _, p := range l.Addrs {
		if p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() {
			return
		}
		v6 = v6 || p.Addr().Is6()
	}
	if !v6 || len(l.HWAddr) != 6 {
		return
	}
	hw := l.HWAddr // RFC 4291 appendix A
	ip := netip.AddrFrom16([16]byte{0xfe, 0x80, 8: hw[0] ^ 2, hw[1], hw[2], 0xff, 0xfe, hw[3], hw[4], hw[5]})
	p := netip.PrefixFrom(ip, 64)
	l.Addrs = append(l.Addrs, p)
	n.Routes = append(n.Routes, boot.Route{Dst: p.Masked(), Link: l.Name, Metric: 256})
}

// receiveBuffer is how much may wait for the Sentry to run.
const receiveBuffer = 4 << 20

// packetSocket opens what sends and receives an interface's frames with virtio headers.
func packetSocket(index int) (int, error) {
	// Without a protocol it receives nothing before it is bound.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("packet socket: %w", err)
	}
	err = func() error {
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1); err != nil {
			return fmt.Errorf("PACKET_VNET_HDR: %w", err)
		}
		// Linux 4.20; without it the few frames that the host's own stack sends are seen, which does no harm.
		_ = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
		for _, o := range [][2]int{{unix.SO_RCVBUFFORCE, unix.SO_RCVBUF}, {unix.SO_SNDBUFFORCE, unix.SO_SNDBUF}} {
			if unix.SetsockoptInt(fd, unix.SOL_SOCKET, o[0], receiveBuffer) == nil {
				continue
			}
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, o[1], receiveBuffer); err != nil {
				return err
			}
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ALL), Ifindex: index})
	}()
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func bigEndian(v uint16) uint16 { return v<<8 | v>>8 }

func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	ip, ok := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	ip = ip.Unmap()
	p := netip.PrefixFrom(ip, bits)
	return p, ok && p.IsValid()
}

func addrOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

// addRoutes describes the main table's routes over the interfaces taken.
func addRoutes(h *netlink.Handle, n *boot.Network, names map[int]string) error {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := h.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE)
		if err != nil {
			return fmt.Errorf("listing routes: %w", err)
		}
		slices.SortStableFunc(routes, func(a, b netlink.Route) int { return cmp.Compare(a.Priority, b.Priority) })
		for _, r := range routes {
			if r.Type != unix.RTN_UNICAST {
				continue
			}
			dst, ok := prefixOf(r.Dst)
			if !ok {
				dst = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
				if family == netlink.FAMILY_V6 {
					dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
				}
			}
			hops := r.MultiPath
			if len(hops) == 0 {
				hops = []*netlink.NexthopInfo{{LinkIndex: r.LinkIndex, Gw: r.Gw}}
			}
			for _, hop := range hops {
				if name, ok := names[hop.LinkIndex]; ok {
					n.Routes = append(n.Routes, boot.Route{
						Dst: dst, Gateway: addrOf(hop.Gw), Src: addrOf(r.Src), Link: name, MTU: uint32(r.MTU), Metric: r.Priority,
					})
				}
			}
		}
	}
	return nil
}

// addNeighbours describes the permanent neighbours.
func addNeighbours(h *netlink.Handle, n *boot.Network, names map[int]string) error {
	for index, name := range names {
		all, err := h.NeighList(index, netlink.FAMILY_ALL)
		if err != nil {
			return fmt.Errorf("listing neighbours of %s: %w", name, err)
		}
		for _, nb := range all {
			if nb.State&netlink.NUD_PERMANENT != 0 && len(nb.HardwareAddr) == 6 && !nb.IP.IsMulticast() {
				n.Neighbours = append(n.Neighbours, boot.Neighbour{Addr: addrOf(nb.IP), HWAddr: nb.HardwareAddr, Link: name})
			}
		}
	}
	return nil
}

// Values of IFLA_INET6_ADDR_GEN_MODE.
const (
	fromHWAddr = 0 // IN6_ADDR_GEN_MODE_EUI64
	noAddress  = 1 // IN6_ADDR_GEN_MODE_NONE
)

// silence takes an interface's addresses away, so that the host's stack answers nobody. Its routes go with them.
func silence(h *netlink.Handle, l netlink.Link) error {
	addrs, err := h.AddrList(l, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	// Where IPv6 is off there is no such mode; then there is no address to make either.
	_ = h.LinkSetIP6AddrGenMode(l, noAddress)
	for _, a := range addrs {
		err := h.AddrDel(l, &a)
		// One that depended on another went with it.
		if err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("removing %s: %w", a.IPNet, err)
		}
	}
	return nil
}

// A record is what GiveBack needs.
type record struct {
	Namespace string        `json:"namespace"`
	Network   *boot.Network `json:"network"`
}

func writeRecord(file, namespace string, n *boot.Network) error {
	data, err := json.Marshal(record{namespace, n})
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

// GiveBack puts back into a namespace what a record says was taken. A namespace that is gone needs nothing, and what
// somebody else has configured meanwhile stays.
func GiveBack(file string) error {
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	err = inNamespace(r.Namespace, func() error {
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer h.Close()
		unmute(h)
		giveBack(h, r.Network)
		return nil
	})
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.EINVAL) { // an unmounted name is a file like others
		err = nil
	}
	if err == nil {
		os.Remove(file)
	}
	return err
}

func giveBack(h *netlink.Handle, n *boot.Network) {
	index := make(map[string]int)
	for i := range n.Links {
		l, err := h.LinkByName(n.Links[i].Name)
		if err != nil {
			continue // gone, or renamed: somebody else's now
		}
		index[n.Links[i].Name] = l.Attrs().Index
		_ = h.LinkSetIP6AddrGenMode(l, fromHWAddr)
		for _, p := range n.Links[i].Addrs {
			// There already: it has been configured again.
			_ = h.AddrAdd(l, &netlink.Addr{IPNet: ipNet(p), Flags: unix.IFA_F_NODAD * btoi(p.Addr().Is6())})
		}
	}
	// Gateways are reached by the routes of networks.
	routes := slices.Clone(n.Routes)
	slices.SortStableFunc(routes, func(a, b boot.Route) int { return btoi(a.Gateway.IsValid()) - btoi(b.Gateway.IsValid()) })
	for _, r := range routes {
		if i, ok := index[r.Link]; ok {
			out := &netlink.Route{LinkIndex: i, Dst: ipNet(r.Dst), Src: ipOf(r.Src), Gw: ipOf(r.Gateway), MTU: int(r.MTU), Priority: r.Metric}
			if !r.Gateway.IsValid() && r.Dst.Addr().Is4() {
				out.Scope = netlink.SCOPE_LINK
			}
			_ = h.RouteAdd(out)
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func ipOf(a netip.Addr) net.IP {
	if !a.IsValid() {
		return nil
	}
	return a.AsSlice()
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
