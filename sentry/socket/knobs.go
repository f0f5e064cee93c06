package socket

import (
	"net/netip"
	"slices"

	"cordon/internal/linux"
	"cordon/netstack"
)

// Knobs are the numbers of /proc/sys/net that sockets of a namespace go by and the stack does not know.
type Knobs struct {
	Somaxconn int32  // net.core.somaxconn
	RmemMax   int32  // net.core.rmem_max and wmem_max, in bytes as guests set them
	WmemMax   int32  //
	FreePort  int32  // net.ipv4.ip_unprivileged_port_start
	PingLow   uint32 // net.ipv4.ping_group_range
	PingHigh  uint32
	NoIPv6    []int32 // interfaces without IPv6; 0 for those to come
	LocalNet  []int32 // interfaces with net.ipv4.conf.*.route_localnet
}

func defaultKnobs() Knobs {
	const free = 1024
	return Knobs{Somaxconn: linux.SOMAXCONN, RmemMax: MaxBuffer, WmemMax: MaxBuffer, FreePort: free, PingLow: 1, PingHigh: 0}
}

// Knobs returns the numbers; ChangeKnobs changes them.
func (n *Namespace) Knobs() Knobs {
	n.confMu.Lock()
	defer n.confMu.Unlock()
	return n.knobs
}

func (n *Namespace) ChangeKnobs(change func(k *Knobs)) {
	n.confMu.Lock()
	defer n.confMu.Unlock()
	change(&n.knobs)
}

// Backlog is what a listener may have of what it asks for.
func (n *Namespace) Backlog(want int) int {
	most := int(n.Knobs().Somaxconn)
	if want < 0 || want > most {
		return most
	}
	return want
}

// WithoutIPv6 says whether an interface is not to have IPv6 addresses.
func (k *Knobs) WithoutIPv6(index int32) bool {
	for _, i := range k.NoIPv6 {
		if i == index {
			return true
		}
	}
	return false
}

// RoutesLocalNet says whether an interface has route_localnet.
func (k *Knobs) RoutesLocalNet(index int32) bool { return slices.Contains(k.LocalNet, index) }

// SetLocalNet is route_localnet of an interface. What packet filters send from 127/8 to
// another address leaves by any interface, whatever this says; what comes in for 127/8
// is never taken.
func (n *Namespace) SetLocalNet(index int32, on bool) {
	n.ChangeKnobs(func(k *Knobs) {
		// Those who have asked for the numbers keep their slice.
		k.LocalNet = slices.DeleteFunc(slices.Clone(k.LocalNet), func(i int32) bool { return i == index })
		if on {
			k.LocalNet = append(k.LocalNet, index)
		}
	})
}

// SetIPv6 turns IPv6 of an interface off, which takes its addresses away, or on again; index 0 is for all that there are and
// that will be.
func (n *Namespace) SetIPv6(index int32, on bool) {
	want := []int32{index}
	links := n.Interfaces()
	if index == 0 {
		for _, i := range links {
			want = append(want, i.Index)
		}
	}
	n.ChangeKnobs(func(k *Knobs) {
		for _, i := range want {
			has := k.WithoutIPv6(i)
			switch {
			case on && has:
				keep := make([]int32, 0, len(k.NoIPv6))
				for _, o := range k.NoIPv6 {
					if o != i {
						keep = append(keep, o)
					}
				}
				k.NoIPv6 = keep
			case !on && !has:
				k.NoIPv6 = append(append([]int32(nil), k.NoIPv6...), i)
			}
		}
	})
	k := n.Knobs()
	for _, i := range links {
		if !k.WithoutIPv6(i.Index) {
			n.loopbackSix(&i)
			continue
		}
		for _, p := range i.Addrs {
			if !p.Addr().Is4() {
				n.RemoveAddr(i.Index, p) // it was there a moment ago
			}
		}
	}
}

// loopbackSix gives loopback its address back, as Linux does when IPv6 is turned on.
func (n *Namespace) loopbackSix(i *netstack.Interface) {
	if !i.Loopback {
		return
	}
	for _, p := range i.Addrs {
		if !p.Addr().Is4() {
			return
		}
	}
	n.AddAddr(Addr{Index: i.Index, Prefix: netip.PrefixFrom(netip.IPv6Loopback(), 128), Scope: linux.RT_SCOPE_HOST}) // nothing else has it
}
