package inet

import (
	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// A Provider makes inet sockets on the namespace's stack.
type Provider struct{}

var _ socket.Provider = Provider{}

// Families implements socket.Provider.
func (Provider) Families() []linux.AddressFamily {
	return []linux.AddressFamily{linux.AF_INET, linux.AF_INET6}
}

// NewSocket implements socket.Provider.
func (Provider) NewSocket(c *vfs.Caller, ns *socket.Namespace, family linux.AddressFamily, typ linux.SockType, protocol int32) (socket.Socket, error) {
	if ns.Stack == nil {
		return nil, linux.EAFNOSUPPORT
	}
	v6 := family == linux.AF_INET6
	kind, proto, err := choose(c, ns, v6, typ, protocol)
	if err != nil {
		return nil, err
	}
	f := netstack.IPv4
	if v6 {
		f = netstack.IPv6
	}
	ep, err := ns.Stack.NewEndpoint(kind, f, uint8(proto))
	if err != nil {
		return nil, err
	}
	if c != nil && c.Cred != nil {
		ep.SetOwner(c.Cred.FSUID, c.Cred.FSGID)
	}
	return newSocket(ns, socket.Info{Family: family, Type: typ, Protocol: proto}, ep), nil
}

// choose finds the kind and the protocol that socket(2)'s arguments mean.
func choose(c *vfs.Caller, ns *socket.Namespace, v6 bool, typ linux.SockType, protocol int32) (netstack.Kind, int32, error) {
	const protoMax = 263
	if protocol < 0 || protocol >= protoMax {
		return 0, 0, linux.EINVAL
	}
	p := linux.IPProto(protocol)
	icmp := linux.IPPROTO_ICMP
	if v6 {
		icmp = linux.IPPROTO_ICMPV6
	}
	switch typ {
	case linux.SOCK_STREAM:
		if p == 0 || p == linux.IPPROTO_TCP {
			return netstack.TCP, int32(linux.IPPROTO_TCP), nil
		}
		return 0, 0, linux.EPROTONOSUPPORT
	case linux.SOCK_DGRAM:
		switch p {
		case 0, linux.IPPROTO_UDP:
			return netstack.UDP, int32(linux.IPPROTO_UDP), nil
		case icmp:
			if !mayPing(c, ns) {
				return 0, 0, linux.EACCES
			}
			return netstack.Ping, protocol, nil
		}
		return 0, 0, linux.EPROTONOSUPPORT
	case linux.SOCK_RAW:
		if !ns.Capable(c, linux.CAP_NET_RAW) {
			return 0, 0, linux.EPERM
		}
		if p == 0 || p > linux.IPPROTO_RAW {
			return 0, 0, linux.EPROTONOSUPPORT
		}
		return netstack.Raw, protocol, nil
	}
	return 0, 0, linux.ESOCKTNOSUPPORT
}

// mayPing asks net.ipv4.ping_group_range; for the kernel itself there is no question.
func mayPing(c *vfs.Caller, ns *socket.Namespace) bool {
	if c == nil || c.Cred == nil {
		return true
	}
	k := ns.Knobs()
	if c.Cred.EGID >= k.PingLow && c.Cred.EGID <= k.PingHigh {
		return true
	}
	for _, g := range c.Cred.Groups {
		if g >= k.PingLow && g <= k.PingHigh {
			return true
		}
	}
	return false
}

func newSocket(ns *socket.Namespace, i socket.Info, ep *netstack.Endpoint) *Socket {
	s := &Socket{}
	s.cur.Store(ep)
	s.Init(ns, i, s)
	ns.Add(s)
	ep.Attach(s.notify)
	return s
}

func (s *Socket) notify(e netstack.Events) {
	// What the stack calls an event may be told to the guest under another name (see Readiness): whoever waits for any of
	// them looks again.
	ev := wait.Events(e)
	if ev&(wait.In|wait.RdNorm) != 0 {
		ev |= readable | wait.RdHup
	}
	if ev&(wait.Err|wait.Hup) != 0 {
		ev |= readable | writable | wait.RdHup | wait.Hup
	}
	if ev&(wait.Out|wait.WrNorm) != 0 {
		ev |= writable
	}
	s.Queue().Notify(ev)
}
