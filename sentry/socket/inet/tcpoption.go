package inet

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
)

func tcpRow(o linux.TCPOpt, get, set func(*Socket, *socket.OptionCall) error) row {
	return row{Level: linux.SOL_TCP, Opt: int32(o), Name: o.String(), Get: get, Set: set, Support: socket.Full}
}

var tcpOptions = []row{
	tcpRow(linux.TCP_NODELAY,
		func(s *Socket, c *socket.OptionCall) error { return c.PutInt(boolInt(!s.ep().Flag(netstack.Delay))) },
		setSwitch(func(s *Socket, on bool) { s.ep().SetFlag(netstack.Delay, !on) })),
	tcpRow(linux.TCP_CORK,
		func(s *Socket, c *socket.OptionCall) error { return c.PutInt(boolInt(s.ep().Flag(netstack.Cork))) },
		setSwitch(func(s *Socket, on bool) { s.ep().SetFlag(netstack.Cork, on) })),
	tcpRow(linux.TCP_QUICKACK,
		func(s *Socket, c *socket.OptionCall) error { return c.PutInt(boolInt(s.ep().Flag(netstack.QuickAck))) },
		setSwitch(func(s *Socket, on bool) { s.ep().SetFlag(netstack.QuickAck, on) })),
	intRow(linux.SOL_TCP, int32(linux.TCP_MAXSEG), "TCP_MAXSEG", netstack.MaxSeg, 88, 32767),
	intRow(linux.SOL_TCP, int32(linux.TCP_KEEPCNT), "TCP_KEEPCNT", netstack.KeepCount, 1, 127),
	intRow(linux.SOL_TCP, int32(linux.TCP_SYNCNT), "TCP_SYNCNT", netstack.SynCount, 1, 127),
	intRow(linux.SOL_TCP, int32(linux.TCP_WINDOW_CLAMP), "TCP_WINDOW_CLAMP", netstack.WindowClamp, 0, math.MaxInt32),
	tcpRow(linux.TCP_KEEPIDLE, getTime(netstack.KeepIdle, time.Second), setTime(netstack.KeepIdle, time.Second, 1, 32767)),
	tcpRow(linux.TCP_KEEPINTVL, getTime(netstack.KeepInterval, time.Second), setTime(netstack.KeepInterval, time.Second, 1, 32767)),
	tcpRow(linux.TCP_USER_TIMEOUT, getTime(netstack.UserTimeout, time.Millisecond), setTime(netstack.UserTimeout, time.Millisecond, 0, math.MaxInt32)),
	tcpRow(linux.TCP_LINGER2, getTime(netstack.Linger2, time.Second), setTime(netstack.Linger2, time.Second, math.MinInt32, math.MaxInt32)),
	tcpRow(linux.TCP_DEFER_ACCEPT, getTime(netstack.DeferAccept, time.Second), setTime(netstack.DeferAccept, time.Second, math.MinInt32, math.MaxInt32)),
	tcpRow(linux.TCP_CONGESTION, getCongestion, setCongestion),
	{Level: linux.SOL_TCP, Opt: int32(linux.TCP_INFO), Name: "TCP_INFO", Get: getTCPInfo, Support: socket.Partial, Note: "what the stack does not count is 0"},
	tcpRow(linux.TCP_IS_MPTCP, func(_ *Socket, c *socket.OptionCall) error { return c.PutInt(0) }, nil),
	{Level: linux.SOL_TCP, Opt: int32(linux.TCP_ULP), Name: "TCP_ULP", Get: getNothing, Set: func(*Socket, *socket.OptionCall) error { return linux.ENOENT }},
	tcpRow(linux.TCP_FASTOPEN, func(s *Socket, c *socket.OptionCall) error { return c.PutInt(int(s.fastOpen.Load())) }, setFastOpen),
	tcpRow(linux.TCP_FASTOPEN_CONNECT, func(s *Socket, c *socket.OptionCall) error { return c.PutInt(boolInt(s.fastConnect.Load())) }, setFastConnect),
}

var tcpAbsent = absent(linux.SOL_TCP, map[int32]string{
	int32(linux.TCP_MD5SIG): "TCP_MD5SIG", int32(linux.TCP_MD5SIG_EXT): "TCP_MD5SIG_EXT", int32(linux.TCP_REPAIR): "TCP_REPAIR",
	int32(linux.TCP_REPAIR_QUEUE): "TCP_REPAIR_QUEUE", int32(linux.TCP_QUEUE_SEQ): "TCP_QUEUE_SEQ", int32(linux.TCP_REPAIR_OPTIONS): "TCP_REPAIR_OPTIONS",
	int32(linux.TCP_REPAIR_WINDOW): "TCP_REPAIR_WINDOW", int32(linux.TCP_FASTOPEN_KEY): "TCP_FASTOPEN_KEY",
	int32(linux.TCP_FASTOPEN_NO_COOKIE): "TCP_FASTOPEN_NO_COOKIE", int32(linux.TCP_TIMESTAMP): "TCP_TIMESTAMP",
	int32(linux.TCP_NOTSENT_LOWAT): "TCP_NOTSENT_LOWAT", int32(linux.TCP_CC_INFO): "TCP_CC_INFO", int32(linux.TCP_SAVE_SYN): "TCP_SAVE_SYN",
	int32(linux.TCP_SAVED_SYN): "TCP_SAVED_SYN", int32(linux.TCP_ZEROCOPY_RECEIVE): "TCP_ZEROCOPY_RECEIVE", int32(linux.TCP_INQ): "TCP_INQ",
	int32(linux.TCP_TX_DELAY): "TCP_TX_DELAY", int32(linux.TCP_THIN_LINEAR_TIMEOUTS): "TCP_THIN_LINEAR_TIMEOUTS",
	int32(linux.TCP_THIN_DUPACK): "TCP_THIN_DUPACK", int32(linux.TCP_AO_ADD_KEY): "TCP_AO_ADD_KEY", int32(linux.TCP_AO_DEL_KEY): "TCP_AO_DEL_KEY",
	int32(linux.TCP_AO_INFO): "TCP_AO_INFO", int32(linux.TCP_AO_GET_KEYS): "TCP_AO_GET_KEYS", int32(linux.TCP_AO_REPAIR): "TCP_AO_REPAIR",
})

// setFastOpen sets how many connections may begin with data. As with Linux's default of net.ipv4.tcp_fastopen, a listener
// gives no cookies out, so that none does.
func setFastOpen(s *Socket, c *socket.OptionCall) error {
	v, err := c.Int()
	if err != nil {
		return err
	}
	if st := s.ep().State(); v < 0 || st != netstack.StateClose && st != netstack.StateListen {
		return linux.EINVAL
	}
	s.fastOpen.Store(min(int32(v), s.Namespace().Knobs().Somaxconn))
	return nil
}

// setFastConnect has connect(2) wait for data if there is a cookie of the peer's. There never is, and then it connects at
// once, as in Linux.
func setFastConnect(s *Socket, c *socket.OptionCall) error {
	v, err := c.Int()
	if err != nil {
		return err
	}
	if v < 0 || v > 1 || s.ep().State() != netstack.StateClose {
		return linux.EINVAL
	}
	s.fastConnect.Store(v == 1)
	return nil
}

func setSwitch(set func(*Socket, bool)) func(*Socket, *socket.OptionCall) error {
	return func(s *Socket, c *socket.OptionCall) error {
		on, err := c.Flag()
		if err == nil {
			set(s, on)
		}
		return err
	}
}

func getTime(o netstack.Time, unit time.Duration) func(*Socket, *socket.OptionCall) error {
	return func(s *Socket, c *socket.OptionCall) error {
		d, err := s.ep().Time(o)
		if err != nil {
			return err
		}
		if d < 0 {
			return c.PutInt(-1)
		}
		return c.PutInt(int(d / unit))
	}
}

func setTime(o netstack.Time, unit time.Duration, lo, hi int) func(*Socket, *socket.OptionCall) error {
	return func(s *Socket, c *socket.OptionCall) error {
		v, err := c.Int()
		if err != nil {
			return err
		}
		if v < lo || v > hi {
			return linux.EINVAL
		}
		if o == netstack.DeferAccept {
			v = max(v, 0)
		}
		return s.ep().SetTime(o, time.Duration(v)*unit)
	}
}

// congestionMax is TCP_CA_NAME_MAX.
const congestionMax = 16

func getCongestion(s *Socket, c *socket.OptionCall) error {
	name, err := s.ep().Congestion()
	if err != nil {
		return err
	}
	b := make([]byte, congestionMax)
	copy(b, name)
	return c.Put(b)
}

func setCongestion(s *Socket, c *socket.OptionCall) error {
	if len(c.Value) < 1 {
		return linux.EINVAL
	}
	name, _, _ := bytes.Cut(c.Value[:min(len(c.Value), congestionMax-1)], []byte{0})
	return s.ep().SetCongestion(string(name))
}

func getTCPInfo(s *Socket, c *socket.OptionCall) error {
	t, err := s.ep().TCPInfo()
	if err != nil {
		return err
	}
	us := func(d time.Duration) uint32 { return uint32(min(d.Microseconds(), math.MaxUint32)) }
	i := linux.TCPInfo{
		State: uint8(t.State), CaState: t.CAState, Rto: us(t.RTO), Rtt: us(t.RTT), Rttvar: us(t.RTTVar), SndMss: t.SndMSS,
		RcvMss: t.SndMSS, Advmss: t.SndMSS, SndCwnd: t.SndCwnd, SndSsthresh: t.SndSsthresh, Reordering: 3, RcvSpace: uint32(s.ep().ReceiveBuffer()),
		TotalRetrans: uint32(t.Retransmits), SegsOut: uint32(t.SegsOut), SegsIn: uint32(t.SegsIn),
	}
	if t.Reordering {
		i.ReordSeen = 1
	}
	if n, err := s.ep().RemoteAddr(); err == nil {
		if p, err := s.Namespace().Stack.FindRoute(n.IP.Unmap(), 0); err == nil {
			i.Pmtu = p.MTU
		}
	}
	b, err := binary.Append(nil, binary.LittleEndian, &i)
	if err != nil {
		return linux.EINVAL
	}
	return c.Put(b)
}
