package netstack

import (
	"context"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/state"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"cordon/internal/linux"
)

// pairQueue is how many frames may be on their way to an end of a pair; further ones are lost.
const pairQueue = 1024

// A pairLink is one end of a pair, the other of which may be another stack's. What it is sent waits in its queue until its
// goroutine, which runs while it is attached, hands it on: a sender may hold locks that its answer needs.
type pairLink struct {
	ether

	// immutable
	id    uint64 // both ends', unlike any other pair's
	stack *Stack
	index int32

	// atomic
	peer atomic.Pointer[pairLink]

	// immutable after Attach
	queue    chan buffer.Buffer
	stop     chan struct{}
	receiver sync.WaitGroup
}

// AddPair makes two interfaces of which each receives what the other is given, b in the stack to, which may be s. They are
// down.
func (s *Stack) AddPair(a, b LinkSpec, to *Stack) error {
	id := s.s.InsecureRNG().Uint64()
	// As in Linux, the peer has the lower number.
	y := &pairLink{id: id, stack: to, index: to.nextIndex()}
	if err := to.addPairEnd(b, y); err != nil {
		return err
	}
	x := &pairLink{id: id, stack: s, index: s.nextIndex()}
	x.join(y)
	if err := s.addPairEnd(a, x); err != nil {
		_ = to.RemoveLink(y.index) // it was made a moment ago
		return err
	}
	return nil
}

func (s *Stack) addPairEnd(spec LinkSpec, p *pairLink) error {
	return s.addVirtual(p.index, spec, p, linkEntry{kind: kindPair, ether: &p.ether, pair: p})
}

func (p *pairLink) join(o *pairLink) {
	p.peer.Store(o)
	o.peer.Store(p)
}

// PeerOf is the other end of a pair: its stack and its index there. nil for an interface that is not of one, or whose peer
// has gone.
func (s *Stack) PeerOf(index int32) (*Stack, int32) {
	s.mu.Lock()
	l := s.links[tcpip.NICID(index)].pair
	s.mu.Unlock()
	if l == nil {
		return nil, 0
	}
	if o := l.peer.Load(); o != nil {
		return o.stack, o.index
	}
	return nil, 0
}

// linkState fills what an interface's link knows. Of a pair both ends have a carrier when both are up (Linux:
// drivers/net/veth.c veth_open).
func (s *Stack) linkState(i *Interface) {
	s.mu.Lock()
	e := s.links[tcpip.NICID(i.Index)]
	s.mu.Unlock()
	i.Started, i.Carrier, i.Link, i.Kind = e.started || i.Up, true, i.Index, e.kind
	i.Steady = e.kind == kindDummy || e.bridge != nil && !e.bridge.had.Load()
	if e.bridge != nil {
		i.Carrier = e.bridge.carrier()
	}
	if e.port != nil {
		i.Master = e.port.bridge.index
		e.port.count(&i.Counters)
	}
	if e.tun != nil {
		e.tun.tun.state(i)
	}
	if e.pair == nil {
		return
	}
	o := e.pair.peer.Load()
	if o != nil {
		i.Link = o.index
	}
	if i.Carrier = i.Up && o != nil; i.Carrier {
		n, ok := o.stack.s.SingleNICInfo(tcpip.NICID(o.index))
		i.Carrier = ok && n.Flags.Up && n.Flags.Running
	}
}

// MoveLink takes an interface that a stack has made itself to another stack, where it is down, has no addresses and may have
// another name; it keeps its index if that is free there. EINVAL for one that is bound to its stack, EEXIST when the name
// is taken.
func (s *Stack) MoveLink(index int32, to *Stack, name string) (moved int32, err error) {
	id := tcpip.NICID(index)
	s.mu.Lock()
	entry := s.links[id]
	s.mu.Unlock()
	movable := entry.kind == kindDummy || entry.kind == kindPair || entry.kind == kindTun
	if entry.port != nil && movable {
		_ = s.Release(index) // it may have left by itself
	}
	info, ok := s.Interface(index)
	switch {
	case !ok:
		return 0, linux.ENODEV
	case !movable:
		return 0, linux.EINVAL
	}
	if _, taken := to.InterfaceByName(name); taken {
		return 0, linux.EEXIST
	}
	if _, taken := to.Interface(index); taken {
		index = to.nextIndex()
	}
	spec := LinkSpec{Name: name, MTU: info.MTU, HWAddr: info.HWAddr}
	switch entry.kind {
	case kindDummy:
		l := &dummyLink{}
		err = to.addVirtual(index, spec, l, linkEntry{kind: kindDummy, ether: &l.ether})
	case kindTun:
		err = to.addTunLink(index, spec, entry.tun.tun)
	default:
		p := &pairLink{id: entry.pair.id, stack: to, index: index}
		if err = to.addPairEnd(spec, p); err == nil {
			// The peer turns to the new end. The old one stays without, so that nothing finds the peer through it.
			if o := entry.pair.peer.Swap(nil); o != nil {
				p.join(o)
			}
		}
	}
	if err != nil {
		return 0, err
	}
	return index, s.RemoveLink(int32(id))
}

// unpair ends p's part in a pair that goes.
func (p *pairLink) unpair() {
	if o := p.peer.Swap(nil); o != nil {
		o.peer.CompareAndSwap(p, nil)
	}
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
		if to.stack != p.stack {
			// Both stacks write into what they hold.
			c := b.DeepClone()
			b.Release()
			b = c
		}
		select {
		case to.queue <- b:
		default:
			b.Release()
		}
	}
	return pkts.Len(), nil
}

// Pairs joins the ends of pairs while stacks are loaded: the second end that comes finds the first. The zero value is ready.
type Pairs struct{ alone map[uint64]*pairLink }

// restorePair makes an end of a pair of a saved stack again.
func (s *Stack) restorePair(l *linkImage, spec LinkSpec, pairs *Pairs) error {
	p := &pairLink{id: l.pair, stack: s, index: l.index}
	if pairs != nil {
		if first := pairs.alone[p.id]; first != nil {
			p.join(first)
			delete(pairs.alone, p.id)
		} else {
			if pairs.alone == nil {
				pairs.alone = make(map[uint64]*pairLink)
			}
			pairs.alone[p.id] = p
		}
	}
	if err := s.addPairEnd(spec, p); err != nil {
		return err
	}
	if l.down && !l.started {
		return nil
	}
	return s.SetUp(l.index, !l.down)
}

func (*pairLink) StateTypeName() string                     { return "cordon/netstack.pairLink" }
func (*pairLink) StateFields() []string                     { return nil }
func (*pairLink) StateSave(state.Sink)                      {}
func (p *pairLink) StateLoad(context.Context, state.Source) { p.init(MinMTU6, HWAddr{}) }
