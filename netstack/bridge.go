package netstack

import (
	"context"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/state"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"cordon/internal/lock"
)

const kindBridge = "bridge"

// Limits of a bridge.
const (
	maxBridgePorts = 1023 // Linux's BR_MAX_PORTS, whose number 0 is none
	maxStations    = 8192 // addresses that a bridge knows; frames for others are flooded
	vlanTagSize    = 4
)

// A bridge passes frames between its ports by the addresses of stations, which it learns, and has an interface of its own
// among them. A frame comes in on the goroutine of a port's link, or of who sends on the bridge's interface with locks of
// tcpip held, and leaves from there: the links of ports take what they are given and hand it on later.
//
// Linux: net/bridge.
type bridge struct {
	ether

	// immutable
	stack *Stack
	index int32

	// guarded by mu
	mu       lock.Mutex[lock.Bridge]
	conf     BridgeConf
	stations map[HWAddr]station
	swept    tcpip.MonotonicTime
	given    givenConf

	// atomic
	ports atomic.Pointer[[]*bridgePort] // by number; never changed in place
	up    atomic.Bool
	had   atomic.Bool // it has had a port: since then its carrier is theirs
}

// givenConf is what the bridge no longer takes over from its ports.
type givenConf struct{ addr, mtu bool }

// A bridgePort is a link as part of a bridge. It is made by Enslave and ends with Release, or with its link.
type bridgePort struct {
	// immutable
	bridge *bridge
	index  int32
	number uint16
	ether  *ether
	link   stack.LinkEndpoint // shows packet sockets what leaves

	// atomic
	forwarding atomic.Bool // its link and the bridge are up
	flags      atomic.Uint32
	groupMask  atomic.Uint32
	priority   atomic.Uint32
	cost       atomic.Uint32
	counters   struct{ rxBytes, rxPackets, txBytes, txPackets, txDropped atomic.Uint64 }
}

// A station is what a bridge knows of an address.
type station struct {
	port   *bridgePort // nil: the bridge itself
	seen   tcpip.MonotonicTime
	used   tcpip.MonotonicTime
	local  bool // an address of this machine
	static bool // it does not age
	sticky bool // it does not move
	byUser bool
}

func newBridge(s *Stack, index int32, c BridgeConf) *bridge {
	b := &bridge{stack: s, index: index, conf: c, stations: make(map[HWAddr]station)}
	b.ports.Store(new([]*bridgePort))
	return b
}

// Attach, Wait, Close and WritePackets are stack.LinkEndpoint's.
func (b *bridge) Attach(to stack.NetworkDispatcher) {
	if to == nil {
		b.Close()
		return
	}
	b.dispatcher.Store(&to)
}
func (b *bridge) Wait()  {}
func (b *bridge) Close() { b.dispatcher.Store(nil) }

// WritePackets passes on what the bridge's own interface sends.
func (b *bridge) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	for _, pkt := range pkts.AsSlice() {
		if b.up.Load() {
			b.pass(nil, pkt.ToBuffer())
		}
	}
	return pkts.Len(), nil
}

// The last bytes of the group addresses that bridges themselves have (IEEE 802.1D): 01:80:c2:00:00:0x.
const (
	groupBridges = 0
	groupPause   = 1
)

// take handles a frame that came in at a port. false: the port's own interface gets it. (Linux: net/bridge/br_input.c
// br_handle_frame)
func (p *bridgePort) take(frame buffer.Buffer) bool {
	v, ok := frame.PullUp(0, header.EthernetMinimumSize)
	if !ok {
		frame.Release()
		return true
	}
	eth := header.Ethernet(v.AsSlice())
	dst, src := HWAddr([]byte(eth.DestinationAddress())), HWAddr([]byte(eth.SourceAddress()))
	p.counters.rxPackets.Add(1)
	p.counters.rxBytes.Add(uint64(frame.Size()) - header.EthernetMinimumSize)
	if src.Group() || src == (HWAddr{}) || !p.forwarding.Load() {
		frame.Release()
		return true
	}
	b := p.bridge
	if reserved := dst[0] == 0x01 && dst[1] == 0x80 && dst[2] == 0xc2 && dst[3] == 0 && dst[4] == 0 && dst[5] < 16; reserved {
		b.mu.Lock()
		mask := uint32(b.conf.GroupFwdMask) | p.groupMask.Load()
		b.mu.Unlock()
		switch {
		case dst[5] == groupPause:
			frame.Release()
			return true
		case dst[5] != groupBridges && mask>>dst[5]&1 == 0:
			return false
		}
	}
	p.show(&frame)
	if p.is(PortLearning) {
		b.learn(src, p)
	}
	b.pass(p, frame)
	return true
}

// show has packet sockets on the port see a frame.
func (p *bridgePort) show(frame *buffer.Buffer) {
	if p.bridge.stack.watched.Load() == 0 {
		return
	}
	d := p.ether.dispatcher.Load()
	if d == nil {
		return
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: frame.Clone()})
	defer pkt.DecRef()
	if parseEthernet(pkt) {
		pkt.PktType = p.ether.packetType(header.Ethernet(pkt.LinkHeader().Slice()).DestinationAddress(), false)
		(*d).DeliverLinkPacket(pkt.NetworkProtocolNumber, pkt)
	}
}

// pass sends a frame where it belongs; from is nil for the bridge's own. The frame is used up. (Linux: br_input.c
// br_handle_frame_finish, br_device.c br_dev_xmit)
func (b *bridge) pass(from *bridgePort, frame buffer.Buffer) {
	v, ok := frame.PullUp(0, header.EthernetMinimumSize)
	if !ok {
		frame.Release()
		return
	}
	dst := HWAddr([]byte(header.Ethernet(v.AsSlice()).DestinationAddress()))
	if dst.Group() {
		kind := PortMcastFlood
		if dst == broadcast {
			kind = PortBcastFlood
		}
		b.flood(from, kind, &frame)
		if from != nil {
			b.accept(frame, false)
			return
		}
		frame.Release()
		return
	}
	st, known := b.find(dst)
	switch {
	case known && from != nil && (st.local || st.port == nil):
		b.accept(frame, true)
		return
	case from != nil && b.promiscuous.Load():
		b.accept(frame.DeepClone(), false)
	}
	switch {
	case !known:
		b.flood(from, PortFlood, &frame)
		frame.Release()
	case st.port != nil && st.port.open(from):
		st.port.send(frame)
	default:
		frame.Release()
	}
}

// Set in one place and never changed.
var broadcast = HWAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// flood sends copies of a frame out of all ports that flood such.
func (b *bridge) flood(from *bridgePort, kind PortFlags, frame *buffer.Buffer) {
	for _, p := range *b.ports.Load() {
		if p.is(kind) && p.open(from) {
			p.send(frame.DeepClone()) // whoever gets it may write into it
		}
	}
}

// open says whether frames from another port may leave by p.
func (p *bridgePort) open(from *bridgePort) bool {
	switch {
	case !p.forwarding.Load():
		return false
	case from == nil:
		return true
	case from == p:
		return p.is(PortHairpin)
	}
	return !from.is(PortIsolated) || !p.is(PortIsolated)
}

func (p *bridgePort) is(f PortFlags) bool { return PortFlags(p.flags.Load())&f != 0 }

// send gives a frame, which is used up, to the port's link.
func (p *bridgePort) send(frame buffer.Buffer) {
	size := uint64(frame.Size()) - header.EthernetMinimumSize
	if size > uint64(p.ether.MTU())+vlanTagSize {
		p.counters.txDropped.Add(1)
		frame.Release()
		return
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: frame})
	pkt.PktType = tcpip.PacketOutgoing
	var l stack.PacketBufferList
	l.PushBack(pkt)
	if parseEthernet(pkt) {
		p.link.WritePackets(l) // what the link has no room for is lost
		p.counters.txPackets.Add(1)
		p.counters.txBytes.Add(size)
	}
	l.Reset()
}

// now is the time that stations are seen at.
func (b *bridge) now() tcpip.MonotonicTime { return b.stack.s.Clock().NowMonotonic() }

func (b *bridge) ageing() time.Duration { return time.Duration(b.conf.AgeingTime) * clockTick }

// old says whether a station has not been heard of for too long. The caller holds mu.
func (b *bridge) old(st *station, now tcpip.MonotonicTime) bool {
	b.mu.AssertHeld()
	return !st.static && !st.local && now.Sub(st.seen) >= b.ageing()
}

// find looks an address up.
func (b *bridge) find(a HWAddr) (station, bool) {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	st, ok := b.stations[a]
	if !ok || b.old(&st, now) {
		return station{}, false
	}
	if now.Sub(st.used) >= clockTick {
		st.used = now
		b.stations[a] = st
	}
	return st, true
}

// learn notes that a station is behind a port. (Linux: br_fdb.c br_fdb_update)
func (b *bridge) learn(a HWAddr, p *bridgePort) {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	st, ok := b.stations[a]
	switch {
	case b.conf.AgeingTime == 0 || ok && st.local:
		return
	case !ok && !b.roomLocked(now):
		return
	case !ok:
		st.used = now
	case st.port == p && now.Sub(st.seen) < clockTick:
		return
	}
	if !ok || !st.sticky {
		st.port = p
	}
	st.seen = now
	b.stations[a] = st
}

// roomLocked makes room for another station, if there can be any.
func (b *bridge) roomLocked(now tcpip.MonotonicTime) bool {
	b.mu.AssertHeld()
	if len(b.stations) < maxStations {
		return true
	}
	if now.Sub(b.swept) < time.Second {
		return false // a flood of new addresses does not have us look at all of them each time
	}
	b.swept = now
	for a, st := range b.stations {
		if b.old(&st, now) {
			delete(b.stations, a)
		}
	}
	return len(b.stations) < maxStations
}

// A bridge is made again by Load: a saved stack holds nothing of it.

func (*bridge) StateTypeName() string { return "cordon/netstack.bridge" }
func (*bridge) StateFields() []string { return nil }
func (*bridge) StateSave(state.Sink)  {}
func (b *bridge) StateLoad(context.Context, state.Source) {
	b.ports.Store(new([]*bridgePort))
	b.init(MinMTU6, HWAddr{})
}

// count adds what went past the interface of a port.
func (p *bridgePort) count(c *InterfaceCounters) {
	n := &p.counters
	c.RxBytes, c.RxPackets = c.RxBytes+n.rxBytes.Load(), c.RxPackets+n.rxPackets.Load()
	c.TxBytes, c.TxPackets = c.TxBytes+n.txBytes.Load(), c.TxPackets+n.txPackets.Load()
	c.TxDropped += n.txDropped.Load()
}
