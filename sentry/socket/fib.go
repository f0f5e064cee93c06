package socket

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"cordon/internal/linux"
	"cordon/netstack"
)

// Fib lists all routes in Linux's order: IPv4's tables main and local, each by destination, then IPv6's. What Linux keeps in
// the table "local" is made of the addresses.
func (n *Namespace) Fib() []Route {
	links := make(map[int32]netstack.Interface)
	var local []Route
	for _, i := range n.Interfaces() {
		links[i.Index] = i
		if i.Up {
			local = append(local, n.localRoutes(&i)...)
		}
	}
	out := local
	n.confMu.Lock()
	for _, r := range n.Routes() {
		i, ok := links[r.Index]
		if !ok || !i.Up || r.Dst.Addr().IsLoopback() {
			continue
		}
		note, noted := n.conf.routes[r]
		f := Route{Route: r, Table: linux.RT_TABLE_MAIN, Type: linux.RTN_UNICAST, Proto: note.Proto, Scope: note.Scope, Metric: note.Metric, OnLink: note.OnLink}
		if !noted && !fromStack(&f, &i) {
			continue
		}
		out = append(out, f)
	}
	n.confMu.Unlock()
	slices.SortStableFunc(out, compareRoutes)
	return out
}

// fromStack says what of a route nobody has told: it came with an address, or was there from the beginning. It is false for
// one that Linux keeps in another table.
func fromStack(f *Route, i *netstack.Interface) bool {
	six := !f.Dst.Addr().Is4()
	f.Proto = linux.RTPROT_BOOT
	if six {
		f.Metric = 1024
	}
	if f.Gateway.IsValid() {
		return true
	}
	if !six {
		f.Scope = linux.RT_SCOPE_LINK
	}
	for _, a := range i.Addrs {
		if a.Masked() != f.Dst {
			continue
		}
		f.Proto = linux.RTPROT_KERNEL
		if six {
			f.Metric = 256
			return true
		}
		if i.Loopback || a.Bits() == 32 {
			return false
		}
		if !f.Src.IsValid() {
			f.Src = a.Addr()
		}
		return true
	}
	return true
}

// localRoutes are the routes of the table "local" that come with an interface's addresses.
func (n *Namespace) localRoutes(i *netstack.Interface) []Route {
	var out []Route
	primary := make(map[netip.Prefix]netip.Addr)
	for _, a := range n.AddressesOf(i) {
		ip := a.Prefix.Addr()
		r := Route{
			Route: netstack.Route{Dst: netip.PrefixFrom(ip, ip.BitLen()), Index: i.Index}, Table: linux.RT_TABLE_LOCAL,
			Type: linux.RTN_LOCAL, Proto: linux.RTPROT_KERNEL,
		}
		if !ip.Is4() {
			out = append(out, r)
			continue
		}
		net := a.Prefix.Masked()
		if !a.Secondary {
			primary[net] = ip
		}
		r.Scope, r.Src = linux.RT_SCOPE_HOST, primary[net]
		out = append(out, r)
		bits := a.Prefix.Bits()
		if a.Secondary || bits == 32 {
			continue
		}
		if i.Loopback {
			r.Dst = net
			out = append(out, r)
		}
		b := r
		b.Type, b.Scope = linux.RTN_BROADCAST, linux.RT_SCOPE_LINK
		if bits < 31 {
			b.Dst = netip.PrefixFrom(LastOf(a.Prefix), 32)
			out = append(out, b)
		}
		if a.Broadcast.IsValid() && (bits >= 31 || a.Broadcast != b.Dst.Addr()) {
			b.Dst = netip.PrefixFrom(a.Broadcast, 32)
			out = append(out, b)
		}
	}
	return out
}

// LastOf is the last address of an IPv4 network.
func LastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])|uint32(uint64(1)<<(32-p.Bits())-1))
	return netip.AddrFrom4(b)
}

func compareRoutes(a, b Route) int {
	six := func(r *Route) int {
		if r.Dst.Addr().Is4() {
			return 0
		}
		return 1
	}
	if c := cmp.Compare(six(&a), six(&b)); c != 0 {
		return c
	}
	if six(&a) == 1 {
		// IPv6 walks its tree: main and local one after the other, a prefix's host routes and defaults last.
		return cmp.Or(cmp.Compare(a.Table, b.Table), compareSix(&a, &b), cmp.Compare(a.Metric, b.Metric))
	}
	return cmp.Or(cmp.Compare(a.Table, b.Table), a.Dst.Addr().Compare(b.Dst.Addr()), cmp.Compare(b.Dst.Bits(), a.Dst.Bits()),
		cmp.Compare(a.Metric, b.Metric))
}

func compareSix(a, b *Route) int {
	if z := cmp.Compare(boolOrder(a.Dst.Bits() == 0), boolOrder(b.Dst.Bits() == 0)); z != 0 {
		return z
	}
	return cmp.Or(a.Dst.Addr().Compare(b.Dst.Addr()), cmp.Compare(a.Dst.Bits(), b.Dst.Bits()))
}

func boolOrder(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tellRoutes tells how the tables differ from what they were.
func (n *Namespace) tellRoutes(before []Route) {
	now := n.Fib()
	was := make(map[Route]bool, len(before))
	for _, r := range before {
		was[r] = true
	}
	is := make(map[Route]bool, len(now))
	var cs []Change
	for _, r := range now {
		is[r] = true
		if !was[r] {
			cs = append(cs, Change{Kind: RouteChange, Route: r})
		}
	}
	for _, r := range before {
		if !is[r] {
			cs = append(cs, Change{Kind: RouteChange, Gone: true, Route: r})
		}
	}
	if len(cs) > 0 {
		n.Tell(cs...)
	}
}

// RouteMode is what to do when there are routes to a destination with the same metric.
type RouteMode uint8

const (
	RouteCreate  RouteMode = 1 << iota // NLM_F_CREATE: make one where there is none
	RouteExcl                          // fail where there is one
	RouteReplace                       // put it in the place of the first
	RouteAppend                        // behind them, else before
)

// AddRoute puts a route into the main table. EEXIST, ENOENT and ENODEV as route(8) has them.
func (n *Namespace) AddRoute(r Route, mode RouteMode) error {
	if _, ok := n.Stack.Interface(r.Index); !ok {
		return linux.ENODEV
	}
	before := n.Fib()
	same := slices.DeleteFunc(slices.Clone(before), func(o Route) bool {
		return o.Table != linux.RT_TABLE_MAIN || o.Dst != r.Dst || o.Metric != r.Metric
	})
	switch {
	case len(same) > 0 && mode&RouteExcl != 0:
		return linux.EEXIST
	case len(same) == 0 && mode&RouteCreate == 0:
		return linux.ENOENT
	case len(same) > 0 && slices.ContainsFunc(same, func(o Route) bool { return o.Route == r.Route && o.Scope == r.Scope }):
		if mode&RouteReplace != 0 && same[0].Route == r.Route {
			n.noteRoute(&r)
			n.tellRoutes(before)
			return nil
		}
		return linux.EEXIST
	}
	n.confMu.Lock()
	full := len(n.conf.routes) >= maxNotes
	n.confMu.Unlock()
	if full {
		return linux.ENOBUFS
	}
	if len(same) > 0 && mode&RouteReplace != 0 {
		n.placeRoute(&r, &same[0], mode)
		n.dropRoute(&same[0])
	} else {
		n.placeRoute(&r, nil, mode)
	}
	n.tellRoutes(before)
	return nil
}

func (n *Namespace) noteRoute(r *Route) {
	n.confMu.Lock()
	n.conf.routes[r.Route] = RouteNote{r.Proto, r.Scope, r.Metric, r.OnLink}
	n.confMu.Unlock()
}

// placeRoute puts a route among those to its destination: they are searched by metric.
func (n *Namespace) placeRoute(r, at *Route, mode RouteMode) {
	n.noteRoute(r)
	table := n.Stack.Routes()
	n.confMu.Lock()
	pos := len(table)
	for i, o := range table {
		if o.Dst != r.Dst {
			continue
		}
		m := n.conf.routes[o].Metric
		if at != nil && o == at.Route || at == nil && (m > r.Metric || m == r.Metric && mode&RouteAppend == 0) {
			pos = i
			break
		}
		pos = i + 1
	}
	n.confMu.Unlock()
	n.Stack.SetRoutes(slices.Insert(table, pos, r.Route))
}

// dropRoute takes one row out.
func (n *Namespace) dropRoute(r *Route) {
	table := n.Stack.Routes()
	if i := slices.Index(table, r.Route); i >= 0 {
		n.Stack.SetRoutes(slices.Delete(table, i, i+1))
	} else {
		// A route that came with an address has no source in the stack's table.
		bare := r.Route
		bare.Src = netip.Addr{}
		if i := slices.Index(table, bare); i >= 0 {
			n.Stack.SetRoutes(slices.Delete(table, i, i+1))
		}
	}
	n.confMu.Lock()
	delete(n.conf.routes, r.Route)
	n.confMu.Unlock()
}

// RemoveRoute removes the first route of the main table that pick takes. ESRCH when there is none.
func (n *Namespace) RemoveRoute(pick func(*Route) bool) error {
	before := n.Fib()
	for _, r := range before {
		if r.Table == linux.RT_TABLE_MAIN && pick(&r) {
			n.dropRoute(&r)
			n.tellRoutes(before)
			return nil
		}
	}
	return linux.ESRCH
}
