package netstack

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"cordon/internal/lock"
)

// The stack's TCP has goroutines of its own for what arrives. To wake one costs more than most segments do, so a segment
// of an established connection is dealt with by who brings it; or, while a call has the endpoint, by that call when it
// is done, which would otherwise find the lock taken, or have the goroutine woken (Linux: sk_backlog).

// maxBacklog is how many segments wait for the end of a call.
const maxBacklog = 16

// A backlog is what arrives for an endpoint while calls have it.
type backlog struct {
	mu lock.Mutex[lock.StreamBacklog]
	// guarded by mu
	calls    int
	arrivals []arrival
	spare    []arrival // the memory of those before
}

// put keeps an arrival for the call that has the endpoint; false when there is none.
func (b *backlog) put(ep *tcp.Endpoint, a arrival) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.calls == 0 {
		return false
	}
	if len(b.arrivals) == maxBacklog {
		b.releaseLocked(ep)
	}
	b.arrivals = append(b.arrivals, a)
	return true
}

// release has what waits not wait any longer.
func (b *backlog) release(ep *tcp.Endpoint) {
	b.mu.Lock()
	b.releaseLocked(ep)
	b.mu.Unlock()
}

// releaseLocked puts it into the endpoint's own queue; its goroutine is woken when the endpoint is let go.
func (b *backlog) releaseLocked(ep *tcp.Endpoint) {
	for i, a := range b.arrivals {
		a.queue(ep)
		b.arrivals[i] = arrival{}
	}
	b.arrivals = b.arrivals[:0]
}

// begin comes before a call that keeps the endpoint's lock.
func (b *backlog) begin() {
	b.mu.Lock()
	b.calls++
	b.mu.Unlock()
}

// end comes after it, and deals with what has arrived meanwhile.
func (b *backlog) end(ep tcpip.Endpoint) {
	b.mu.Lock()
	for len(b.arrivals) > 0 && b.calls == 1 {
		late := b.arrivals
		b.arrivals, b.spare = b.spare, nil
		b.mu.Unlock()
		t := ep.(*tcp.Endpoint) // nothing arrives for others
		for i, a := range late {
			a.queue(t)
			late[i] = arrival{}
		}
		work(t)
		b.mu.Lock()
		b.spare = late[:0]
	}
	b.calls--
	b.mu.Unlock()
}

// work deals with the segments in a connection's queue.
func work(ep *tcp.Endpoint) {
	handleConnected(ep)
	// What is left, since somebody else has the endpoint or there is too much, is the goroutine's, which is woken by this.
	ep.LockUser()
	ep.UnlockUser()
}

// An atOnce is a segmentQueue that deals with segments at once, but for large ones: the receiver of a stream does better
// to receive meanwhile.
type atOnce struct {
	// immutable
	stack *Stack
	later segmentQueue // the stack's TCP

	// receiver-only
	of *Endpoint // the last one
}

func (q *atOnce) QueuePacket(target stack.TransportEndpoint, id stack.TransportEndpointID, pkt *stack.PacketBuffer) {
	ep := target.(*tcp.Endpoint) // the express takes no others
	e := q.endpoint(ep)
	if pkt.Data().Size() > bulk {
		if e != nil {
			e.backlog.release(ep)
		}
		q.later.QueuePacket(target, id, pkt)
		return
	}
	a, ok := arrive(id, q.stack.s.Clock(), pkt)
	if !ok {
		q.stack.s.Stats().TCP.InvalidSegmentsReceived.Increment()
		return
	}
	q.stack.s.Stats().TCP.ValidSegmentsReceived.Increment()
	if e != nil && e.backlog.put(ep, a) {
		return
	}
	a.queue(ep)
	work(ep)
}

// endpoint returns the Endpoint that stands for one of tcpip's; nil when it is not accepted yet, or not any more.
func (q *atOnce) endpoint(ep *tcp.Endpoint) *Endpoint {
	if q.of != nil && q.of.ep == tcpip.Endpoint(ep) {
		return q.of
	}
	q.stack.mu.Lock()
	q.of = q.stack.endpoints[ep]
	q.stack.mu.Unlock()
	return q.of
}
