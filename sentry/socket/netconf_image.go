package socket

import (
	"cmp"
	"net/netip"
	"slices"

	"cordon/netstack"
)

// AddrImage is an Addr in a checkpoint.
type AddrImage struct {
	Index     int32
	Prefix    string
	Peer      string // "": none
	Broadcast string // "": none
	Label     string
	Scope     uint8
	Proto     uint8
}

// RouteImage is the note on a route in a checkpoint.
type RouteImage struct {
	Dst, Gateway, Src string
	Index             int32
	MTU               uint32
	Proto, Scope      uint8
	Metric            uint32
	OnLink            bool
}

func textOf(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

func peerText(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}

// confImages returns what the namespace keeps, in an order that is the same each time.
func (n *Namespace) confImages() (as []AddrImage, rs []RouteImage) {
	n.confMu.Lock()
	defer n.confMu.Unlock()
	for _, a := range n.conf.addrs {
		as = append(as, AddrImage{a.Index, a.Prefix.String(), peerText(a.Peer), textOf(a.Broadcast), a.Label, a.Scope, a.Proto})
	}
	for r, o := range n.conf.routes {
		rs = append(rs, RouteImage{
			r.Dst.String(), textOf(r.Gateway), textOf(r.Src), r.Index, r.MTU, o.Proto, o.Scope, o.Metric, o.OnLink,
		})
	}
	slices.SortFunc(as, func(a, b AddrImage) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Prefix, b.Prefix))
	})
	slices.SortFunc(rs, func(a, b RouteImage) int {
		return cmp.Or(cmp.Compare(a.Dst, b.Dst), cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.Src, b.Src),
			cmp.Compare(a.Index, b.Index), cmp.Compare(a.MTU, b.MTU))
	})
	return as, rs
}

// idImages returns what n calls other namespaces.
func (n *Namespace) idImages() (out []NamespaceID) {
	n.confMu.Lock()
	defer n.confMu.Unlock()
	for serial, id := range n.conf.ids {
		out = append(out, NamespaceID{serial, id})
	}
	slices.SortFunc(out, func(a, b NamespaceID) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func (n *Namespace) loadConf(as []AddrImage, rs []RouteImage) error {
	for _, im := range as {
		p, err := netip.ParsePrefix(im.Prefix)
		if err != nil {
			return errImage
		}
		a := Addr{Index: im.Index, Prefix: p, Label: im.Label, Scope: im.Scope, Proto: im.Proto}
		if a.Broadcast, err = addrOf(im.Broadcast); err != nil {
			return errImage
		}
		if im.Peer != "" {
			if a.Peer, err = netip.ParsePrefix(im.Peer); err != nil {
				return errImage
			}
		}
		n.conf.addrs[addrKey{a.Index, p}] = a
	}
	for _, im := range rs {
		p, err := netip.ParsePrefix(im.Dst)
		if err != nil {
			return errImage
		}
		r := netstack.Route{Dst: p, Index: im.Index, MTU: im.MTU}
		if r.Gateway, err = addrOf(im.Gateway); err != nil {
			return errImage
		}
		if r.Src, err = addrOf(im.Src); err != nil {
			return errImage
		}
		n.conf.routes[r] = RouteNote{im.Proto, im.Scope, im.Metric, im.OnLink}
	}
	return nil
}

func addrOf(s string) (netip.Addr, error) {
	if s == "" {
		return netip.Addr{}, nil
	}
	return netip.ParseAddr(s)
}
