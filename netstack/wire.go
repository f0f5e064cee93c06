package netstack

import (
	"context"
	"sync"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/state"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// wireQueue is how many frames may be on a wire in one direction; one more is lost.
const wireQueue = 256

// A wireEnd is a link to another stack of this process. Frames are handed over by a goroutine for each direction, since
// a stack that sends may hold locks that the answer needs.
type wireEnd struct {
	ether

	// immutable
	peer  *wireEnd
	queue chan buffer.Buffer
	done  chan struct{}
	once  *sync.Once // of done, for both ends
	// look is asked about each frame before the stack gets it; true: it has dealt with the frame. nil: the stack gets all.
	look func(frame *buffer.Buffer) bool

	running sync.WaitGroup
}

// newWire returns the two ends of a wire.
func newWire(mtu uint32, a, b HWAddr) (*wireEnd, *wireEnd) {
	done, once := make(chan struct{}), new(sync.Once)
	var ends [2]*wireEnd
	for i, hw := range []HWAddr{a, b} {
		e := &wireEnd{queue: make(chan buffer.Buffer, wireQueue), done: done, once: once}
		e.caps = stack.CapabilityRXChecksumOffload | stack.CapabilityTXChecksumOffload // nothing is lost on the way
		e.init(mtu, hw)
		ends[i] = e
	}
	ends[0].peer, ends[1].peer = ends[1], ends[0]
	return ends[0], ends[1]
}

// Attach begins to receive; nil cuts the wire.
func (e *wireEnd) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		e.Close()
		return
	}
	if e.dispatcher.Swap(&d) == nil {
		e.running.Go(e.receiveLoop)
	}
}

func (e *wireEnd) Wait() { e.running.Wait() }

// Close cuts the wire. A frame that is being handed over may still arrive.
func (e *wireEnd) Close() {
	e.dispatcher.Store(nil)
	e.once.Do(func() { close(e.done) })
}

func (e *wireEnd) receiveLoop() {
	for {
		select {
		case f := <-e.queue:
			if e.look != nil && e.look(&f) {
				f.Release()
				continue
			}
			e.receive(f)
		case <-e.done:
			return
		}
	}
}

// WritePackets puts frames on the wire. The bytes are copied: both stacks write into what they hold.
func (e *wireEnd) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	for i, pkt := range pkts.AsSlice() {
		b := pkt.ToBuffer()
		c := b.DeepClone()
		b.Release()
		if !e.put(c) {
			return i, &tcpip.ErrNoBufferSpace{}
		}
	}
	return pkts.Len(), nil
}

// put sends one frame, which it takes over.
func (e *wireEnd) put(frame buffer.Buffer) bool {
	select {
	case e.peer.queue <- frame:
		return true
	default:
		frame.Release()
		return false
	}
}

// A wire is an outside thing: a saved stack holds nothing of it, and what a loaded one still points to leads nowhere.

func (*wireEnd) StateTypeName() string { return "cordon/netstack.wireEnd" }
func (*wireEnd) StateFields() []string { return nil }
func (*wireEnd) StateSave(state.Sink)  {}
func (e *wireEnd) StateLoad(context.Context, state.Source) {
	lost, _ := newWire(MinMTU6, HWAddr{}, HWAddr{})
	e.peer, e.queue, e.done, e.once = lost, lost.queue, lost.done, lost.once
	e.init(MinMTU6, HWAddr{})
}
