package inet

import (
	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/netfilter"
	"cordon/sentry/socket"
	"cordon/sentry/vfs"
)

// Options of the old interface of iptables: of a raw socket at SOL_IP or SOL_IPV6 (ip_tables.h). To get and to set have the
// same numbers.
const (
	iptBase     = 64
	iptInfo     = 64 // to get; to set: replace
	iptEntries  = 65 // to get; to set: add counters
	iptMatches  = 66
	iptTargets  = 67
	ip6tMatches = 68
	ip6tTargets = 69
)

// isTables says whether an option is of iptables.
func (s *Socket) isTables(level linux.SockLevel, opt int32) bool {
	return s.ep().Kind() == netstack.Raw && opt >= iptBase && opt <= ip6tTargets &&
		(level == linux.SOL_IP && !s.v6() || level == linux.SOL_IPV6 && s.v6())
}

func (s *Socket) tablesFamily() uint8 {
	if s.v6() {
		return uint8(linux.AF_INET6)
	}
	return uint8(linux.AF_INET)
}

// Asks implements socket.Asker.
func (s *Socket) Asks(level linux.SockLevel, opt int32) bool { return s.isTables(level, opt) }

// AskOption implements socket.Asker.
func (s *Socket) AskOption(c *vfs.Caller, _ linux.SockLevel, opt int32, value []byte, _ int) ([]byte, error) {
	if !s.Namespace().Capable(c, linux.CAP_NET_ADMIN) {
		return nil, linux.EPERM
	}
	matches, targets := int32(iptMatches), int32(iptTargets)
	if s.v6() {
		matches, targets = ip6tMatches, ip6tTargets
	}
	var out []byte
	var errno linux.Errno
	switch rs := s.Namespace().Filter(); opt {
	case iptInfo:
		out, errno = rs.LegacyInfo(s.tablesFamily(), value)
	case iptEntries:
		out, errno = rs.LegacyEntries(s.tablesFamily(), value)
	case matches, targets:
		out, errno = value, netfilter.LegacyRevision(value, opt == targets)
	default:
		return nil, linux.ENOPROTOOPT
	}
	if errno != 0 {
		return nil, errno
	}
	return out, nil
}

// setTables is setsockopt of iptables.
func (s *Socket) setTables(c *socket.OptionCall) error {
	if !s.Namespace().Capable(c.Caller, linux.CAP_NET_ADMIN) {
		return linux.EPERM
	}
	var errno linux.Errno
	switch rs := s.Namespace().Filter(); c.Opt {
	case iptInfo:
		errno = rs.LegacyReplace(s.tablesFamily(), c.Value)
	case iptEntries:
		errno = rs.LegacyAddCounters(s.tablesFamily(), c.Value)
	default:
		errno = linux.ENOPROTOOPT
	}
	if errno != 0 {
		return errno
	}
	return nil
}
