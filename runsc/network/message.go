package network

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// The Sentry and the broker speak over a SEQPACKET socket: one message of at most maxMessage bytes in a packet, with at most
// one descriptor.

// An op says what a message is about.
type op uint8

const (
	opStream  op = iota + 1 // to the broker: connect To; back: Errno, or a connected socket
	opFlow                  // to the broker: a flow of UDP to To; back: Errno, or a socket of datagrams
	opEcho                  // to the broker: an echo request from From to To; back: the reply
	opInbound               // to the Sentry: a connection from From for port To, with its socket
	opArrived               // to the Sentry: a flow of UDP from From for port To, with its socket of datagrams
	opLast    = opArrived
)

// maxMessage is the largest message: an echo of a full packet.
const maxMessage = 65536 + 64

// A message is what either side says.
type message struct {
	Op       op
	ID       uint32 // the Sentry's, for answers
	Errno    unix.Errno
	From, To netip.AddrPort
	Data     []byte
	FD       int // -1 for none
}

// headerSize is an encoded message's without Data: op, family flags, id, errno, two addresses with ports.
const headerSize = 1 + 1 + 4 + 4 + 2*(16+2)

var errMessage = errors.New("a malformed message")

func (m *message) encode() []byte {
	b := make([]byte, headerSize, headerSize+len(m.Data))
	b[0] = byte(m.Op)
	binary.LittleEndian.PutUint32(b[2:], m.ID)
	binary.LittleEndian.PutUint32(b[6:], uint32(m.Errno))
	for i, a := range []netip.AddrPort{m.From, m.To} {
		at := b[10+18*i:]
		if a.Addr().Is6() && !a.Addr().Is4In6() {
			b[1] |= 1 << i
		}
		if a.Addr().IsValid() {
			ip := a.Addr().As16()
			copy(at, ip[:])
		}
		binary.LittleEndian.PutUint16(at[16:], a.Port())
	}
	return append(b, m.Data...)
}

func decode(b []byte) (m message, err error) {
	if len(b) < headerSize || b[0] == 0 || op(b[0]) > opLast || b[1] > 3 {
		return m, errMessage
	}
	m = message{Op: op(b[0]), ID: binary.LittleEndian.Uint32(b[2:]), Errno: unix.Errno(binary.LittleEndian.Uint32(b[6:])), FD: -1}
	for i, a := range []*netip.AddrPort{&m.From, &m.To} {
		at := b[10+18*i:]
		ip := netip.AddrFrom16([16]byte(at))
		v6 := b[1]>>i&1 != 0
		if v6 && ip.Is4In6() {
			return message{FD: -1}, errMessage // an IPv4 address in disguise
		}
		if !v6 {
			ip = ip.Unmap()
			if !ip.Is4() {
				ip = netip.Addr{}
			}
		}
		*a = netip.AddrPortFrom(ip, binary.LittleEndian.Uint16(at[16:]))
	}
	m.Data = append([]byte(nil), b[headerSize:]...)
	return m, nil
}

// A channel is one side's socket.
type channel struct {
	file *os.File
	conn syscall.RawConn
}

func newChannel(fd int) (*channel, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "broker")
	c, err := f.SyscallConn()
	return &channel{f, c}, err
}

func (c *channel) close() { c.file.Close() }

// send sends a message, and its descriptor along, which stays the caller's.
func (c *channel) send(m *message) error { return c.sendRaw(m.encode(), m.FD) }

func (c *channel) sendRaw(b []byte, right int) error {
	if len(b) > maxMessage {
		return errMessage
	}
	var rights []byte
	if right >= 0 {
		rights = unix.UnixRights(right)
	}
	var failure error
	err := c.conn.Write(func(fd uintptr) bool {
		failure = unix.Sendmsg(int(fd), b, rights, nil, unix.MSG_NOSIGNAL)
		return failure != unix.EAGAIN && failure != unix.EINTR
	})
	return errors.Join(err, failure)
}

// sendJSON and receiveJSON are for those who have more to say, and less often.
func (c *channel) sendJSON(v any, right int) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.sendRaw(b, right)
}

func (c *channel) receiveJSON(v any) (fd int, err error) {
	b, fd, err := c.receiveRaw(make([]byte, maxSwitchWords))
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		closeFD(fd)
		return -1, err
	}
	return fd, nil
}

// try is send without a descriptor, if there is room.
func (c *channel) try(m *message) error {
	b := m.encode()
	if len(b) > maxMessage {
		return errMessage
	}
	failure := error(unix.EAGAIN)
	err := c.conn.Control(func(fd uintptr) {
		failure = unix.Sendmsg(int(fd), b, nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
	})
	return errors.Join(err, failure)
}

// receive waits for a message. buf has maxMessage bytes.
func (c *channel) receive(buf []byte) (message, error) {
	b, fd, err := c.receiveRaw(buf)
	if err != nil {
		return message{}, err
	}
	m, err := decode(b)
	if err != nil {
		closeFD(fd)
		return m, err
	}
	m.FD = fd
	return m, nil
}

// receiveRaw waits for what one send sent.
func (c *channel) receiveRaw(buf []byte) (b []byte, right int, err error) {
	var n, oobn int
	var failure error
	oob := make([]byte, unix.CmsgSpace(4))
	err = c.conn.Read(func(fd uintptr) bool {
		n, oobn, _, _, failure = unix.Recvmsg(int(fd), buf, oob, unix.MSG_CMSG_CLOEXEC)
		return failure != unix.EAGAIN && failure != unix.EINTR
	})
	if err = errors.Join(err, failure); err != nil {
		return nil, -1, err
	}
	right = descriptor(oob[:oobn])
	if n == 0 {
		closeFD(right)
		return nil, -1, io.EOF
	}
	return buf[:n], right, nil
}

func descriptor(oob []byte) int {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return -1
	}
	for _, m := range msgs {
		if fds, err := unix.ParseUnixRights(&m); err == nil && len(fds) > 0 {
			for _, extra := range fds[1:] {
				unix.Close(extra)
			}
			return fds[0]
		}
	}
	return -1
}

func closeFD(fd int) {
	if fd >= 0 {
		unix.Close(fd)
	}
}
