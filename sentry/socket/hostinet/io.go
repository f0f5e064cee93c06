package hostinet

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/sentry/socket"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

const (
	// maxDatagram is more than the longest datagram.
	maxDatagram = 64 << 10
	// maxBuffered bounds what a peek into a stream, or a discard, moves at once.
	maxBuffered = 1 << 20
	// maxSentControl and maxReceivedControl bound control messages.
	maxSentControl     = 1024
	maxReceivedControl = 1024
)

const (
	// What a guest may say goes to the host; the other flags are ours, or change nothing.
	sendFlags    = linux.MSG_OOB | linux.MSG_DONTROUTE | linux.MSG_MORE | linux.MSG_EOR | linux.MSG_CONFIRM
	receiveFlags = linux.MSG_OOB | linux.MSG_PEEK | linux.MSG_TRUNC | linux.MSG_ERRQUEUE
	// What the host may say goes to the guest.
	resultFlags = linux.MSG_OOB | linux.MSG_TRUNC | linux.MSG_CTRUNC | linux.MSG_EOR | linux.MSG_ERRQUEUE
)

// Send implements socket.Mover.
func (s *Socket) Send(_ *vfs.Caller, m *socket.Outgoing) (int, error) {
	defer m.Control.Release()
	if err := s.lateError(); err != nil {
		return 0, err
	}
	if m.Flags&linux.MSG_FASTOPEN != 0 {
		return 0, linux.EOPNOTSUPP
	}
	msg := message{name: m.To}
	if len(m.To) > 0 {
		if s.local() {
			return 0, linux.EISCONN
		}
		if err := check(m.To); err != nil {
			return 0, err
		}
	}
	if m.Control != nil {
		var err error
		if c := m.Control; s.local() && (len(c.Rights) > 0 || c.Creds != nil || len(c.Other) > 0) {
			return 0, linux.EOPNOTSUPP // nothing of the guest's goes to another process of the host
		}
		if msg.control, err = sentControl(m.Control.Other); err != nil {
			return 0, err
		}
	}
	flags := int(m.Flags & sendFlags)
	if s.tcp() && m.Data.Len() > 0 {
		return s.sendStream(m.Data, &msg, flags)
	}
	if m.Data.Len() > maxDatagram {
		return 0, linux.EMSGSIZE
	}
	whole := *m.Data
	b := make([]byte, m.Data.Len())
	if _, err := m.Data.CopyIn(b); err != nil {
		return 0, err
	}
	msg.data = [][]byte{b}
	n, err := move(unix.SYS_SENDMSG, s.fd, &msg, flags)
	if err != nil {
		*m.Data = whole // to be tried again
	}
	return n, err
}

func (s *Socket) sendStream(from *usermem.Seq, msg *message, flags int) (int, error) {
	return s.stream(from, usermem.Read, func(blocks [][]byte) (int, error) {
		msg.data = blocks
		return move(unix.SYS_SENDMSG, s.fd, msg, flags)
	})
}

// stream moves bytes to or from guest memory, where it lies, until the host takes or has no more.
func (s *Socket) stream(q *usermem.Seq, a usermem.Access, once func(blocks [][]byte) (int, error)) (int, error) {
	part := q.Take(usermem.MaxIO)
	n, err := part.Blocks(a, func(blocks [][]byte) (uint64, error) {
		n, err := once(blocks)
		return uint64(n), err
	})
	q.Skip(n)
	if n > 0 {
		if e, ok := err.(linux.Errno); ok && e != linux.EAGAIN && e != linux.EFAULT {
			s.late.Store(uint32(e)) // the host tells it once, and so do we, later
		}
		return int(n), nil
	}
	return 0, err
}

// lateError returns an error that is still to be told.
func (s *Socket) lateError() error {
	if e := s.late.Swap(0); e != 0 {
		return linux.Errno(e)
	}
	return nil
}

// Receive implements socket.Mover.
func (s *Socket) Receive(_ *vfs.Caller, in *socket.Incoming) (int, error) {
	if err := s.lateError(); err != nil {
		return 0, err
	}
	flags := int(in.Flags & receiveFlags)
	msg := message{control: make([]byte, s.controlRoom())}
	var n int
	var err error
	switch {
	case s.tcp() && flags == 0 && in.Data.Len() > 0:
		n, err = s.receiveStream(in.Data, &msg)
	default:
		n, err = s.receiveWhole(in, &msg, flags)
	}
	if err != nil {
		return 0, err
	}
	in.OutFlags |= linux.MsgFlags(msg.flags) & resultFlags
	if len(msg.name) > 0 {
		in.From = msg.name
	}
	addControl(&in.Control, msg.control)
	return n, nil
}

func (s *Socket) receiveStream(to *usermem.Seq, msg *message) (int, error) {
	room, control := msg.control, []byte(nil)
	n, err := s.stream(to, usermem.Write, func(blocks [][]byte) (int, error) {
		part := message{data: blocks, control: room}
		n, err := move(unix.SYS_RECVMSG, s.fd, &part, 0)
		if err == nil {
			msg.flags |= part.flags
			control = append([]byte(nil), part.control...) // as in Linux, the last part's
		}
		return n, err
	})
	msg.control = control
	return n, err
}

// receiveWhole receives what has to be one call of the host.
func (s *Socket) receiveWhole(in *socket.Incoming, msg *message, flags int) (int, error) {
	room := min(in.Data.Len(), maxDatagram)
	if s.tcp() {
		room = min(in.Data.Len(), maxBuffered)
	} else {
		msg.name = make([]byte, maxAddress)
	}
	b := make([]byte, room)
	msg.data = [][]byte{b}
	n, err := move(unix.SYS_RECVMSG, s.fd, msg, flags)
	if err != nil {
		return 0, err
	}
	have := b[:min(n, len(b))]
	if s.tcp() && in.Flags&linux.MSG_TRUNC != 0 {
		in.Data.Skip(uint64(len(have))) // as in Linux, thrown away
		return n, nil
	}
	if _, err := in.Data.CopyOut(have); err != nil {
		return 0, err
	}
	return n, nil
}

// sentControl writes the control messages that the host may be given.
func sentControl(ms []socket.ControlMessage) ([]byte, error) {
	var b []byte
	for _, m := range ms {
		if m.Level == linux.SOL_SOCKET {
			switch linux.ScmType(m.Type) {
			case linux.SCM_RIGHTS, linux.SCM_CREDENTIALS: // as in Linux, not for this family, and no error
				continue
			}
			return nil, linux.EINVAL
		}
		if !maySend(m) {
			return nil, linux.EINVAL
		}
		n := linux.CmsgHdrSize + len(m.Data)
		if len(b)+linux.CmsgAlign(n) > maxSentControl {
			return nil, linux.ENOBUFS
		}
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
		b = binary.LittleEndian.AppendUint32(b, uint32(m.Level))
		b = binary.LittleEndian.AppendUint32(b, uint32(m.Type))
		b = append(b, m.Data...)
		b = append(b, make([]byte, linux.CmsgAlign(n)-n)...)
	}
	return b, nil
}

func maySend(m socket.ControlMessage) bool {
	switch m.Level {
	case linux.SOL_IP:
		switch linux.IPOpt(m.Type) {
		case linux.IP_TTL, linux.IP_TOS, linux.IP_PKTINFO:
			return true
		}
	case linux.SOL_IPV6:
		switch linux.IPv6Opt(m.Type) {
		case linux.IPV6_HOPLIMIT, linux.IPV6_TCLASS, linux.IPV6_PKTINFO, linux.IPV6_DONTFRAG:
			return true
		}
	case linux.SOL_UDP:
		return linux.UDPOpt(m.Type) == linux.UDP_SEGMENT
	}
	return false
}

// addControl gives the guest the control messages that came from the host. On these families none has a descriptor in it;
// of SOL_SOCKET only what is known to be plain is passed on all the same.
func addControl(r *socket.Received, b []byte) {
	for len(b) >= linux.CmsgHdrSize {
		n := binary.LittleEndian.Uint64(b)
		if n < linux.CmsgHdrSize || n > uint64(len(b)) {
			return
		}
		level, typ := linux.SockLevel(binary.LittleEndian.Uint32(b[8:])), int32(binary.LittleEndian.Uint32(b[12:]))
		switch level {
		case linux.SOL_IP, linux.SOL_IPV6, linux.SOL_TCP, linux.SOL_UDP:
			r.Add(level, typ, b[linux.CmsgHdrSize:n])
		case linux.SOL_SOCKET:
			if t := linux.ScmType(typ); t == linux.SCM_TIMESTAMP || t == linux.SCM_TIMESTAMPNS {
				r.Add(level, typ, b[linux.CmsgHdrSize:n])
			}
		}
		b = b[min(linux.CmsgAlign(int(n)), len(b)):]
	}
}
