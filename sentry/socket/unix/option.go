package unix

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/sentry/socket"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// Options is what AF_UNIX adds to the common table. It does not change.
var Options = socket.NewTable([]socket.Row[*Socket]{
	{Level: linux.SOL_SOCKET, Opt: int32(linux.SO_PEERCRED), Name: "SO_PEERCRED", Get: getPeerCred, Support: socket.Full},
	{Level: linux.SOL_SOCKET, Opt: int32(linux.SO_PEERGROUPS), Name: "SO_PEERGROUPS", Get: getPeerGroups, Support: socket.Full},
	{Level: linux.SOL_SOCKET, Opt: int32(linux.SO_PEEK_OFF), Name: "SO_PEEK_OFF", Get: getPeekOff, Set: setPeekOff, Support: socket.Full},
})

func (s *Socket) otherSide() *peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.who
}

func getPeerCred(s *Socket, c *socket.OptionCall) error {
	u := linux.Ucred{UID: ^uint32(0), GID: ^uint32(0)}
	if p := s.otherSide(); p != nil {
		ns := s.viewer()
		if c.Caller != nil {
			ns = c.Caller.Cred.UserNS
		}
		u = p.creds.Ucred(ns)
		if c.Caller != nil && c.Caller.Job != nil {
			u.PID = c.Caller.Job.FromRootPID(u.PID)
		}
	}
	return c.Put(socket.AppendUcred(nil, u))
}

func getPeerGroups(s *Socket, c *socket.OptionCall) error {
	p := s.otherSide()
	if p == nil {
		return linux.ENODATA
	}
	var out []byte
	for _, g := range p.groups {
		out = binary.LittleEndian.AppendUint32(out, c.Caller.Cred.UserNS.FromRootGID(g))
	}
	if len(out) > c.Size {
		return linux.ERANGE
	}
	return c.Put(out)
}

func getPeekOff(s *Socket, c *socket.OptionCall) error {
	o := s.Base.Options()
	return c.PutInt(int(o.PeekOff))
}

func setPeekOff(s *Socket, c *socket.OptionCall) error {
	v, err := c.Int()
	if err != nil {
		return err
	}
	o := s.Base.Options()
	o.PeekOff = int32(max(v, -1))
	s.Inherit(o)
	return nil
}

// GetOption implements socket.Optioner.
func (s *Socket) GetOption(c *vfs.Caller, level linux.SockLevel, opt int32, size int) ([]byte, error) {
	if level != linux.SOL_SOCKET {
		return nil, linux.EOPNOTSUPP
	}
	call := &socket.OptionCall{Caller: c, Opt: opt, Size: size}
	return Options.GetOrCommon(s, &s.Base, level, call)
}

// SetOption implements socket.Optioner.
func (s *Socket) SetOption(c *vfs.Caller, level linux.SockLevel, opt int32, value []byte) error {
	if level != linux.SOL_SOCKET {
		return linux.EOPNOTSUPP
	}
	call := &socket.OptionCall{Caller: c, Opt: opt, Value: value}
	return Options.SetOrCommon(s, &s.Base, level, call)
}

// Changed implements socket.Hooks.
func (s *Socket) Changed(_ *vfs.Caller, opt linux.SockOpt, _ *socket.Options) error {
	if opt == linux.SO_SNDBUF || opt == linux.SO_SNDBUFFORCE {
		s.Queue().Notify(writable)
	}
	return nil
}

// Ioctl implements vfs.Ioctler.
func (s *Socket) Ioctl(c *vfs.Caller, mem usermem.Space, req uint32, arg uint64) (uintptr, error) {
	var n int
	switch linux.IoctlCmd(req) {
	case linux.FIONREAD:
		s.mu.Lock()
		if s.state == listening {
			s.mu.Unlock()
			return 0, linux.EINVAL
		}
		n = s.queue.bytes
		if s.Info().Type == linux.SOCK_DGRAM && s.queue.first != nil {
			n = len(s.queue.first.data)
		}
		s.mu.Unlock()
	case linux.TIOCOUTQ: // SIOCOUTQ
		n = int(s.sent.Load())
	case linux.SIOCATMARK:
		n = 0
	default:
		return socket.DeviceIoctl(s.Namespace(), c, mem, req, arg)
	}
	if _, err := mem.CopyOut(arg, socket.SizeOf(n)); err != nil {
		return 0, err
	}
	return 0, nil
}
