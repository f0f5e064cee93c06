package netstack

import (
	"io"
	"math"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// The stack sends what one call writes in segments of up to GSOMaxSize with the rest of it as a small one, and never
// fills that up from a later call that does not fit it as a whole. Each segment has its price, here, in the host
// and by its acknowledgement, whatever its size. So a stream is handed over in parts that end where a full segment
// of it does.

// A part is a Payload of which no more than left bytes are shown.
type part struct {
	p    Payload
	left int
}

func (t *part) Len() int { return min(t.p.Len(), t.left) }

func (t *part) Read(b []byte) (int, error) {
	if t.left == 0 {
		return 0, io.EOF
	}
	n, err := t.p.Read(b[:min(len(b), t.left)])
	t.left -= n
	return n, err
}

// writeStack gives a stream's bytes to the stack. The caller holds wmu.
func (e *Endpoint) writeStack(p Payload, o WriteOptions) (int, error) {
	if e.stride == 0 {
		e.stride = e.fullSegment()
	}
	done := 0
	for {
		e.part = part{p: p, left: e.stride - int(e.sent%uint64(e.stride))}
		want := e.part.Len()
		e.backlog.begin()
		n, err := e.ep.Write(&e.part, tcpip.WriteOptions{More: o.More, Atomic: true})
		e.backlog.end(e.ep)
		e.part.p = nil
		e.sent += uint64(n)
		done += int(n)
		if err != nil && done == 0 {
			e.stride = 0 // it may not even be connected yet
			return 0, toErrno(err)
		}
		if err != nil || int(n) < want || p.Len() == 0 {
			return done, nil
		}
	}
}

// uncut is the stride where the stack cuts segments itself.
const uncut = math.MaxInt32

// fullSegment returns how many bytes the stack puts into a segment that the host cuts.
func (e *Endpoint) fullSegment() int {
	k, ok := e.ends()
	if !ok {
		return uncut
	}
	local, err := e.ep.GetLocalAddress()
	if err != nil {
		return uncut
	}
	path, perr := e.stack.FindRoute(k.remote.Addr(), int32(local.NIC))
	if perr != nil {
		return uncut
	}
	e.stack.mu.Lock()
	f := e.stack.links[tcpip.NICID(path.Index)].frames
	e.stack.mu.Unlock()
	if f == nil || f.SupportedGSO() != stack.HostGSOSupported {
		return uncut
	}
	return int(f.GSOMaxSize()) - gsoReserve
}

// gsoReserve is what the stack leaves of GSOMaxSize for headers.
const gsoReserve = header.TCPTotalHeaderMaximumSize + 1

// wholeGSO lowers the size of what the host cuts so that it comes to full packets of a connection over IPv4.
func wholeGSO(gso, mtu uint32) uint32 {
	const headers = header.IPv4MinimumSize + header.TCPMinimumSize + header.TCPOptionsMaximumSize
	if gso <= gsoReserve {
		return 0
	}
	if mtu <= headers || gso-gsoReserve < mtu-headers {
		return gso
	}
	return (gso-gsoReserve)/(mtu-headers)*(mtu-headers) + gsoReserve
}
