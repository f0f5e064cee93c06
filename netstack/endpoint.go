package netstack

import (
	"io"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"cordon/internal/linux"
	"cordon/internal/lock"
)

// Kind is what an endpoint speaks.
type Kind uint8

const (
	TCP Kind = iota + 1
	UDP
	Ping // ICMP echo through a datagram socket
	Raw
)

// Events are those of poll(2), in its bits.
type Events uint32

const (
	EventIn    = Events(waiter.EventIn)
	EventPri   = Events(waiter.EventPri)
	EventOut   = Events(waiter.EventOut)
	EventErr   = Events(waiter.EventErr)
	EventHUp   = Events(waiter.EventHUp)
	EventRdHUp = Events(waiter.EventRdHUp)
	allEvents  = Events(waiter.AllEvents)
)

// Endpoint is one end of a transport. All methods are safe for concurrent use and none waits.
type Endpoint struct {
	// immutable
	stack  *Stack
	ep     tcpip.Endpoint
	wq     *waiter.Queue
	kind   Kind
	family Family
	proto  uint8

	// guarded by Stack.mu
	entry    waiter.Entry
	attached bool
	notify   func(Events)
	key      ends // in Stack.halves

	// atomic, for TCP; see splice.go
	in, out  atomic.Pointer[flow]
	half     atomic.Bool   // in Stack.halves
	gone     atomic.Bool   // Close was called
	quiet    atomic.Bool   // the stack has nothing to say to a reader, as far as it told
	received atomic.Uint64 // bytes read from the stack
	waker    atomic.Pointer[func(Events)]
	lost     atomic.Bool // the connection could not be restored, and nobody has been told

	rmu lock.Mutex[lock.StreamRead] // one reader at a time

	wmu lock.Mutex[lock.StreamWrite] // one writer at a time
	// guarded by wmu
	sent   uint64 // bytes written to the stack
	stride int    // what a full segment holds; 0: not asked yet, uncut: the stack cuts
	part   part

	backlog backlog // of TCP
}

// listener is an Endpoint as tcpip's queue sees it, so that NotifyEvent is no method of ours.
type listener Endpoint

func (l *listener) NotifyEvent(m waiter.EventMask) {
	if m&^waiter.WritableEvents != 0 {
		l.quiet.Store(false)
	}
	l.notify(Events(m))
}

// protoRaw is IPPROTO_RAW.
const protoRaw = 255

// NewEndpoint returns an unbound endpoint. proto is the IP protocol number, which Raw alone is free to choose.
func (s *Stack) NewEndpoint(kind Kind, family Family, proto uint8) (*Endpoint, error) {
	wq := new(waiter.Queue)
	var ep tcpip.Endpoint
	var err tcpip.Error
	switch kind {
	case TCP:
		proto = uint8(tcp.ProtocolNumber)
		ep, err = s.s.NewEndpoint(tcp.ProtocolNumber, family.proto(), wq)
	case UDP:
		proto = uint8(udp.ProtocolNumber)
		ep, err = s.s.NewEndpoint(udp.ProtocolNumber, family.proto(), wq)
	case Ping:
		n := tcpip.TransportProtocolNumber(icmp.ProtocolNumber4)
		if family == IPv6 {
			n = icmp.ProtocolNumber6
		}
		proto = uint8(n)
		ep, err = s.s.NewEndpoint(n, family.proto(), wq)
	case Raw:
		// IPPROTO_RAW only sends, with headers of the caller's making.
		ep, err = s.s.NewRawEndpoint(tcpip.TransportProtocolNumber(proto), family.proto(), wq, proto != protoRaw)
	default:
		return nil, linux.EPROTONOSUPPORT
	}
	if err != nil {
		return nil, errnoOf(err)
	}
	return s.adopt(ep, wq, kind, family, proto), nil
}

func (s *Stack) adopt(ep tcpip.Endpoint, wq *waiter.Queue, kind Kind, family Family, proto uint8) *Endpoint {
	if kind == Raw && proto == uint8(tcp.ProtocolNumber) {
		s.layered.Store(true)
	}
	e := &Endpoint{stack: s, ep: ep, wq: wq, kind: kind, family: family, proto: proto}
	s.mu.Lock()
	s.endpoints[ep] = e
	s.mu.Unlock()
	return e
}

// Kind, Family and Protocol are what the endpoint was made with.
func (e *Endpoint) Kind() Kind      { return e.kind }
func (e *Endpoint) Family() Family  { return e.family }
func (e *Endpoint) Protocol() uint8 { return e.proto }

// Attach has notify called whenever readiness may have changed; see the package comment for what it may do. It is called
// once for an endpoint.
func (e *Endpoint) Attach(notify func(Events)) {
	e.stack.mu.Lock()
	e.notify, e.attached = notify, true
	e.waker.Store(&notify)
	e.entry.Init((*listener)(e), waiter.AllEvents)
	e.wq.EventRegister(&e.entry)
	e.stack.mu.Unlock()
	e.listen()
}

func (e *Endpoint) detach() {
	e.stack.mu.Lock()
	defer e.stack.mu.Unlock()
	if e.attached {
		e.attached = false
		e.wq.EventUnregister(&e.entry)
	}
}

// wake tells e's owner of something that the stack does not know of.
func (e *Endpoint) wake(ev Events) {
	if f := e.waker.Load(); f != nil {
		(*f)(ev)
	}
}

// Readiness returns those of the wanted events that are true now; EventErr and EventHUp are always wanted.
func (e *Endpoint) Readiness(want Events) Events {
	want |= EventErr | EventHUp
	if e.kind == TCP {
		return e.streamReadiness(want)
	}
	return e.stackReadiness(want)
}

func (e *Endpoint) stackReadiness(want Events) Events {
	return Events(e.ep.Readiness(waiter.EventMask(want))) & want
}

// Close gives the endpoint up. TCP says goodbye on its own; with a linger time of 0 it resets the connection.
func (e *Endpoint) Close() {
	e.detach()
	if e.kind == TCP && e.unsplice() {
		e.SetLinger(true, 0)
	}
	e.stack.mu.Lock()
	if e.stack.endpoints[e.ep] == e {
		delete(e.stack.endpoints, e.ep)
		e.stack.spliced.add(e.out.Load())
	}
	e.stack.mu.Unlock()
	e.ep.Close()
	if f := e.in.Load(); f != nil && f.starved.Swap(false) {
		f.from.wake(EventOut) // who waits for room learns that there is nobody to write to
	}
}

// Abort resets the connection.
func (e *Endpoint) Abort() { e.ep.Abort() }

// Bind names the local end.
func (e *Endpoint) Bind(a Addr) error { return errnoOf(e.ep.Bind(toFull(a))) }

// Connect names the peer. TCP answers EINPROGRESS and tells the outcome by readiness and TakeError.
func (e *Endpoint) Connect(a Addr) error {
	err := e.ep.Connect(toFull(a))
	switch err.(type) {
	case *tcpip.ErrConnectStarted:
		e.announce()
	case *tcpip.ErrNoPortAvailable:
		return linux.EADDRNOTAVAIL // connect(2) cannot be told EADDRINUSE for a port it did not name
	}
	return errnoOf(err)
}

// Disconnect undoes Connect of a datagram endpoint.
func (e *Endpoint) Disconnect() error { return errnoOf(e.ep.Disconnect()) }

// Listen makes a listener with room for backlog connections.
func (e *Endpoint) Listen(backlog int) error {
	listening := e.kind == TCP && tcp.EndpointState(e.ep.State()) == tcp.StateListen
	err := e.ep.Listen(backlog)
	if _, ok := err.(*tcpip.ErrInvalidEndpointState); ok && listening {
		return nil // more are waiting than the new backlog has room for
	}
	return errnoOf(err)
}

// Accept takes a connection off a listener. EAGAIN when there is none.
func (e *Endpoint) Accept() (*Endpoint, Addr, error) {
	var peer tcpip.FullAddress
	ep, wq, err := e.ep.Accept(&peer)
	if err != nil {
		return nil, Addr{}, errnoOf(err)
	}
	child := e.stack.adopt(ep, wq, e.kind, e.family, e.proto)
	child.announce()
	return child, fromFull(peer), nil
}

// Direction says which halves of a connection Shutdown ends.
type Direction uint8

const (
	DirRead Direction = 1 << iota
	DirWrite
)

// Shutdown ends one or both directions.
func (e *Endpoint) Shutdown(d Direction) error {
	return errnoOf(e.ep.Shutdown(tcpip.ShutdownFlags(d)))
}

// LocalAddr and RemoteAddr name the ends; RemoteAddr says ENOTCONN when there is no peer.
func (e *Endpoint) LocalAddr() (Addr, error) {
	a, err := e.ep.GetLocalAddress()
	return fromFull(a), errnoOf(err)
}

func (e *Endpoint) RemoteAddr() (Addr, error) {
	a, err := e.ep.GetRemoteAddress()
	return fromFull(a), errnoOf(err)
}

// ReadOptions steer Read.
type ReadOptions struct {
	Peek bool // leave the data where it is
}

// ReadResult tells about what was read. Total is a datagram's whole length, also when dst took less.
type ReadResult struct {
	N, Total int
	From     Addr
	Control  Control
}

// Read gives received data to dst in one or more Writes until dst refuses or nothing is left: all of the stream that is
// here, or one datagram. The end of a stream is a result of 0 without an error.
func (e *Endpoint) Read(dst io.Writer, o ReadOptions) (ReadResult, error) {
	if e.kind == TCP {
		return e.readStream(dst, o)
	}
	r, err := e.ep.Read(dst, tcpip.ReadOptions{Peek: o.Peek, NeedRemoteAddr: true})
	if err != nil {
		if _, ok := err.(*tcpip.ErrClosedForReceive); ok {
			return ReadResult{}, nil
		}
		return ReadResult{}, toErrno(err)
	}
	return ReadResult{N: r.Count, Total: r.Total, From: fromFull(r.RemoteAddr), Control: controlOf(&r.ControlMessages)}, nil
}

// Payload is data to send; Len is what is left of it.
type Payload interface {
	io.Reader
	Len() int
}

// WriteOptions steer Write. To is nil for a connected endpoint.
type WriteOptions struct {
	To      *Addr
	More    bool // more data follows soon
	Control SendControl
}

// Write sends one datagram, or as much of a stream as there is room for. EAGAIN when there is no room at all.
func (e *Endpoint) Write(p Payload, o WriteOptions) (int, error) {
	if e.kind == TCP {
		return e.writeStream(p, o)
	}
	wo := tcpip.WriteOptions{More: o.More, ControlMessages: o.Control.tcpip()}
	if o.To != nil {
		to := toFull(*o.To)
		wo.To = &to
	}
	n, err := e.ep.Write(p, wo)
	if err != nil {
		return int(n), toErrno(err)
	}
	return int(n), nil
}

// TakeError returns the pending error and clears it: SO_ERROR. nil when there is none.
func (e *Endpoint) TakeError() error {
	if e.lost.Swap(false) {
		return linux.ECONNRESET
	}
	return errnoOf(e.ep.LastError())
}

// State numbers are those of Linux's tcp_states.h; a datagram endpoint is StateEstablished when connected, else StateClose.
type State uint8

const (
	StateEstablished State = iota + 1
	StateSynSent
	StateSynRecv
	StateFinWait1
	StateFinWait2
	StateTimeWait
	StateClose
	StateCloseWait
	StateLastAck
	StateListen
	StateClosing
)

// State returns the connection's state.
func (e *Endpoint) State() State { return stateOf(e.kind, e.ep) }

func stateOf(kind Kind, ep tcpip.Endpoint) State {
	if kind != TCP {
		if _, err := ep.GetRemoteAddress(); err == nil {
			return StateEstablished
		}
		return StateClose
	}
	switch s := tcp.EndpointState(ep.State()); {
	case s == tcp.StateConnecting:
		return StateSynSent
	case s >= 1 && s <= tcp.EndpointState(StateClosing):
		return State(s)
	}
	return StateClose // initial, bound and failed ones are all closed to Linux
}

// Phase tells apart what State shows as StateClose.
type Phase uint8

const (
	Fresh  Phase = iota + 1 // not connected yet
	Live                    // listening, connecting, connected, or saying goodbye
	Closed                  // was connected, and both sides said goodbye
	Failed                  // ended by an error
)

// Phase returns where a TCP endpoint is in its life.
func (e *Endpoint) Phase() Phase {
	switch tcp.EndpointState(e.ep.State()) {
	case tcp.StateInitial, tcp.StateBound:
		return Fresh
	case tcp.StateClose:
		return Closed
	case tcp.StateError:
		return Failed
	}
	return Live
}

// Connecting says whether a TCP handshake is under way.
func (e *Endpoint) Connecting() bool {
	s := e.State()
	return e.kind == TCP && (s == StateSynSent || s == StateSynRecv)
}

// Bound says whether a local port or address was taken.
func (e *Endpoint) Bound() bool {
	switch e.kind {
	case TCP:
		s := tcp.EndpointState(e.ep.State())
		return s != tcp.StateInitial && s != tcp.StateClose && s != tcp.StateError
	}
	a, err := e.LocalAddr()
	return err == nil && (a.Port != 0 || a.IP.IsValid())
}
