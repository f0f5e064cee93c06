package socket

import (
	"cordon/internal/linux"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// Address is a struct sockaddr as the guest gave it or gets it, with the family in its first two bytes. nil: none.
type Address []byte

// Info is what socket(2) was given.
type Info struct {
	Family   linux.AddressFamily
	Type     linux.SockType
	Protocol int32
}

// A Socket is the File of a socket's description.
type Socket interface {
	vfs.File
	vfs.Poller
	Namer
	Connector
	Mover
	Optioner
}

// A Namer has names for its ends.
type Namer interface {
	Info() Info
	Bind(c *vfs.Caller, a Address) error
	LocalName() (Address, error)
	PeerName() (Address, error)
}

// A Connector makes and ends connections; see the package comment for what Connect returns.
type Connector interface {
	Connect(c *vfs.Caller, a Address) error
	// ConnectResult is how a Connect that returned EINPROGRESS went: EAGAIN while it is under way.
	ConnectResult() error
	Listen(c *vfs.Caller, backlog int) error
	Accept(c *vfs.Caller) (Socket, Address, error)
	Shutdown(how linux.ShutdownHow) error
}

// A Mover sends and receives.
type Mover interface {
	Send(c *vfs.Caller, m *Outgoing) (int, error)
	Receive(c *vfs.Caller, m *Incoming) (int, error)
}

// An Optioner has options. Get answers with at most size bytes.
type Optioner interface {
	GetOption(c *vfs.Caller, level linux.SockLevel, opt int32, size int) ([]byte, error)
	SetOption(c *vfs.Caller, level linux.SockLevel, opt int32, value []byte) error
	// Timeouts are SO_RCVTIMEO and SO_SNDTIMEO in nanoseconds, NoTimeout when not set. Accept waits as long as Receive,
	// Connect as long as Send.
	Timeouts() (receive, send int64)
}

// An Asker is an Optioner some of whose options look at what is in the buffer that getsockopt(2) has for the answer.
type Asker interface {
	// Asks reports whether AskOption is to be called instead of GetOption.
	Asks(level linux.SockLevel, opt int32) bool
	// AskOption is GetOption with what was in the buffer.
	AskOption(c *vfs.Caller, level linux.SockLevel, opt int32, value []byte, size int) ([]byte, error)
}

// Outgoing is one message to send. Data is consumed as far as it was sent. Control is the socket's when Send returns, with
// or without an error.
type Outgoing struct {
	To      Address
	Control *Control
	Flags   linux.MsgFlags
	Data    *usermem.Seq
}

// Incoming asks for one message. Receive fills From, OutFlags and Control; the caller then calls Control.Build, or
// Control.Release when nobody takes it.
type Incoming struct {
	Flags  linux.MsgFlags
	Data   *usermem.Seq
	NoFrom bool // From may stay empty: nobody looks at it

	From     Address
	OutFlags linux.MsgFlags
	Control  Received
}

// NewDescription makes the description of a new socket; flags may have O_NONBLOCK. Where it ends, the socket does.
func NewDescription(v *vfs.VFS, c *vfs.Caller, s Socket, flags linux.OpenFlags) *vfs.Description {
	i := v.NewAnonInode(c, linux.S_IFSOCK|0o777, nil)
	return v.NewPseudoFile(c, s, "socket", i, linux.O_RDWR|flags&linux.O_NONBLOCK)
}

// Of returns the socket behind a description, or ENOTSOCK.
func Of(d *vfs.Description) (Socket, error) {
	if s, ok := d.File().(Socket); ok {
		return s, nil
	}
	return nil, linux.ENOTSOCK
}

// WaitsForAll reports whether Receive has to be called until Data is full: MSG_WAITALL on a stream.
func WaitsForAll(i Info, f linux.MsgFlags) bool {
	return i.Type == linux.SOCK_STREAM && f&linux.MSG_WAITALL != 0 && f&(linux.MSG_PEEK|linux.MSG_DONTWAIT) == 0
}

// LooksAtCaller reports whether Send and Receive of a family use their caller: an inet socket's rights were settled when it
// was made, and to say who calls costs as much as a small message.
func LooksAtCaller(i Info) bool { return i.Family != linux.AF_INET && i.Family != linux.AF_INET6 }

// RaisesSIGPIPE reports whether an EPIPE of Send is to be told by a signal too.
func RaisesSIGPIPE(i Info, f linux.MsgFlags) bool {
	return i.Type == linux.SOCK_STREAM && f&linux.MSG_NOSIGNAL == 0
}
