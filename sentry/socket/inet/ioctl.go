package inet

import (
	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// Ioctl implements vfs.Ioctler.
func (s *Socket) Ioctl(c *vfs.Caller, mem usermem.Space, req uint32, arg uint64) (uintptr, error) {
	var n int
	switch linux.IoctlCmd(req) {
	case linux.FIONREAD:
		if s.Listening() {
			return 0, linux.EINVAL
		}
		v, err := s.ep().Int(netstack.ReceiveQueue)
		if err != nil && s.ep().Kind() == netstack.Raw {
			return 0, linux.ENOTTY
		}
		if err == nil {
			n = v
		}
	case linux.SIOCATMARK:
		if !s.tcp() {
			return 0, linux.ENOTTY
		}
	case linux.TIOCOUTQ:
		// What is queued to be sent is not known: the same answer as of a socket that cannot tell.
		return 0, linux.ENOTTY
	default:
		return socket.DeviceIoctl(s.Namespace(), c, mem, req, arg)
	}
	if _, err := mem.CopyOut(arg, socket.SizeOf(n)); err != nil {
		return 0, err
	}
	return 0, nil
}
