package netstack

import (
	"bytes"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"cordon/internal/linux"
)

// clockTick is the unit of a bridge's times: Linux's USER_HZ.
const clockTick = 10 * time.Millisecond

// A BridgeConf is what can be set of a bridge; times are in hundredths of a second. There is no spanning tree, and so no use for
// its times; and no snooping of who is in a group, which changes nothing where nobody asks (Linux: no querier).
type BridgeConf struct {
	ForwardDelay, HelloTime, MaxAge, AgeingTime uint32

	Priority     uint16
	GroupFwdMask uint16
	Snooping     bool
	Addr         HWAddr // of its identifier; it is not set with the rest
}

// DefaultBridge is a new bridge's.
func DefaultBridge() BridgeConf {
	return BridgeConf{
		ForwardDelay: 1500, HelloTime: 200, MaxAge: 2000, AgeingTime: 30000, Priority: 0x8000, Snooping: true,
	}
}

// PortFlags are switches of a port.
type PortFlags uint32

const (
	PortHairpin PortFlags = 1 << iota // frames may leave where they came in
	PortLearning
	PortFlood // of frames for stations that are not known
	PortMcastFlood
	PortBcastFlood
	PortIsolated // nothing passes between two such
)

const (
	defaultPortFlags    = PortLearning | PortFlood | PortMcastFlood | PortBcastFlood
	defaultPortPriority = 0x80 >> 2
	defaultPortCost     = 2 // of 10 Gbit/s, what a pair says of itself
	unknownPortCost     = 100
)

// A PortConf is what can be set of a port.
type PortConf struct {
	Flags     PortFlags
	Priority  uint16
	Cost      uint32
	GroupMask uint16
}

// A Port is a link in a bridge.
type Port struct {
	PortConf
	Index, Bridge int32
	Number        uint16
	State         uint8 // BR_STATE_
}

// ID is the port's identifier: of its priority and its number.
func (p *Port) ID() uint16 { return p.Priority<<10 | p.Number }

// Linux's BR_STATE_DISABLED and BR_STATE_FORWARDING: without a spanning tree a port has no other.
const (
	portDisabled   = 0
	portForwarding = 3
)

// AddBridge makes a bridge without ports. It is down.
func (s *Stack) AddBridge(spec LinkSpec, c BridgeConf) error {
	return s.addBridge(s.nextIndex(), spec, c, givenConf{addr: spec.HWAddr != HWAddr{}})
}

func (s *Stack) addBridge(index int32, spec LinkSpec, c BridgeConf, g givenConf) error {
	b := newBridge(s, index, c)
	b.given = g
	if err := s.addVirtual(index, spec, b, linkEntry{kind: kindBridge, ether: &b.ether, bridge: b}); err != nil {
		return err
	}
	s.settleBridge(b)
	return nil
}

func (s *Stack) bridgeOf(index int32) *bridge {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links[tcpip.NICID(index)].bridge
}

func (s *Stack) portOf(index int32) *bridgePort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links[tcpip.NICID(index)].port
}

// Bridge returns what is set of a bridge.
func (s *Stack) Bridge(index int32) (BridgeConf, bool) {
	b := s.bridgeOf(index)
	if b == nil {
		return BridgeConf{}, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.conf
	if b.had.Load() || b.given.addr {
		c.Addr = *b.addr.Load()
	}
	return c, true
}

// SetBridge has change change what is set of a bridge. EOPNOTSUPP for another link.
func (s *Stack) SetBridge(index int32, change func(*BridgeConf)) error {
	b := s.bridgeOf(index)
	if b == nil {
		return linux.EOPNOTSUPP
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.conf)
	return nil
}

// Ports lists a bridge's ports by number.
func (s *Stack) Ports(index int32) []Port {
	b := s.bridgeOf(index)
	if b == nil {
		return nil
	}
	ports := *b.ports.Load()
	out := make([]Port, 0, len(ports))
	for _, p := range ports {
		out = append(out, p.public())
	}
	return out
}

// Port returns a link's part in a bridge.
func (s *Stack) Port(index int32) (Port, bool) {
	p := s.portOf(index)
	if p == nil {
		return Port{}, false
	}
	return p.public(), true
}

func (p *bridgePort) public() Port {
	out := Port{Index: p.index, Bridge: p.bridge.index, Number: p.number, State: portDisabled, PortConf: PortConf{
		Flags: PortFlags(p.flags.Load()), Priority: uint16(p.priority.Load()), Cost: p.cost.Load(), GroupMask: uint16(p.groupMask.Load()),
	}}
	if p.forwarding.Load() {
		out.State = portForwarding
	}
	return out
}

func (p *bridgePort) set(c PortConf) {
	p.flags.Store(uint32(c.Flags))
	p.priority.Store(uint32(c.Priority))
	p.cost.Store(c.Cost)
	p.groupMask.Store(uint32(c.GroupMask))
}

// SetPort sets a port's numbers. EINVAL for a link that is none.
func (s *Stack) SetPort(index int32, c PortConf) error {
	p := s.portOf(index)
	if p == nil {
		return linux.EINVAL
	}
	p.set(c)
	return nil
}

// Enslave makes a link a port of a bridge: EINVAL for loopback, ELOOP for a bridge, EBUSY for another bridge's port, EXFULL for
// one too many, EOPNOTSUPP when the master is no bridge, or the link does not take frames of other stations.
func (s *Stack) Enslave(index, master int32) error {
	return s.enslave(index, master, 0, PortConf{Flags: defaultPortFlags, Priority: defaultPortPriority})
}

func (s *Stack) enslave(index, master int32, number uint16, c PortConf) error {
	id := tcpip.NICID(index)
	s.mu.Lock()
	e, ok := s.links[id]
	b := s.links[tcpip.NICID(master)].bridge
	err := mayEnslave(&e, b)
	if !ok {
		err = linux.ENODEV
	}
	if err == nil && number == 0 {
		if number = b.freeNumber(); number == 0 {
			err = linux.EXFULL
		}
	}
	if err != nil {
		s.mu.Unlock()
		return err
	}
	p := &bridgePort{bridge: b, index: index, number: number, ether: e.ether, link: e.link}
	if c.Cost == 0 {
		c.Cost = unknownPortCost
		if e.pair != nil {
			c.Cost = defaultPortCost
		}
	}
	p.set(c)
	e.port = p
	s.links[id] = e
	ports := append(slices.Clone(*b.ports.Load()), p)
	slices.SortFunc(ports, func(x, y *bridgePort) int { return int(x.number) - int(y.number) })
	b.ports.Store(&ports)
	s.mu.Unlock()
	b.had.Store(true)
	take := p.take
	e.ether.upper.Store(&take)
	s.settleBridge(b)
	return nil
}

func mayEnslave(e *linkEntry, b *bridge) error {
	switch {
	case b == nil:
		return linux.EOPNOTSUPP
	case e.ether == nil || *e.ether.addr.Load() == HWAddr{}:
		return linux.EINVAL
	case e.bridge != nil:
		return linux.ELOOP
	case e.port != nil:
		return linux.EBUSY
	case e.kind == kindGateway: // what is on its other side answers one station only
		return linux.EOPNOTSUPP
	case e.ether.upper.Load() != nil:
		return linux.EBUSY
	}
	return nil
}

// freeNumber is the lowest number that no port has, 0 when there is none.
func (b *bridge) freeNumber() uint16 {
	n := uint16(1)
	for _, p := range *b.ports.Load() {
		if p.number != n {
			break
		}
		n++
	}
	if n > maxBridgePorts {
		return 0
	}
	return n
}

// Release takes a link out of its bridge. EINVAL for one that is in none.
func (s *Stack) Release(index int32) error {
	id := tcpip.NICID(index)
	s.mu.Lock()
	e := s.links[id]
	p := e.port
	if p == nil {
		s.mu.Unlock()
		return linux.EINVAL
	}
	e.port = nil
	s.links[id] = e
	b := p.bridge
	ports := slices.DeleteFunc(slices.Clone(*b.ports.Load()), func(o *bridgePort) bool { return o == p })
	b.ports.Store(&ports)
	s.mu.Unlock()
	p.ether.upper.Store(nil)
	p.forwarding.Store(false)
	b.mu.Lock()
	for a, st := range b.stations {
		if st.port == p {
			delete(b.stations, a)
		}
	}
	b.mu.Unlock()
	s.settleBridge(b)
	return nil
}

// dissolve takes a link that goes out of its bridge, and the ports out of a bridge that goes.
func (s *Stack) dissolve(index int32) {
	if b := s.bridgeOf(index); b != nil {
		b.up.Store(false)
		for _, p := range *b.ports.Load() {
			_ = s.Release(p.index) // it may have left by itself
		}
	}
	if s.portOf(index) != nil {
		_ = s.Release(index)
	}
}

// settleBridge has a bridge agree with its ports: the lowest of their addresses and the least of their sizes are its own until
// it is given others, and a port passes frames while both are up. (Linux: br_stp_if.c br_stp_recalculate_bridge_id, br_if.c
// br_mtu_auto_adjust)
func (s *Stack) settleBridge(b *bridge) {
	var addr HWAddr
	mtu := uint32(0)
	ports := *b.ports.Load()
	for i, p := range ports {
		a := *p.ether.addr.Load()
		if i == 0 || bytes.Compare(a[:], addr[:]) < 0 {
			addr = a
		}
		if m := p.ether.MTU(); mtu == 0 || m < mtu {
			mtu = m
		}
		link, ok := s.Interface(p.index)
		p.forwarding.Store(b.up.Load() && ok && link.Up && link.Carrier)
	}
	if mtu == 0 {
		mtu = defaultMTU
	}
	b.mu.Lock()
	given := b.given
	b.mu.Unlock()
	id := tcpip.NICID(b.index)
	if b.had.Load() {
		if !given.addr && addr != *b.addr.Load() {
			_ = s.s.SetNICAddress(id, addr.link()) // the bridge may be going
		}
		if !given.mtu && mtu != b.MTU() {
			_ = s.s.SetNICMTU(id, mtu)
		}
	}
	b.setLocals(ports)
}

// setLocals notes the addresses of the bridge itself and of its ports.
func (b *bridge) setLocals(ports []*bridgePort) {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	for a, st := range b.stations {
		if st.local && !st.byUser {
			delete(b.stations, a)
		}
	}
	if a := *b.addr.Load(); a != (HWAddr{}) && (b.had.Load() || b.given.addr) {
		b.stations[a] = station{local: true, static: true, seen: now, used: now}
	}
	for _, p := range ports {
		b.stations[*p.ether.addr.Load()] = station{port: p, local: true, static: true, seen: now, used: now}
	}
}

// linkTurned is told that a link has gone up or down, or has another address or size; it has the bridges know that it, or the
// other end of its pair, is in.
func (s *Stack) linkTurned(index int32) {
	s.mu.Lock()
	e := s.links[tcpip.NICID(index)]
	s.mu.Unlock()
	switch {
	case e.bridge != nil:
		s.settleBridge(e.bridge)
	case e.port != nil:
		s.settleBridge(e.port.bridge)
	}
	if e.pair == nil {
		return
	}
	if o := e.pair.peer.Load(); o != nil {
		if p := o.stack.portOf(o.index); p != nil {
			o.stack.settleBridge(p.bridge)
		}
	}
}

// given notes what a bridge has been given, and keeps from now on.
func (s *Stack) given(index int32, set func(*givenConf)) {
	if b := s.bridgeOf(index); b != nil {
		b.mu.Lock()
		set(&b.given)
		b.mu.Unlock()
	}
}

// carrier says whether any port of the bridge passes frames; a bridge that has never had one has a carrier.
func (b *bridge) carrier() bool {
	if !b.had.Load() {
		return true
	}
	return slices.ContainsFunc(*b.ports.Load(), func(p *bridgePort) bool { return p.forwarding.Load() })
}
