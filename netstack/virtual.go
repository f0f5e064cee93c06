package netstack

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/state"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"cordon/internal/linux"
)

// LinkSpec is an interface to make that is nobody's but the stack's own. Zeros are defaults.
type LinkSpec struct {
	Name   string
	HWAddr HWAddr
	MTU    uint32
}

// Kinds of links that the stack makes itself.
const (
	kindDummy = "dummy"
	kindPair  = "veth"
)

const defaultMTU = 1500

// AddDummy makes an interface that loses what it is given. It is down.
func (s *Stack) AddDummy(spec LinkSpec) error {
	l := &dummyLink{}
	return s.addVirtual(s.nextIndex(), spec, l, linkEntry{kind: kindDummy, ether: &l.ether})
}

// AddPair makes two interfaces of which each receives what the other is given. They are down.
func (s *Stack) AddPair(a, b LinkSpec) error {
	x, y := &pairLink{}, &pairLink{}
	x.peer.Store(y)
	y.peer.Store(x)
	// As in Linux, the peer has the lower number.
	if err := s.addVirtual(s.nextIndex(), b, y, linkEntry{kind: kindPair, ether: &y.ether, pair: y}); err != nil {
		return err
	}
	if err := s.addVirtual(s.nextIndex(), a, x, linkEntry{kind: kindPair, ether: &x.ether, pair: x}); err != nil {
		if i, ok := s.InterfaceByName(b.Name); ok {
			s.RemoveLink(i.Index) // it was made a moment ago
		}
		return err
	}
	return nil
}

func (s *Stack) addVirtual(index int32, spec LinkSpec, l stack.LinkEndpoint, entry linkEntry) error {
	if !validName(spec.Name) {
		return linux.EINVAL
	}
	if len(s.s.NICInfo()) >= maxLinks {
		return linux.ENFILE
	}
	if spec.MTU == 0 {
		spec.MTU = defaultMTU
	}
	if spec.HWAddr == (HWAddr{}) {
		spec.HWAddr = s.randomHWAddr()
	}
	entry.ether.init(spec.MTU, spec.HWAddr)
	if err := s.addLink(index, spec.Name, l, entry); err != nil {
		return err
	}
	return s.SetUp(index, false)
}

// randomHWAddr is one that is administered here, and nobody else's with some certainty.
func (s *Stack) randomHWAddr() (a HWAddr) {
	var b [8]byte
	r := s.s.InsecureRNG()
	binary.LittleEndian.PutUint64(b[:], r.Uint64())
	copy(a[:], b[:])
	a[0] = a[0]&^1 | 2
	return a
}

// PeerOf is the other end of a pair, 0 for an interface that is not of one.
func (s *Stack) PeerOf(index int32) int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peerOfLocked(tcpip.NICID(index))
}

func (s *Stack) peerOfLocked(id tcpip.NICID) int32 {
	l := s.links[id].pair
	if l == nil {
		return 0
	}
	for o, e := range s.links {
		if e.pair != nil && e.pair == l.peer.Load() {
			return int32(o)
		}
	}
	return 0
}

// KindOf is what sort of link an interface has: "dummy", "veth", or what Linux calls the link it stands for.
func (s *Stack) KindOf(index int32) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links[tcpip.NICID(index)].kind
}

// restoreVirtual makes a link of a saved stack again. The second end of a pair finds the first.
func (s *Stack) restoreVirtual(l *linkImage) error {
	if len(l.hwaddr) != len(HWAddr{}) {
		return linux.EINVAL
	}
	spec := LinkSpec{Name: l.name, MTU: l.mtu, HWAddr: HWAddr([]byte(l.hwaddr))}
	if l.kind == kindDummy {
		d := &dummyLink{}
		if err := s.addVirtual(l.index, spec, d, linkEntry{kind: kindDummy, ether: &d.ether}); err != nil {
			return err
		}
		return s.SetUp(l.index, !l.down)
	}
	p := &pairLink{}
	s.mu.Lock()
	first := s.links[tcpip.NICID(l.peer)].pair
	s.mu.Unlock()
	if first != nil && first.peer.CompareAndSwap(nil, p) {
		p.peer.Store(first)
	}
	if err := s.addVirtual(l.index, spec, p, linkEntry{kind: kindPair, ether: &p.ether, pair: p}); err != nil {
		return err
	}
	return s.SetUp(l.index, !l.down)
}

// A dummyLink loses everything.
type dummyLink struct{ ether }

// Attach, Wait, Close and WritePackets are stack.LinkEndpoint's.
func (d *dummyLink) Attach(to stack.NetworkDispatcher) {
	if to == nil {
		d.Close()
		return
	}
	d.dispatcher.Store(&to)
}
func (d *dummyLink) Wait()  {}
func (d *dummyLink) Close() { d.dispatcher.Store(nil) }
func (d *dummyLink) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	return pkts.Len(), nil
}

// pairQueue is how many frames may be on their way to an end of a pair; further ones are lost.
const pairQueue = 1024

// A pairLink is one end of a pair. What it is sent waits in its queue until its goroutine, which runs while it is attached,
// hands it on: a sender may hold locks that its answer needs.
type pairLink struct {
	ether

	// atomic
	peer atomic.Pointer[pairLink]

	// immutable after Attach
	queue    chan buffer.Buffer
	stop     chan struct{}
	receiver sync.WaitGroup
}

// Attach begins to receive; nil ends it.
func (p *pairLink) Attach(to stack.NetworkDispatcher) {
	if to == nil {
		p.Close()
		return
	}
	if p.queue == nil {
		p.queue, p.stop = make(chan buffer.Buffer, pairQueue), make(chan struct{})
	}
	if p.dispatcher.Swap(&to) == nil {
		p.receiver.Go(p.receiveLoop)
	}
}

func (p *pairLink) receiveLoop() {
	for {
		select {
		case b := <-p.queue:
			p.receive(b)
		case <-p.stop:
			return
		}
	}
}

// Wait returns when nothing is received any more.
func (p *pairLink) Wait() { p.receiver.Wait() }

// Close ends receiving.
func (p *pairLink) Close() {
	if p.dispatcher.Swap(nil) != nil {
		close(p.stop)
	}
}

// WritePackets gives frames to the other end.
func (p *pairLink) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	to := p.peer.Load()
	for _, pkt := range pkts.AsSlice() {
		if to == nil || to.dispatcher.Load() == nil {
			continue
		}
		b := pkt.ToBuffer()
		select {
		case to.queue <- b:
		default:
			b.Release()
		}
	}
	return pkts.Len(), nil
}

// Links that the stack makes itself are made again by Load: a saved stack holds nothing of them.

func (*dummyLink) StateTypeName() string                     { return "cordon/netstack.dummyLink" }
func (*dummyLink) StateFields() []string                     { return nil }
func (*dummyLink) StateSave(state.Sink)                      {}
func (d *dummyLink) StateLoad(context.Context, state.Source) { d.init(MinMTU6, HWAddr{}) }
func (*pairLink) StateTypeName() string                      { return "cordon/netstack.pairLink" }
func (*pairLink) StateFields() []string                      { return nil }
func (*pairLink) StateSave(state.Sink)                       {}
func (p *pairLink) StateLoad(context.Context, state.Source)  { p.init(MinMTU6, HWAddr{}) }
