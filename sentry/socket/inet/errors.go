package inet

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/netstack"
	"cordon/sentry/socket"
)

// An errorQueue is what IP_RECVERR and IPV6_RECVERR of datagram sockets fill. What the stack tells of comes to inbox; whose
// it is is looked at when the socket is used, because the stack tells with locks held.
type errorQueue struct {
	mu lock.Mutex[lock.PacketQueue]
	// guarded by mu
	inbox []*netstack.ICMPError
	ready []*netstack.ICMPError
	err   linux.Errno // what the next call is told
}

// maxErrors bounds both lists of an errorQueue.
const maxErrors = 64

// Flags of Socket.recvErr.
const (
	recvErr4 = 1 << iota
	recvErr6
)

func recvErrRow(level linux.SockLevel, opt int32, name string, flag uint32, stack netstack.Flag) row {
	return row{
		Level: level, Opt: opt, Name: name, Support: socket.Full,
		Get: func(s *Socket, c *socket.OptionCall) error {
			if s.tcp() {
				return putInt(s, c, boolInt(s.ep().Flag(stack)))
			}
			return putInt(s, c, boolInt(s.recvErr.Load()&flag != 0))
		},
		Set: func(s *Socket, c *socket.OptionCall) error {
			v, err := c.ByteOrInt()
			if err != nil {
				return err
			}
			if s.tcp() {
				s.ep().SetFlag(stack, v != 0)
				return nil
			}
			return s.setRecvErr(flag, v != 0)
		},
	}
}

// setRecvErr begins to watch for errors with the first flag and ends with the last; then what was queued goes.
func (s *Socket) setRecvErr(flag uint32, on bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	flags := s.recvErr.Load() &^ flag
	if on {
		flags |= flag
	}
	if err := s.watchLocked(flags != 0); err != nil {
		return err
	}
	s.recvErr.Store(flags)
	return nil
}

func (s *Socket) watchLocked(on bool) error {
	switch {
	case on && s.watch == nil:
		w, err := s.Namespace().Stack.WatchErrors(s.hear)
		if err != nil {
			return err
		}
		s.watch = w
	case !on && s.watch != nil:
		s.watch.Close()
		s.watch = nil
		s.errors.mu.Lock()
		s.errors.inbox, s.errors.ready, s.errors.err = nil, nil, 0
		s.errors.mu.Unlock()
	}
	return nil
}

// hear takes an error from the stack.
func (s *Socket) hear(e *netstack.ICMPError) {
	if e.Protocol != s.ep().Protocol() || e.Family == netstack.IPv6 && !s.v6() {
		return
	}
	q := &s.errors
	q.mu.Lock()
	if len(q.inbox) < maxErrors {
		q.inbox = append(q.inbox, e)
	}
	q.mu.Unlock()
	s.notify(netstack.EventErr)
}

// sortErrors takes out of the inbox what is this socket's.
func (s *Socket) sortErrors() {
	q := &s.errors
	q.mu.Lock()
	in := q.inbox
	q.inbox = nil
	q.mu.Unlock()
	if len(in) == 0 {
		return
	}
	in = slices.DeleteFunc(in, func(e *netstack.ICMPError) bool { return !s.concerns(e) })
	q.mu.Lock()
	for _, e := range in {
		if len(q.ready) < maxErrors {
			q.ready = append(q.ready, e)
			q.err = errnoOfICMP(e)
		}
	}
	q.mu.Unlock()
}

// concerns says whether an error is about a packet that the socket may have sent.
func (s *Socket) concerns(e *netstack.ICMPError) bool {
	flag := uint32(recvErr4)
	if e.Family == netstack.IPv6 {
		flag = recvErr6
	}
	if s.recvErr.Load()&flag == 0 {
		return false
	}
	same := func(have, want netip.Addr) bool {
		return !have.IsValid() || have.IsUnspecified() || have.Unmap() == want.Unmap()
	}
	local, err := s.ep().LocalAddr()
	if err != nil || !same(local.IP, e.Local.IP) {
		return false
	}
	raw := s.ep().Kind() == netstack.Raw
	if !raw && local.Port != e.Local.Port {
		return false
	}
	remote, ok := s.remote()
	return !ok || same(remote.IP, e.Remote.IP) && (s.ep().Kind() != netstack.UDP || remote.Port == e.Remote.Port)
}

// hasErrors says whether there is something in the error queue, or an error to be told.
func (s *Socket) hasErrors() bool {
	if s.recvErr.Load() == 0 {
		return false
	}
	s.sortErrors()
	s.errors.mu.Lock()
	defer s.errors.mu.Unlock()
	return len(s.errors.ready) > 0 || s.errors.err != 0
}

// pendingError takes the error that an ordinary call is told.
func (s *Socket) pendingError() error {
	if s.recvErr.Load() == 0 {
		return nil
	}
	s.sortErrors()
	s.errors.mu.Lock()
	defer s.errors.mu.Unlock()
	if e := s.errors.err; e != 0 {
		s.tellLocked(0)
		return e
	}
	return nil
}

// tellLocked sets what the next call is told. Of a connected socket the stack has kept the last error too.
func (s *Socket) tellLocked(e linux.Errno) {
	s.errors.err = e
	s.ep().TakeError()
}

// takeICMP takes the oldest error, nil when there is none.
func (s *Socket) takeICMP() *netstack.ICMPError {
	if s.recvErr.Load() == 0 {
		return nil
	}
	s.sortErrors()
	q := &s.errors
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.ready) == 0 {
		return nil
	}
	e := q.ready[0]
	q.ready = q.ready[1:]
	// As in Linux, the next error in the queue is the one to be told.
	var next linux.Errno
	if len(q.ready) > 0 {
		next = errnoOfICMP(q.ready[0])
	}
	s.tellLocked(next)
	return e
}

// unreachable4 are the errnos of the codes of "destination unreachable" (Linux: net/ipv4/icmp.c icmp_err_convert).
var unreachable4 = [...]linux.Errno{
	linux.ENETUNREACH, linux.EHOSTUNREACH, linux.ENOPROTOOPT, linux.ECONNREFUSED, linux.EMSGSIZE, linux.EOPNOTSUPP, linux.ENETUNREACH,
	linux.EHOSTDOWN, linux.ENONET, linux.ENETUNREACH, linux.EHOSTUNREACH, linux.ENETUNREACH, linux.EHOSTUNREACH, linux.EHOSTUNREACH,
	linux.EHOSTUNREACH, linux.EHOSTUNREACH,
}

var unreachable6 = [...]linux.Errno{
	linux.ENETUNREACH, linux.EACCES, linux.EHOSTUNREACH, linux.EHOSTUNREACH, linux.ECONNREFUSED, linux.EACCES, linux.EACCES,
}

func errnoOfICMP(e *netstack.ICMPError) linux.Errno {
	const (
		unreachable, exceeded4                    = 3, 11
		unreachableSix, tooBig, exceeded6, wrong6 = 1, 2, 3, 4
	)
	if e.Family == netstack.IPv4 {
		switch e.Type {
		case unreachable:
			if int(e.Code) < len(unreachable4) {
				return unreachable4[e.Code]
			}
			return linux.EHOSTUNREACH
		case exceeded4:
			return linux.EHOSTUNREACH
		}
		return linux.EPROTO
	}
	switch e.Type {
	case unreachableSix:
		if int(e.Code) < len(unreachable6) {
			return unreachable6[e.Code]
		}
	case tooBig:
		return linux.EMSGSIZE
	case exceeded6:
		return linux.EHOSTUNREACH
	}
	return linux.EPROTO
}

// receiveICMP gives an ICMP error to the reader of the error queue.
func (s *Socket) receiveICMP(in *socket.Incoming, e *netstack.ICMPError) (int, error) {
	data := e.Packet
	if s.ep().Kind() == netstack.UDP {
		const udpHeader = 8
		data = data[min(len(data), udpHeader):]
	} else {
		e.Remote.Port = 0
	}
	n, err := in.Data.CopyOut(data)
	if err != nil {
		return 0, err
	}
	if n < len(data) {
		in.OutFlags |= linux.MSG_TRUNC
	}
	in.OutFlags |= linux.MSG_ERRQUEUE
	v6 := e.Family == netstack.IPv6
	to := e.Remote
	if s.v6() && !v6 {
		to.IP = netip.AddrFrom16(to.IP.As16())
	}
	in.From = s.format(to)
	socket.AddTimestamp(&s.Base, &in.Control, e.TimeNS)
	c := netstack.Control{TTL: e.TTL, HopLimit: e.TTL, TOS: e.TOS, TClass: uint32(e.TOS), Index: e.Index, Local: e.Local.IP, Dst: e.Local.IP}
	for _, f := range []struct {
		flag netstack.Flag
		has  netstack.Has
		six  bool
	}{
		{netstack.RecvTTL, netstack.HasTTL, false}, {netstack.RecvTOS, netstack.HasTOS, false},
		{netstack.RecvPktInfo, netstack.HasPktInfo4, false}, {netstack.RecvHopLimit, netstack.HasHopLimit, true},
		{netstack.RecvTClass, netstack.HasTClass, true}, {netstack.RecvPktInfo6, netstack.HasPktInfo6, true},
	} {
		if f.six == v6 && s.ep().Flag(f.flag) {
			c.Has |= f.has
		}
	}
	s.addPacketControl(in, &c)
	level, opt, origin := linux.SOL_IP, int32(linux.IP_RECVERR), uint8(linux.SO_EE_ORIGIN_ICMP)
	if v6 {
		level, opt, origin = linux.SOL_IPV6, int32(linux.IPV6_RECVERR), linux.SO_EE_ORIGIN_ICMP6
	}
	x := linux.SockExtendedErr{Errno: uint32(errnoOfICMP(e)), Type: e.Type, Code: e.Code, Info: e.Info, Origin: origin}
	b, err := binary.Append(nil, binary.LittleEndian, &x)
	if err != nil {
		return 0, linux.EINVAL
	}
	in.Control.Add(level, opt, append(b, format(netstack.Addr{IP: e.Offender}, v6)...))
	return n, nil
}

// remote is the peer of a connected socket; the stack keeps a raw one's to itself.
func (s *Socket) remote() (netstack.Addr, bool) {
	if a, err := s.ep().RemoteAddr(); err == nil {
		return a, true
	}
	if s.ep().Kind() != netstack.Raw {
		return netstack.Addr{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dest, s.dest.IP.IsValid()
}
