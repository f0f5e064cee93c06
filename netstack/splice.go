package netstack

import (
	"io"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"cordon/internal/linux"
)

// The short cut: when both ends of a TCP connection are endpoints of one stack, their bytes go through two flows in memory
// once the handshake is done, and the stack sees no more of the connection than its end. What was sent before is read
// first. FIN, RST, time-outs and keep-alive stay the stack's: a reader asks it when its flow is empty, and a writer whose
// peer has closed writes to the stack, which answers as it should.
//
//	connecting, accepted --both known, both established--> spliced --either closes--> the stack's again
//
// A connection is known by its addresses: whichever end comes second finds the first in Stack.halves.

// ends names a connection as one of its ends sees it.
type ends struct{ local, remote netip.AddrPort }

func (e *Endpoint) ends() (ends, bool) {
	i, ok := e.ep.Info().(*stack.TransportEndpointInfo)
	if !ok || i.ID.LocalPort == 0 || i.ID.RemotePort == 0 {
		return ends{}, false
	}
	port := func(a tcpip.Address, p uint16) netip.AddrPort { return netip.AddrPortFrom(fromAddress(a).Unmap(), p) }
	k := ends{port(i.ID.LocalAddress, i.ID.LocalPort), port(i.ID.RemoteAddress, i.ID.RemotePort)}
	return k, k.local != k.remote // one that is connected to itself has no other end
}

// announce makes an endpoint known that connects, or was accepted, if its peer may be of the same stack.
func (e *Endpoint) announce() {
	k, ok := e.ends()
	if !ok || e.stack.watched.Load() != 0 || !e.stack.IsLocal(k.remote.Addr()) {
		return
	}
	e.stack.mu.Lock()
	if !e.gone.Load() {
		e.key = k
		e.stack.halves[k] = e
		e.half.Store(true)
	}
	e.stack.mu.Unlock()
	e.join()
}

// forget undoes announce.
func (e *Endpoint) forgetLocked() {
	if e.half.Swap(false) {
		if e.stack.halves[e.key] == e {
			delete(e.stack.halves, e.key)
		}
	}
}

// join splices e with its peer if that is known and both are established. The caller holds no lock of an endpoint but its
// own rmu.
func (e *Endpoint) join() {
	e.stack.mu.Lock()
	peer := e.stack.halves[ends{e.key.remote, e.key.local}]
	ready := e.half.Load() && peer != nil && e.established() && peer.established()
	if ready {
		e.forgetLocked()
		peer.forgetLocked()
	}
	e.stack.mu.Unlock()
	if ready {
		peer.aim(e)
		e.aim(peer)
	}
}

func (e *Endpoint) established() bool {
	return tcp.EndpointState(e.ep.State()) == tcp.StateEstablished
}

// aim begins the flow from e to another endpoint.
func (e *Endpoint) aim(to *Endpoint) {
	e.wmu.Lock()
	defer e.wmu.Unlock()
	f := &flow{from: e, to: to, earlier: e.sent}
	to.in.Store(f)
	to.listen()
	if to.gone.Load() {
		f.closed.Store(true)
	}
	e.out.Store(f)
}

// unsplice is Close's part: it tells the writer that nobody reads any more, and reports whether bytes are left unread, for
// which TCP resets the connection.
func (e *Endpoint) unsplice() (unread bool) {
	e.gone.Store(true)
	e.stack.mu.Lock()
	e.forgetLocked()
	e.stack.mu.Unlock()
	f := e.in.Load()
	if f == nil {
		return false
	}
	f.closed.Store(true)
	f.from.wmu.Lock() // a write under way ends first: what it brought counts
	unread = f.buffered() > 0
	f.from.wmu.Unlock()
	return unread
}

// listen finds out whether the stack has anything to say to the reader of a spliced endpoint. If not, nobody asks it again
// until it tells (NotifyEvent): what it has to say comes true before it tells.
func (e *Endpoint) listen() {
	f := e.in.Load()
	if f == nil || e.waker.Load() == nil || e.received.Load() < f.earlier {
		return
	}
	e.quiet.Store(true)
	if !e.established() || e.stackReadiness(EventIn|EventRdHUp|EventErr|EventHUp) != 0 {
		e.quiet.Store(false)
	}
}

// room is how many bytes may wait between two endpoints: what fits in the sender's and in the receiver's buffer.
func (f *flow) room() int {
	return f.from.SendBuffer() + f.to.ReceiveBuffer()
}

// shortCut returns the flow that e writes to, nil where the stack has the word.
func (e *Endpoint) shortCut() *flow {
	f := e.out.Load()
	if f == nil || f.closed.Load() {
		return nil
	}
	switch tcp.EndpointState(e.ep.State()) {
	case tcp.StateEstablished, tcp.StateCloseWait:
		return f
	}
	return nil
}

// writeStream is Write of TCP.
func (e *Endpoint) writeStream(p Payload, o WriteOptions) (int, error) {
	if e.half.Load() {
		e.join()
	}
	e.wmu.Lock()
	f := e.shortCut()
	if f == nil {
		n, err := e.writeStack(p, o)
		e.wmu.Unlock()
		return n, err
	}
	n, err := f.write(p, f.room())
	e.wmu.Unlock()
	if n > 0 {
		f.count(n)
		f.to.wake(EventIn)
	}
	return n, err
}

// readStream is Read of TCP.
func (e *Endpoint) readStream(dst io.Writer, o ReadOptions) (ReadResult, error) {
	if e.half.Load() {
		e.join()
	}
	e.rmu.Lock()
	r, err := e.readStreamLocked(dst, o)
	e.rmu.Unlock()
	return r, err
}

func (e *Endpoint) readStreamLocked(dst io.Writer, o ReadOptions) (ReadResult, error) {
	f := e.in.Load()
	if f == nil {
		return e.readStack(dst, o)
	}
	early := 0
	if e.received.Load() < f.earlier {
		r, err := e.readStack(dst, o)
		if err != nil || o.Peek || e.received.Load() < f.earlier {
			return r, err
		}
		early = r.N
		e.listen()
	}
	n, err := e.readFlow(f, dst, o)
	if n+early > 0 || err != nil {
		return ReadResult{N: n + early, Total: n + early}, err
	}
	if e.quiet.Load() {
		return ReadResult{}, linux.EAGAIN
	}
	// What the peer wrote before it said goodbye may have come since.
	r, err := e.readStack(dst, o)
	if n, ferr := e.readFlow(f, dst, o); n > 0 || ferr != nil {
		return ReadResult{N: n, Total: n}, ferr
	}
	return r, err
}

func (e *Endpoint) readFlow(f *flow, dst io.Writer, o ReadOptions) (int, error) {
	n, err := f.take(dst, o.Peek)
	if n == 0 || o.Peek {
		return n, err
	}
	if f.starved.Load() && f.roomy(int(f.limit.Load())) && f.starved.Swap(false) {
		f.from.wake(EventOut)
	}
	f.drained()
	return n, nil
}

func (e *Endpoint) readStack(dst io.Writer, o ReadOptions) (ReadResult, error) {
	e.backlog.begin()
	r, err := e.ep.Read(dst, tcpip.ReadOptions{Peek: o.Peek})
	e.backlog.end(e.ep)
	if err != nil {
		if _, ok := err.(*tcpip.ErrClosedForReceive); !ok {
			return ReadResult{}, toErrno(err)
		}
		if e.lost.Swap(false) {
			return ReadResult{}, linux.ECONNRESET
		}
		return ReadResult{}, nil
	}
	if !o.Peek {
		e.received.Add(uint64(r.Count))
		e.ep.ModerateRecvBuf(r.Count)
	}
	return ReadResult{N: r.Count, Total: r.Total}, nil
}

// inFlow is how many bytes wait in the flow, 0 while others come first.
func (e *Endpoint) inFlow() int {
	f := e.in.Load()
	if f == nil || e.received.Load() < f.earlier {
		return 0
	}
	return f.buffered()
}

// streamReadiness is Readiness of TCP. Unless it is quiet, the stack is always asked: it tells of the end before the state
// does.
func (e *Endpoint) streamReadiness(want Events) Events {
	out := e.shortCut()
	if out == nil {
		r := e.stackReadiness(want)
		if e.inFlow() > 0 {
			r |= EventIn & want
		}
		return r
	}
	r := Events(0)
	if !e.quiet.Load() {
		r = e.stackReadiness(want &^ EventOut)
	}
	if e.inFlow() > 0 {
		r |= EventIn
	}
	if want&EventOut != 0 && out.writable(out.room()) {
		r |= EventOut
	}
	return r & want
}

// A segment over loopback: what it holds at most, and its headers' size.
const (
	splicedSegment = 65483
	splicedHeaders = 52
)

// A splicedCount is what went past the stack.
type splicedCount struct{ bytes, segments uint64 }

func (c *splicedCount) add(f *flow) {
	if f != nil {
		c.bytes += f.bytesOut.Load()
		c.segments += f.segments.Load()
	}
}

// count keeps the counters as if n bytes had gone over loopback. They are the flow's: connections share no line of the
// cache.
func (f *flow) count(n int) {
	f.segments.Add(uint64(n+splicedSegment-1) / splicedSegment)
	f.bytesOut.Add(uint64(n))
}

// pastStack sums up what all endpoints, and those that were, wrote past the stack.
func (s *Stack) pastStack() splicedCount {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.spliced
	for _, e := range s.endpoints {
		c.add(e.out.Load())
	}
	return c
}
