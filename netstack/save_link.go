package netstack

import (
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"cordon/internal/linux"
)

// restore builds interfaces, addresses, routes and tables on the loaded stack. A fresh stack's interfaces moved over would
// look into the fresh stack's tables.
func (i *stackImage) restore(links Links, pairs *Pairs) (*Stack, error) {
	if i.s == nil {
		return nil, linux.EINVAL
	}
	s := wrapStack(i.s)
	s.serial = i.serial
	i.s.ResetConfig()
	tables := stack.DefaultTables(i.s.Clock(), i.s.InsecureRNG())
	for j, t := range i.tables {
		if j/2 < int(stack.NumTables) {
			tables.ReplaceTable(stack.TableID(j/2), t, j%2 == 1) // the usual ones start no tracking of connections
		}
	}
	i.s.SetIPTables(tables)
	s.had = make(map[string]int32)
	for _, l := range i.links {
		if l.outside() {
			s.had[l.name] = l.index
		} else if err := s.restoreLink(&l, pairs); err != nil {
			return nil, err
		}
	}
	i.s.SetRouteTable(slices.DeleteFunc(i.routes, func(r tcpip.Route) bool { return !i.s.HasNIC(r.NIC) }))
	if err := s.restoreOutside(i.links, links); err != nil {
		return nil, err
	}
	return s, s.restorePorts(i.links)
}

// outside reports whether the link is an outside thing.
func (l *linkImage) outside() bool { return l.kind == kindFrames || l.kind == kindGateway }

func (s *Stack) restoreLink(l *linkImage, pairs *Pairs) error {
	id := tcpip.NICID(l.index)
	var err error
	switch l.kind {
	case kindLoopback:
		err = s.addLoopback()
	case kindDummy, kindPair, kindBridge, kindTun:
		err = s.restoreVirtual(l, pairs)
	default:
		err = linux.EINVAL
	}
	if err != nil {
		return err
	}
	for _, a := range l.addrs {
		if err := s.s.AddProtocolAddress(id, a, stack.AddressProperties{}); err != nil {
			return errnoOf(err)
		}
	}
	switch {
	case !l.down:
		return nil
	case l.started:
		return s.SetUp(l.index, false)
	}
	return errnoOf(s.s.DisableNIC(id))
}

// restoreOutside takes the interfaces that are there now.
func (s *Stack) restoreOutside(had []linkImage, links Links) error {
	if links == nil {
		return nil
	}
	s.loading.Store(true)
	if err := links(s); err != nil {
		return err
	}
	for _, l := range had {
		if i, ok := s.InterfaceByName(l.name); ok && l.outside() && l.down {
			if err := s.SetUp(i.Index, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// Receive has a loaded stack receive from outside.
func (s *Stack) Receive() {
	s.loading.Store(false)
	for _, f := range s.frameLinks() {
		f.goOn()
	}
}

// CutOff has nothing go out or come in by the links that are outside things, for a stack that is going to live on elsewhere:
// what its connections say when they end here is not meant for their peers. Reconnect undoes it.
func (s *Stack) CutOff() {
	for _, f := range s.frameLinks() {
		f.cut.Store(true)
		f.hold()
	}
}

func (s *Stack) Reconnect() {
	for _, f := range s.frameLinks() {
		f.cut.Store(false)
		f.goOn()
	}
}
