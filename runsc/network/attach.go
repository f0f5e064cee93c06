package network

import (
	"fmt"
	"net/netip"

	"cordon/netstack"
	"cordon/runsc/boot"
)

// Attach puts a network into the sandbox's stack, which has its loopback.
func Attach(s *netstack.Stack, n *boot.Network) error {
	index := make(map[string]int32)
	for i := range n.Links {
		l := &n.Links[i]
		if err := attachLink(s, n, l, index); err != nil {
			return fmt.Errorf("interface %s: %w", l.Name, err)
		}
	}
	for _, r := range n.Routes {
		i, ok := index[r.Link]
		if r.Link == "" {
			i, ok = linkTo(s, r.Gateway)
		}
		if !ok {
			return fmt.Errorf("route to %s: no interface leads to %s", r.Dst, r.Gateway)
		}
		err := s.AppendRoute(netstack.Route{Dst: r.Dst, Gateway: r.Gateway, Src: r.Src, Index: i, MTU: r.MTU})
		if err != nil {
			return fmt.Errorf("route to %s: %w", r.Dst, err)
		}
	}
	for _, nb := range n.Neighbours {
		out := netstack.Neighbour{Addr: nb.Addr, Index: index[nb.Link]}
		copy(out.HWAddr[:], nb.HWAddr)
		if err := s.AddNeighbour(out); err != nil {
			return fmt.Errorf("neighbour %s: %w", nb.Addr, err)
		}
	}
	attachLoopback(s, n)
	attachWatch(s, n)
	return attachUser(s, n)
}

// linkTo finds the interface whose network an address is of.
func linkTo(s *netstack.Stack, gateway netip.Addr) (int32, bool) {
	for _, i := range s.Interfaces() {
		for _, p := range i.Addrs {
			if p.Contains(gateway) {
				return i.Index, true
			}
		}
	}
	return 0, false
}

func attachLink(s *netstack.Stack, n *boot.Network, l *boot.Link, index map[string]int32) error {
	link := netstack.Link{Name: l.Name, MTU: min(l.MTU, netstack.MaxMTU), FD: n.FD(l.FD), VNetHeader: l.VNetHeader, GSOMax: l.GSOMax}
	copy(link.HWAddr[:], l.HWAddr)
	if link.FD < 0 {
		return fmt.Errorf("no descriptor")
	}
	at := l.Index
	if _, taken := s.Interface(at); taken {
		at = 0
	}
	if err := s.AddLink(at, link); err != nil {
		return err
	}
	i, _ := s.InterfaceByName(l.Name)
	index[l.Name] = i.Index
	for _, p := range l.Addrs {
		add := s.AddAddressAlone
		if l.OwnRoutes {
			add = s.AddAddress
		}
		if err := add(i.Index, p); err != nil {
			return fmt.Errorf("address %s: %w", p, err)
		}
	}
	if !l.Up {
		return s.SetUp(i.Index, false)
	}
	return nil
}
