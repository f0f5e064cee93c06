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

// Send sends one packet, with the descriptors fds, which stay the caller's. A
// negative one is left out.
func (c *Conn) Send(p []byte, fds ...int) linux.Errno { return c.SendTwo(p, nil, fds...) }

// SendTwo is Send of a packet that is in two pieces.
func (c *Conn) SendTwo(p, tail []byte, fds ...int) linux.Errno {
	var oob []byte
	if len(fds) > 0 && fds[0] >= 0 {
		oob = unix.UnixRights(fds...)
	}
	for {
		var err error
		if len(tail) == 0 {
			err = unix.Sendmsg(c.fd, p, oob, nil, unix.MSG_NOSIGNAL)
		} else {
			_, err = unix.SendmsgBuffers(c.fd, [][]byte{p, tail}, oob, nil, unix.MSG_NOSIGNAL)
		}
		if err != unix.EINTR {
			return Errno(err)
		}
	}
}

// Recv receives one packet into p and returns its length and the descriptor
// that came with it, or -1. A packet with more than one is EPROTO; see RecvAll.
func (c *Conn) Recv(p []byte) (int, int, linux.Errno) {
	n, fds, e := c.RecvAll(p)
	switch {
	case e != 0:
		return 0, -1, e
	case len(fds) == 0:
		return n, -1, 0
	case len(fds) > 1:
		CloseAll(fds)
		return 0, -1, linux.EPROTO
	}
	return n, fds[0], 0
}

// RecvAll receives one packet into p and returns its length and the descriptors
// that came with it. A packet larger than p, with more than MaxFDs descriptors
// or with other control data is EPROTO; the end of the connection is EPIPE. If there
// was no room for all descriptors, in the control data or in this process, it is the
// packet's length and ENFILE. No descriptor is leaked in any case.
func (c *Conn) RecvAll(p []byte) (int, []int, linux.Errno) {
	// Room for more, so that one too many is seen and refused.
	var oob [unix.SizeofCmsghdr + 4*(MaxFDs+4)]byte
	for {
		n, on, flags, _, err := unix.Recvmsg(c.fd, p, oob[:], unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, nil, Errno(err)
		}
		fds, ok := rights(oob[:on])
		if ok && flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) == 0 {
			if n == 0 && len(fds) == 0 {
				return 0, nil, linux.EPIPE
			}
			return n, fds, 0
		}
		CloseAll(fds)
		if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) == unix.MSG_CTRUNC {
			return n, nil, linux.ENFILE
		}
		return 0, nil, linux.EPROTO
	}
}

// rights takes the descriptors out of control data, and reports whether there
// was nothing else and not too many.
func rights(oob []byte) (fds []int, ok bool) {
	if len(oob) == 0 {
		return nil, true
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, false
	}
	ok = true
	for i := range msgs {
		got, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			ok = false
			continue
		}
		fds = append(fds, got...)
	}
	return fds, ok && len(fds) <= MaxFDs
}

// CloseAll closes descriptors.
func CloseAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
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
