package donate

import (
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// A Conn is one end of a side channel, a connected SEQPACKET socket in
// blocking mode. Send and Recv may be called by many goroutines.
type Conn struct {
	fd int // immutable
}

// NewConn takes over fd.
func NewConn(fd int) *Conn { return &Conn{fd: fd} }

// FD returns the socket, for polling.
func (c *Conn) FD() int { return c.fd }

// Send sends one packet, with the descriptor fd unless that is negative. fd
// stays the caller's.
func (c *Conn) Send(p []byte, fd int) linux.Errno {
	var oob []byte
	if fd >= 0 {
		oob = unix.UnixRights(fd)
	}
	for {
		err := unix.Sendmsg(c.fd, p, oob, nil, unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return Errno(err)
		}
	}
}

// Recv receives one packet into p and returns its length and the descriptor
// that came with it, or -1. A packet larger than p, with more than one
// descriptor or with other control data is EPROTO; the end of the connection
// is EPIPE. No descriptor is leaked in any case.
func (c *Conn) Recv(p []byte) (int, int, linux.Errno) {
	// Room for two, so that a second descriptor is seen and refused.
	var oob [64]byte
	for {
		n, on, flags, _, err := unix.Recvmsg(c.fd, p, oob[:], unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, -1, Errno(err)
		}
		fd, ok := oneFD(oob[:on])
		if ok && flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) == 0 {
			if n == 0 && fd < 0 {
				return 0, -1, linux.EPIPE
			}
			return n, fd, 0
		}
		if fd >= 0 {
			unix.Close(fd)
		}
		return 0, -1, linux.EPROTO
	}
}

// oneFD takes the only descriptor out of control data. Where there are more it
// closes them all and reports false.
func oneFD(oob []byte) (int, bool) {
	if len(oob) == 0 {
		return -1, true
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return -1, false
	}
	var fds []int
	ok := true
	for i := range msgs {
		got, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			ok = false
			continue
		}
		fds = append(fds, got...)
	}
	if ok && len(fds) == 1 {
		return fds[0], true
	}
	for _, fd := range fds {
		unix.Close(fd)
	}
	return -1, ok && len(fds) == 0
}

// Shutdown ends the connection: the peer and every blocked Recv see the end.
func (c *Conn) Shutdown() { unix.Shutdown(c.fd, unix.SHUT_RDWR) }

// Close releases the socket. No call may be in progress.
func (c *Conn) Close() { unix.Close(c.fd) }

// WaitHangup returns when the peer is gone or the connection was shut down.
func (c *Conn) WaitHangup() {
	fds := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLRDHUP}}
	for {
		_, err := unix.Poll(fds, -1)
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if err != nil || fds[0].Revents != 0 {
			return
		}
	}
}

// Errno converts an error of package unix at the edge; nil is 0.
func Errno(err error) linux.Errno {
	switch e := err.(type) {
	case nil:
		return 0
	case unix.Errno:
		return linux.Errno(e)
	}
	return linux.EIO
}
