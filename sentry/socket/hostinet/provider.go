package hostinet

import (
	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/sentry/file/hostfd"
	"cordon/sentry/socket"
	"cordon/sentry/vfs"
)

// A Provider makes sockets of the host.
type Provider struct {
	// immutable
	notifier *hostfd.Notifier
}

var _ socket.Provider = (*Provider)(nil)

// NewProvider returns a provider whose sockets hear of the host's events from n.
func NewProvider(n *hostfd.Notifier) *Provider { return &Provider{notifier: n} }

// Families implements socket.Provider.
func (*Provider) Families() []linux.AddressFamily {
	return []linux.AddressFamily{linux.AF_INET, linux.AF_INET6}
}

// A kind is a sort of socket that there is.
type kind struct {
	Family   linux.AddressFamily
	Type     linux.SockType
	Protocol linux.IPProto
}

// kinds lists them.
func kinds() []kind {
	return []kind{
		{linux.AF_INET, linux.SOCK_STREAM, linux.IPPROTO_TCP},
		{linux.AF_INET, linux.SOCK_DGRAM, linux.IPPROTO_UDP},
		{linux.AF_INET, linux.SOCK_DGRAM, linux.IPPROTO_ICMP},
		{linux.AF_INET6, linux.SOCK_STREAM, linux.IPPROTO_TCP},
		{linux.AF_INET6, linux.SOCK_DGRAM, linux.IPPROTO_UDP},
		{linux.AF_INET6, linux.SOCK_DGRAM, linux.IPPROTO_ICMPV6},
	}
}

// NewSocket implements socket.Provider.
func (p *Provider) NewSocket(_ *vfs.Caller, ns *socket.Namespace, family linux.AddressFamily, typ linux.SockType, protocol int32) (socket.Socket, error) {
	k, err := choose(family, typ, protocol)
	if err != nil {
		return nil, err
	}
	fd, err := newSocket(int(k.Family), int(k.Type), int(k.Protocol))
	if err != nil {
		return nil, err
	}
	return p.wrap(ns, socket.Info{Family: family, Type: typ, Protocol: int32(k.Protocol)}, fd, false)
}

// choose finds the kind that socket(2)'s arguments mean.
func choose(family linux.AddressFamily, typ linux.SockType, protocol int32) (kind, error) {
	const protoMax = 263
	if protocol < 0 || protocol >= protoMax {
		return kind{}, linux.EINVAL
	}
	known := false
	for _, k := range kinds() {
		if k.Family != family || k.Type != typ {
			continue
		}
		known = true
		if protocol == 0 || linux.IPProto(protocol) == k.Protocol { // the first of a type is its default
			return k, nil
		}
	}
	switch {
	case known:
		return kind{}, linux.EPROTONOSUPPORT
	case typ == linux.SOCK_RAW:
		return kind{}, linux.EPERM
	}
	return kind{}, linux.ESOCKTNOSUPPORT
}

// wrap makes a Socket of a host descriptor, which it takes over in any case.
func (p *Provider) wrap(ns *socket.Namespace, i socket.Info, fd int, passed bool) (*Socket, error) {
	s, err := p.newSocket(ns, i, fd, passed)
	if err != nil {
		_ = unix.Close(fd)
	}
	return s, err
}

// newSocket makes a Socket of a host descriptor, which it takes over where it succeeds. One that is passed on is not listed:
// it is not of the namespace's network.
func (p *Provider) newSocket(ns *socket.Namespace, i socket.Info, fd int, passed bool) (*Socket, error) {
	s := &Socket{fd: fd, provider: p, passed: passed}
	s.Init(ns, i, s)
	if !p.notifier.Watch(fd, s.Queue()) {
		return nil, linux.ENOMEM
	}
	if !passed {
		ns.Add(s)
	}
	return s, nil
}
