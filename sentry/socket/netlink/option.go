package netlink

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/sentry/socket"
	"cordon/sentry/vfs"
)

// maxGroup is the highest multicast group that can be joined.
const maxGroup = 63

func flagRow(opt int32, name string, f flags, need linux.Capability, s socket.Support, note string) socket.Row[*Socket] {
	return socket.Row[*Socket]{
		Level: linux.SOL_NETLINK, Opt: opt, Name: name, Support: s, Note: note,
		Get: func(s *Socket, c *socket.OptionCall) error {
			s.mu.Lock()
			on := s.flags&f != 0
			s.mu.Unlock()
			return c.PutFlag(on)
		},
		Set: func(s *Socket, c *socket.OptionCall) error {
			on, err := c.Flag()
			if err != nil {
				return err
			}
			if need != 0 && !s.Namespace().Capable(c.Caller, need) {
				return linux.EPERM
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.flags &^= f
			if on {
				s.flags |= f
			}
			return nil
		},
	}
}

// Options is the table of SOL_NETLINK. It does not change.
var Options = socket.NewTable([]socket.Row[*Socket]{
	flagRow(linux.NETLINK_PKTINFO, "NETLINK_PKTINFO", pktInfo, 0, socket.Full, ""),
	flagRow(linux.NETLINK_BROADCAST_ERROR, "NETLINK_BROADCAST_ERROR", broadcastError, 0, socket.Partial, "kept; there are no broadcasts between processes"),
	flagRow(linux.NETLINK_NO_ENOBUFS, "NETLINK_NO_ENOBUFS", noENOBUFS, 0, socket.Full, ""),
	flagRow(linux.NETLINK_CAP_ACK, "NETLINK_CAP_ACK", capAck, 0, socket.Full, ""),
	flagRow(linux.NETLINK_EXT_ACK, "NETLINK_EXT_ACK", extAck, 0, socket.Full, ""),
	flagRow(linux.NETLINK_GET_STRICT_CHK, "NETLINK_GET_STRICT_CHK", strictCheck, 0, socket.Partial, "filters of dumps by interface and table work, malformed ones are not refused"),
	flagRow(linux.NETLINK_LISTEN_ALL_NSID, "NETLINK_LISTEN_ALL_NSID", listenAll, linux.CAP_NET_BROADCAST, socket.Partial, "kept; other namespaces are not heard"),
	{Level: linux.SOL_NETLINK, Opt: linux.NETLINK_ADD_MEMBERSHIP, Name: "NETLINK_ADD_MEMBERSHIP", Set: setMember(true), Support: socket.Full},
	{Level: linux.SOL_NETLINK, Opt: linux.NETLINK_DROP_MEMBERSHIP, Name: "NETLINK_DROP_MEMBERSHIP", Set: setMember(false), Support: socket.Full},
	{Level: linux.SOL_NETLINK, Opt: linux.NETLINK_LIST_MEMBERSHIPS, Name: "NETLINK_LIST_MEMBERSHIPS", Get: listMembers, Support: socket.Full},
	{Level: linux.SOL_NETLINK, Opt: linux.NETLINK_RX_RING, Name: "NETLINK_RX_RING"},
	{Level: linux.SOL_NETLINK, Opt: linux.NETLINK_TX_RING, Name: "NETLINK_TX_RING"},
})

func setMember(on bool) func(*Socket, *socket.OptionCall) error {
	return func(s *Socket, c *socket.OptionCall) error {
		g, err := c.Int()
		if err != nil {
			return err
		}
		if g < 1 || g > maxGroup {
			return linux.EINVAL
		}
		s.autobind(c.Caller)
		s.mu.Lock()
		defer s.mu.Unlock()
		if on {
			s.groups |= 1 << (g - 1)
		} else {
			s.groups &^= 1 << (g - 1)
		}
		return nil
	}
}

func listMembers(s *Socket, c *socket.OptionCall) error {
	return c.Put(binary.LittleEndian.AppendUint64(nil, s.Groups()))
}

// GetOption implements socket.Optioner.
func (s *Socket) GetOption(c *vfs.Caller, level linux.SockLevel, opt int32, size int) ([]byte, error) {
	call := &socket.OptionCall{Caller: c, Opt: opt, Size: size}
	return Options.GetOrCommon(s, &s.Base, level, call)
}

// SetOption implements socket.Optioner.
func (s *Socket) SetOption(c *vfs.Caller, level linux.SockLevel, opt int32, value []byte) error {
	call := &socket.OptionCall{Caller: c, Opt: opt, Value: value}
	return Options.SetOrCommon(s, &s.Base, level, call)
}
