package inet

import (
	"io"
	"net/netip"
	"sync"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// A sink takes received bytes to guest memory. A stream's sink refuses what does not fit, which leaves it in the stack; a
// datagram's sink lets it go.
type sink struct {
	to       *usermem.Seq
	datagram bool
	discard  bool // MSG_TRUNC of a stream: count, do not copy
	n        int
	err      error

	filter   uint32 // ICMP_FILTER: types that are not wanted
	seen     int    // bytes of the packet looked at
	typeAt   int    // where its ICMP type stands
	unwanted bool
}

// sinks are used again: one that is passed to the stack cannot be on the Go stack.
var sinks = sync.Pool{New: func() any { return new(sink) }}

func newSink() *sink { return sinks.Get().(*sink) }

func (k *sink) put() {
	*k = sink{}
	sinks.Put(k)
}

// look finds the ICMP type in a packet that comes in pieces.
func (k *sink) look(b []byte) {
	if k.seen == 0 && len(b) > 0 {
		k.typeAt = int(b[0]&0xf) * 4
	}
	if i := k.typeAt - k.seen; i >= 0 && i < len(b) && b[i] < 32 && k.filter>>b[i]&1 != 0 {
		k.unwanted = true
	}
	k.seen += len(b)
}

func (k *sink) Write(b []byte) (int, error) {
	if k.err != nil {
		return 0, k.err
	}
	if k.filter != 0 {
		k.look(b)
	}
	n := min(len(b), int(min(k.to.Len(), usermem.MaxIO)))
	var err error
	if k.discard {
		k.to.Skip(uint64(n))
	} else {
		n, err = k.to.CopyOut(b[:n])
	}
	k.n += n
	if err != nil {
		k.err = err
		return n, err
	}
	if k.datagram {
		return len(b), nil
	}
	if n < len(b) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// A source brings bytes to send from guest memory.
type source struct{ from *usermem.Seq }

func (s source) Len() int { return int(min(s.from.Len(), usermem.MaxIO)) }

func (s source) Read(b []byte) (int, error) {
	if s.from.Len() == 0 {
		return 0, io.EOF
	}
	return s.from.CopyIn(b[:min(len(b), s.Len())])
}

// Receive implements socket.Mover.
func (s *Socket) Receive(_ *vfs.Caller, in *socket.Incoming) (int, error) {
	if in.Flags&linux.MSG_ERRQUEUE != 0 {
		return s.receiveError(in)
	}
	if in.Flags&linux.MSG_OOB != 0 {
		if s.tcp() {
			return 0, linux.EINVAL // no urgent data
		}
		return 0, linux.EOPNOTSUPP
	}
	if s.tcp() {
		return s.receiveStream(in)
	}
	return s.receiveDatagram(in)
}

func (s *Socket) receiveStream(in *socket.Incoming) (int, error) {
	switch s.ep().Phase() {
	case netstack.Fresh:
		return 0, linux.ENOTCONN
	case netstack.Live:
		if s.ep().State() == netstack.StateListen {
			return 0, linux.ENOTCONN
		}
	}
	if in.Data.Len() == 0 {
		if s.tcpReadiness()&readable == 0 {
			return 0, linux.EAGAIN
		}
		return 0, nil
	}
	k := newSink()
	defer k.put()
	k.to, k.discard = in.Data, in.Flags&linux.MSG_TRUNC != 0
	r, err := s.ep().Read(k, netstack.ReadOptions{Peek: in.Flags&linux.MSG_PEEK != 0})
	switch {
	case err == nil:
		return r.N, nil
	case err == error(linux.EAGAIN):
		if s.readShut.Load() {
			return 0, nil
		}
		return 0, err
	case s.ep().Phase() == netstack.Failed && err != error(linux.EFAULT):
		if s.told.Swap(true) {
			return 0, nil // the error was told; now the stream has ended
		}
	}
	return 0, err
}

func (s *Socket) receiveDatagram(in *socket.Incoming) (int, error) {
	k := newSink()
	defer k.put()
	if err := s.pendingError(); err != nil {
		return 0, err
	}
	for {
		whole := *in.Data
		*k = sink{to: in.Data, datagram: true, filter: s.icmpFilter.Load()}
		r, err := s.ep().Read(k, netstack.ReadOptions{Peek: in.Flags&linux.MSG_PEEK != 0})
		if k.err != nil {
			return 0, k.err
		}
		if err == error(linux.EAGAIN) && s.readShut.Load() {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		if !r.From.IP.IsValid() && r.Total == 0 {
			return 0, nil // the end
		}
		if k.unwanted {
			*in.Data = whole
			if in.Flags&linux.MSG_PEEK != 0 {
				*k = sink{to: new(usermem.Seq), datagram: true}
				s.ep().Read(k, netstack.ReadOptions{}) // it would be looked at again and again
			}
			continue
		}
		n := k.n
		if n < r.Total {
			in.OutFlags |= linux.MSG_TRUNC
			if in.Flags&linux.MSG_TRUNC != 0 {
				n = r.Total
			}
		}
		if s.ep().Kind() != netstack.UDP {
			r.From.Port = 0
		}
		if !in.NoFrom {
			in.From = s.format(r.From)
		}
		s.addControl(in, &r.Control)
		return n, nil
	}
}

// Send implements socket.Mover.
func (s *Socket) Send(c *vfs.Caller, m *socket.Outgoing) (int, error) {
	defer m.Control.Release()
	if m.Flags&linux.MSG_OOB != 0 {
		return 0, linux.EOPNOTSUPP
	}
	if s.tcp() {
		return s.sendStream(m)
	}
	return s.sendDatagram(c, m)
}

func (s *Socket) sendStream(m *socket.Outgoing) (int, error) {
	if m.Flags&linux.MSG_FASTOPEN != 0 {
		return 0, linux.EOPNOTSUPP
	}
	if s.writeShut.Load() {
		return 0, linux.EPIPE
	}
	done := 0
	for {
		rest := *m.Data
		n, err := s.ep().Write(source{m.Data}, netstack.WriteOptions{More: m.Flags&linux.MSG_MORE != 0})
		// The stack may have read more than it took.
		rest.Skip(uint64(n))
		*m.Data = rest
		done += n
		if err == nil && n > 0 && m.Data.Len() > 0 {
			continue
		}
		if done > 0 || err == nil {
			return done, nil
		}
		if s.ep().Phase() == netstack.Failed && err != error(linux.EFAULT) {
			if s.told.Swap(true) {
				return 0, linux.EPIPE
			}
		}
		return 0, err
	}
}

func (s *Socket) sendDatagram(_ *vfs.Caller, m *socket.Outgoing) (int, error) {
	if m.Flags&linux.MSG_MORE != 0 && s.ep().Kind() == netstack.UDP {
		return 0, linux.EOPNOTSUPP
	}
	var o netstack.WriteOptions
	if len(m.To) > 0 {
		to := m.To
		if !s.v6() && len(to) >= sizeIn && familyOf(to) == linux.AF_UNSPEC {
			to = append(socket.Address{byte(linux.AF_INET), 0}, to[2:]...) // as in Linux
		}
		n, err := s.parse(to, linux.EAFNOSUPPORT)
		if err != nil {
			return 0, err
		}
		if s.ep().Kind() == netstack.UDP && n.Port == 0 {
			return 0, linux.EINVAL
		}
		n = toPeer(n)
		o.To = &n
	} else if _, ok := s.remote(); !ok {
		return 0, linux.EDESTADDRREQ
	}
	if m.Control != nil {
		if err := s.parseControl(m.Control.Other, &o); err != nil {
			return 0, err
		}
	}
	whole := *m.Data
	if !s.v6() && s.ep().Kind() == netstack.UDP && m.Data.Len() > maxUDP4 {
		return 0, linux.EMSGSIZE
	}
	if o.To != nil && o.To.IP == broadcast && !s.Has(socket.Broadcast) {
		return 0, linux.EACCES
	}
	if s.writeShut.Load() {
		return 0, linux.EPIPE
	}
	if s.ep().Kind() == netstack.Ping || s.ep().Kind() == netstack.Raw {
		if m.Data.Len() > maxDatagram {
			return 0, linux.EMSGSIZE
		}
	}
	if err := s.pendingError(); err != nil {
		return 0, err
	}
	n, err := s.ep().Write(source{m.Data}, o)
	if err != nil {
		*m.Data = whole
		return 0, err
	}
	return n, nil
}

// The most that fits into a datagram: of UDP over IPv4, and of any.
const (
	maxUDP4     = 65507
	maxDatagram = 65535
)
