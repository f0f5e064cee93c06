package unix

import (
	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/socket"
	"cordon/sentry/vfs"
)

// MaxInFlight is how many descriptors one user may have in messages (ETOOMANYREFS).
const MaxInFlight = 1 << 16

// MaxQueue is how many datagrams of strangers wait at a socket: net.unix.max_dgram_qlen.
const MaxQueue = 10

// A Provider makes unix sockets.
type Provider struct {
	mu lock.Mutex[lock.SocketFlight]
	// guarded by mu
	bound    map[fileID]*Socket // by the inode bind(2) made
	flight   map[*Socket]int    // how often a socket is in a message
	users    map[uint32]int     // descriptors in messages, by sender's uid
	dropping bool               // somebody is emptying dropped
	dropped  []*vfs.Description
}

var (
	_ socket.Provider     = (*Provider)(nil)
	_ socket.PairProvider = (*Provider)(nil)
)

// fileID is a socket's inode: two inode objects of one file compare equal.
type fileID struct{ dev, ino uint64 }

// NewProvider returns the provider of a kernel.
func NewProvider() *Provider {
	return &Provider{bound: make(map[fileID]*Socket), flight: make(map[*Socket]int), users: make(map[uint32]int)}
}

// Families implements socket.Provider.
func (p *Provider) Families() []linux.AddressFamily { return []linux.AddressFamily{linux.AF_UNIX} }

func checkType(typ linux.SockType, protocol int32) (linux.SockType, error) {
	if protocol != 0 && protocol != int32(linux.AF_UNIX) {
		return 0, linux.EPROTONOSUPPORT
	}
	switch typ {
	case linux.SOCK_STREAM, linux.SOCK_DGRAM, linux.SOCK_SEQPACKET:
		return typ, nil
	case linux.SOCK_RAW:
		return linux.SOCK_DGRAM, nil // as in Linux
	}
	return 0, linux.ESOCKTNOSUPPORT
}

// NewSocket implements socket.Provider.
func (p *Provider) NewSocket(_ *vfs.Caller, ns *socket.Namespace, _ linux.AddressFamily, typ linux.SockType, protocol int32) (socket.Socket, error) {
	typ, err := checkType(typ, protocol)
	if err != nil {
		return nil, err
	}
	return p.newSocket(ns, typ), nil
}

// NewPair implements socket.PairProvider.
func (p *Provider) NewPair(c *vfs.Caller, ns *socket.Namespace, typ linux.SockType, protocol int32) (x, y socket.Socket, err error) {
	typ, err = checkType(typ, protocol)
	if err != nil {
		return nil, nil, err
	}
	a, b := p.newSocket(ns, typ), p.newSocket(ns, typ)
	who := peerOf(c)
	a.peer, b.peer = b, a
	a.who, b.who = who, who
	if typ != linux.SOCK_DGRAM {
		a.state, b.state = connected, connected
	}
	return a, b, nil
}

func (p *Provider) newSocket(ns *socket.Namespace, typ linux.SockType) *Socket {
	s := &Socket{provider: p}
	s.Init(ns, socket.Info{Family: linux.AF_UNIX, Type: typ}, s)
	ns.Add(s)
	return s
}

// peerOf is what SO_PEERCRED and SO_PEERGROUPS tell about whoever acts now.
func peerOf(c *vfs.Caller) *peer {
	out := &peer{creds: socket.CredsOf(c)}
	if c != nil {
		out.groups = c.Cred.Groups
	}
	return out
}
