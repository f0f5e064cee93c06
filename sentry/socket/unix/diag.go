package unix

import (
	"slices"

	"cordon/netstack"
	"cordon/sentry/socket"
)

// UnixDiag implements socket.UnixDiagnosed.
func (s *Socket) UnixDiag() socket.UnixDiag {
	s.mu.Lock()
	waiting := slices.Clone(s.accepts)
	d := socket.UnixDiag{
		State: netstack.StateClose, Name: s.name, Receive: s.queue.bytes, Send: int(s.sent.Load()),
	}
	switch {
	case s.state == listening:
		d.State, d.Receive, d.Send = netstack.StateListen, len(s.accepts), s.backlog
	case s.state == connected || s.peer != nil:
		d.State = netstack.StateEstablished
	}
	if s.name != "" && s.name[0] != 0 {
		d.Dev, d.Ino = s.file.dev, s.file.ino
	}
	if s.peer != nil {
		d.Peer = s.peer
	}
	if s.readShut {
		d.Shutdown |= 1
	}
	if s.writeShut {
		d.Shutdown |= 2
	}
	s.mu.Unlock()
	for _, a := range waiting {
		a.mu.Lock()
		if a.peer != nil {
			d.Pending = append(d.Pending, a.peer)
		}
		a.mu.Unlock()
	}
	return d
}
