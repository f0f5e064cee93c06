package netstack

import (
	"unsafe"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// The steps that TCP takes for a segment that has arrived, which it has a goroutine of its own take. TestSegmentSteps
// compares what is declared here with the sources.

//go:linkname newIncomingSegment gvisor.dev/gvisor/pkg/tcpip/transport/tcp.newIncomingSegment
func newIncomingSegment(stack.TransportEndpointID, tcpip.Clock, *stack.PacketBuffer) (unsafe.Pointer, error)

//go:linkname decRefSegment gvisor.dev/gvisor/pkg/tcpip/transport/tcp.(*segment).DecRef
func decRefSegment(unsafe.Pointer)

//go:linkname enqueueSegment gvisor.dev/gvisor/pkg/tcpip/transport/tcp.(*Endpoint).enqueueSegment
func enqueueSegment(*tcp.Endpoint, unsafe.Pointer) bool

//go:linkname handleConnected gvisor.dev/gvisor/pkg/tcpip/transport/tcp.handleConnected
func handleConnected(*tcp.Endpoint)

// An arrival is a segment that has arrived and is not in its endpoint's queue yet.
type arrival struct{ p unsafe.Pointer }

// arrive makes an arrival of a packet whose checksum is right. false: it is no segment.
func arrive(id stack.TransportEndpointID, clock tcpip.Clock, pkt *stack.PacketBuffer) (arrival, bool) {
	p, err := newIncomingSegment(id, clock, pkt)
	return arrival{p}, err == nil
}

// queue gives it to an endpoint, which may refuse it.
func (a arrival) queue(ep *tcp.Endpoint) {
	enqueueSegment(ep, a.p)
	decRefSegment(a.p)
}
