package netstack

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"cordon/internal/linux"
)

// Flag is an option that is on or off.
type Flag uint8

const (
	Broadcast Flag = iota
	ReuseAddr
	ReusePort
	KeepAlive
	NoChecksum
	MulticastLoop
	RecvTOS
	RecvTTL
	RecvHopLimit
	RecvTClass
	RecvPktInfo
	RecvPktInfo6
	RecvOrigDst
	RecvErr4
	RecvErr6
	HdrIncl
	V6Only
	QuickAck
	Delay // the inverse of TCP_NODELAY
	Cork
)

type flagAccess struct {
	get func(*tcpip.SocketOptions) bool
	set func(*tcpip.SocketOptions, bool)
}

// Set in one place and never changed.
var flagTable = [...]flagAccess{
	Broadcast:     {(*tcpip.SocketOptions).GetBroadcast, (*tcpip.SocketOptions).SetBroadcast},
	ReuseAddr:     {(*tcpip.SocketOptions).GetReuseAddress, (*tcpip.SocketOptions).SetReuseAddress},
	ReusePort:     {(*tcpip.SocketOptions).GetReusePort, (*tcpip.SocketOptions).SetReusePort},
	KeepAlive:     {(*tcpip.SocketOptions).GetKeepAlive, (*tcpip.SocketOptions).SetKeepAlive},
	NoChecksum:    {(*tcpip.SocketOptions).GetNoChecksum, (*tcpip.SocketOptions).SetNoChecksum},
	MulticastLoop: {(*tcpip.SocketOptions).GetMulticastLoop, (*tcpip.SocketOptions).SetMulticastLoop},
	RecvTOS:       {(*tcpip.SocketOptions).GetReceiveTOS, (*tcpip.SocketOptions).SetReceiveTOS},
	RecvTTL:       {(*tcpip.SocketOptions).GetReceiveTTL, (*tcpip.SocketOptions).SetReceiveTTL},
	RecvHopLimit:  {(*tcpip.SocketOptions).GetReceiveHopLimit, (*tcpip.SocketOptions).SetReceiveHopLimit},
	RecvTClass:    {(*tcpip.SocketOptions).GetReceiveTClass, (*tcpip.SocketOptions).SetReceiveTClass},
	RecvPktInfo:   {(*tcpip.SocketOptions).GetReceivePacketInfo, (*tcpip.SocketOptions).SetReceivePacketInfo},
	RecvPktInfo6:  {(*tcpip.SocketOptions).GetIPv6ReceivePacketInfo, (*tcpip.SocketOptions).SetIPv6ReceivePacketInfo},
	RecvOrigDst:   {(*tcpip.SocketOptions).GetReceiveOriginalDstAddress, (*tcpip.SocketOptions).SetReceiveOriginalDstAddress},
	RecvErr4:      {(*tcpip.SocketOptions).GetIPv4RecvError, (*tcpip.SocketOptions).SetIPv4RecvError},
	RecvErr6:      {(*tcpip.SocketOptions).GetIPv6RecvError, (*tcpip.SocketOptions).SetIPv6RecvError},
	HdrIncl:       {(*tcpip.SocketOptions).GetHeaderIncluded, (*tcpip.SocketOptions).SetHeaderIncluded},
	V6Only:        {(*tcpip.SocketOptions).GetV6Only, (*tcpip.SocketOptions).SetV6Only},
	QuickAck:      {(*tcpip.SocketOptions).GetQuickAck, (*tcpip.SocketOptions).SetQuickAck},
	Delay:         {(*tcpip.SocketOptions).GetDelayOption, (*tcpip.SocketOptions).SetDelayOption},
	Cork:          {(*tcpip.SocketOptions).GetCorkOption, (*tcpip.SocketOptions).SetCorkOption},
}

// Flag and SetFlag read and write an option that is on or off.
func (e *Endpoint) Flag(f Flag) bool       { return flagTable[f].get(e.ep.SocketOptions()) }
func (e *Endpoint) SetFlag(f Flag, v bool) { flagTable[f].set(e.ep.SocketOptions(), v) }

// Int is an option with a number.
type Int uint8

const (
	KeepCount Int = iota
	TOS4
	TClass6
	MaxSeg
	MTUDiscover // Linux's IP_PMTUDISC_ values
	MulticastTTL
	TTL4
	HopLimit6
	SynCount
	WindowClamp
	ReceiveQueue // read only: bytes that can be read, of a datagram the next one's
	ICMPv6Checksum
	MulticastIf6
)

var intTable = [...]tcpip.SockOptInt{
	KeepCount: tcpip.KeepaliveCountOption, TOS4: tcpip.IPv4TOSOption, TClass6: tcpip.IPv6TrafficClassOption,
	MaxSeg: tcpip.MaxSegOption, MTUDiscover: tcpip.MTUDiscoverOption, MulticastTTL: tcpip.MulticastTTLOption,
	TTL4: tcpip.IPv4TTLOption, HopLimit6: tcpip.IPv6HopLimitOption, SynCount: tcpip.TCPSynCountOption,
	WindowClamp: tcpip.TCPWindowClampOption, ReceiveQueue: tcpip.ReceiveQueueSizeOption,
	ICMPv6Checksum: tcpip.IPv6Checksum, MulticastIf6: tcpip.IPv6MulticastInterfaceOption,
}

// pmtuDiscover maps Linux's IP_PMTUDISC_DONT, WANT, DO and PROBE.
var pmtuDiscover = [...]tcpip.PMTUDStrategy{
	tcpip.PMTUDiscoveryDont, tcpip.PMTUDiscoveryWant, tcpip.PMTUDiscoveryDo, tcpip.PMTUDiscoveryProbe,
}

// Int and SetInt read and write an option with a number. SetInt trusts its caller for the range.
func (e *Endpoint) Int(o Int) (int, error) {
	v, err := e.ep.GetSockOptInt(intTable[o])
	if err != nil {
		return 0, toErrno(err)
	}
	if o == ReceiveQueue && e.kind == TCP {
		v += e.inFlow()
	}
	if o == MTUDiscover {
		for i, s := range pmtuDiscover {
			if s == tcpip.PMTUDStrategy(v) {
				return i, nil
			}
		}
	}
	return v, nil
}

func (e *Endpoint) SetInt(o Int, v int) error {
	if o == MTUDiscover {
		if v < 0 || v >= len(pmtuDiscover) {
			return linux.EINVAL
		}
		v = int(pmtuDiscover[v])
	}
	return errnoOf(e.ep.SetSockOptInt(intTable[o], v))
}

// Time is an option with a duration.
type Time uint8

const (
	KeepIdle Time = iota
	KeepInterval
	UserTimeout
	Linger2
	DeferAccept
)

// Time reads an option with a duration.
func (e *Endpoint) Time(o Time) (time.Duration, error) {
	var err tcpip.Error
	var d time.Duration
	switch o {
	case KeepIdle:
		var v tcpip.KeepaliveIdleOption
		err = e.ep.GetSockOpt(&v)
		d = time.Duration(v)
	case KeepInterval:
		var v tcpip.KeepaliveIntervalOption
		err = e.ep.GetSockOpt(&v)
		d = time.Duration(v)
	case UserTimeout:
		var v tcpip.TCPUserTimeoutOption
		err = e.ep.GetSockOpt(&v)
		d = time.Duration(v)
	case Linger2:
		var v tcpip.TCPLingerTimeoutOption
		err = e.ep.GetSockOpt(&v)
		d = time.Duration(v)
	case DeferAccept:
		var v tcpip.TCPDeferAcceptOption
		err = e.ep.GetSockOpt(&v)
		d = time.Duration(v)
	}
	return d, errnoOf(err)
}

// SetTime sets an option with a duration.
func (e *Endpoint) SetTime(o Time, d time.Duration) error {
	var opt tcpip.SettableSocketOption
	switch o {
	case KeepIdle:
		v := tcpip.KeepaliveIdleOption(d)
		opt = &v
	case KeepInterval:
		v := tcpip.KeepaliveIntervalOption(d)
		opt = &v
	case UserTimeout:
		v := tcpip.TCPUserTimeoutOption(d)
		opt = &v
	case Linger2:
		v := tcpip.TCPLingerTimeoutOption(d)
		opt = &v
	case DeferAccept:
		v := tcpip.TCPDeferAcceptOption(d)
		opt = &v
	}
	return errnoOf(e.ep.SetSockOpt(opt))
}

// SendBuffer and ReceiveBuffer are sizes in bytes of data, without Linux's doubling. The setters clamp to the stack's limits.
func (e *Endpoint) SendBuffer() int    { return int(e.ep.SocketOptions().GetSendBufferSize()) }
func (e *Endpoint) ReceiveBuffer() int { return int(e.ep.SocketOptions().GetReceiveBufferSize()) }

func (e *Endpoint) SetSendBuffer(n int) {
	lo, hi := e.ep.SocketOptions().SendBufferLimits()
	e.ep.SocketOptions().SetSendBufferSize(min(max(int64(n), lo), hi), true)
}

func (e *Endpoint) SetReceiveBuffer(n int) {
	lo, hi := e.ep.SocketOptions().ReceiveBufferLimits()
	e.ep.SocketOptions().SetReceiveBufferSize(min(max(int64(n), lo), hi), true)
}

// SetLinger makes Close of a connection with a time of 0 a reset. Waiting is the caller's.
func (e *Endpoint) SetLinger(on bool, d time.Duration) {
	e.ep.SocketOptions().SetLinger(tcpip.LingerOption{Enabled: on, Timeout: d})
}

// BindToDevice ties the endpoint to an interface, 0 unties it. ENODEV when there is none.
func (e *Endpoint) BindToDevice(index int32) error {
	return errnoOf(e.ep.SocketOptions().SetBindToDevice(index))
}

// BoundDevice is the interface that BindToDevice set.
func (e *Endpoint) BoundDevice() int32 { return e.ep.SocketOptions().GetBindToDevice() }

// Congestion is the name of the algorithm in use.
func (e *Endpoint) Congestion() (string, error) {
	var v tcpip.CongestionControlOption
	err := e.ep.GetSockOpt(&v)
	return string(v), errnoOf(err)
}

// SetCongestion chooses an algorithm. ENOENT when it is unknown.
func (e *Endpoint) SetCongestion(name string) error {
	v := tcpip.CongestionControlOption(name)
	return errnoOf(e.ep.SetSockOpt(&v))
}

// AvailableCongestion lists the algorithms of the stack.
func (s *Stack) AvailableCongestion() []string {
	var v tcpip.TCPAvailableCongestionControlOption
	if err := s.s.TransportProtocolOption(tcp.ProtocolNumber, &v); err != nil {
		return nil
	}
	return strings.Fields(string(v))
}

// TCPInfo is what the stack knows of a connection's course.
type TCPInfo struct {
	State                State
	CAState              uint8 // TCP_CA_Open 0, Disorder 1, Recovery 3, Loss 4
	RTT, RTTVar, RTO     time.Duration
	SndCwnd, SndSsthresh uint32
	Reordering           bool
	SndMSS               uint32
	Retransmits          uint64
	SegsOut, SegsIn      uint64
}

// TCPInfo reads a connection's state. EOPNOTSUPP for anything but TCP.
func (e *Endpoint) TCPInfo() (TCPInfo, error) {
	var o tcpip.TCPInfoOption
	if e.kind != TCP {
		return TCPInfo{}, linux.EOPNOTSUPP
	}
	if err := e.ep.GetSockOpt(&o); err != nil {
		return TCPInfo{}, toErrno(err)
	}
	out := TCPInfo{
		State: e.State(), RTT: o.RTT, RTTVar: o.RTTVar, RTO: o.RTO, SndCwnd: o.SndCwnd, SndSsthresh: o.SndSsthresh,
		Reordering: o.ReorderSeen,
	}
	switch o.CcState {
	case tcpip.Disorder:
		out.CAState = 1
	case tcpip.FastRecovery, tcpip.SACKRecovery:
		out.CAState = 3
	case tcpip.RTORecovery:
		out.CAState = 4
	}
	if n, err := e.ep.GetSockOptInt(tcpip.MaxSegOption); err == nil {
		out.SndMSS = uint32(n)
	}
	if st, ok := e.ep.Stats().(*tcp.Stats); ok {
		out.Retransmits, out.SegsOut, out.SegsIn = st.SendErrors.Retransmits.Value(), st.SegmentsSent.Value(), st.SegmentsReceived.Value()
	}
	if in, spliced := e.in.Load(), e.out.Load(); in != nil && spliced != nil {
		out.SegsOut, out.SegsIn = out.SegsOut+spliced.segments.Load(), out.SegsIn+in.segments.Load()
	}
	return out, nil
}

// Membership is a multicast group on an interface, which either Index or Local names, or neither.
type Membership struct {
	Index int32
	Local netip.Addr
	Group netip.Addr
}

func (m Membership) tcpip() tcpip.MembershipOption {
	o := tcpip.MembershipOption{NIC: tcpip.NICID(m.Index), MulticastAddr: toAddress(m.Group)}
	if m.Local.IsValid() && !m.Local.IsUnspecified() {
		o.InterfaceAddr = toAddress(m.Local)
	}
	return o
}

// Join and Leave are IP_ADD_MEMBERSHIP and IP_DROP_MEMBERSHIP and their IPv6 kin.
func (e *Endpoint) Join(m Membership) error {
	o := tcpip.AddMembershipOption(m.tcpip())
	return errnoOf(e.ep.SetSockOpt(&o))
}

func (e *Endpoint) Leave(m Membership) error {
	o := tcpip.RemoveMembershipOption(m.tcpip())
	return errnoOf(e.ep.SetSockOpt(&o))
}

// SetMulticastIf chooses the interface that multicast leaves by; MulticastIf tells it.
func (e *Endpoint) SetMulticastIf(index int32, local netip.Addr) error {
	o := tcpip.MulticastInterfaceOption{NIC: tcpip.NICID(index)}
	if local.IsValid() && !local.IsUnspecified() {
		o.InterfaceAddr = toAddress(local)
	}
	return errnoOf(e.ep.SetSockOpt(&o))
}

func (e *Endpoint) MulticastIf() (int32, netip.Addr, error) {
	var o tcpip.MulticastInterfaceOption
	err := e.ep.GetSockOpt(&o)
	return int32(o.NIC), fromAddress(o.InterfaceAddr), errnoOf(err)
}

// ICMP6Filter is the set of ICMPv6 types that a raw endpoint does not want to see, as a bit map.
type ICMP6Filter [32]byte

// SetICMP6Filter sets the filter of a raw ICMPv6 endpoint; ICMP6Filter reads it.
func (e *Endpoint) SetICMP6Filter(f ICMP6Filter) error {
	var o tcpip.ICMPv6Filter
	for i := range o.DenyType {
		o.DenyType[i] = binary.NativeEndian.Uint32(f[4*i:])
	}
	return errnoOf(e.ep.SetSockOpt(&o))
}

func (e *Endpoint) ICMP6Filter() (ICMP6Filter, error) {
	var o tcpip.ICMPv6Filter
	var f ICMP6Filter
	if err := e.ep.GetSockOpt(&o); err != nil {
		return f, toErrno(err)
	}
	for i, v := range o.DenyType {
		binary.NativeEndian.PutUint32(f[4*i:], v)
	}
	return f, nil
}

// InheritTCP gives an accepted endpoint what its listener was set to.
func (e *Endpoint) InheritTCP(l *Endpoint) {
	for _, f := range []Flag{Delay, Cork, KeepAlive, QuickAck} {
		if v := l.Flag(f); v != e.Flag(f) {
			e.SetFlag(f, v)
		}
	}
	for _, o := range []Int{KeepCount, TOS4, TTL4, HopLimit6, SynCount} {
		if v, err := l.Int(o); err == nil {
			e.ep.SetSockOptInt(intTable[o], v)
		}
	}
	for _, o := range []Time{KeepIdle, KeepInterval, UserTimeout, Linger2} {
		if d, err := l.Time(o); err == nil {
			e.SetTime(o, d)
		}
	}
}

// CopyOptions gives a fresh endpoint everything another of its kind was set to.
func (e *Endpoint) CopyOptions(from *Endpoint) {
	for f := range Flag(len(flagTable)) {
		if v := from.Flag(f); v != e.Flag(f) {
			e.SetFlag(f, v)
		}
	}
	for o := range Int(len(intTable)) {
		if v, err := from.ep.GetSockOptInt(intTable[o]); err == nil && o != ReceiveQueue && o != MaxSeg {
			e.ep.SetSockOptInt(intTable[o], v) // what a kind does not have is refused, and was never set
		}
	}
	for _, o := range []Time{KeepIdle, KeepInterval, UserTimeout, Linger2, DeferAccept} {
		if d, err := from.Time(o); err == nil {
			e.SetTime(o, d)
		}
	}
	if name, err := from.Congestion(); err == nil {
		e.SetCongestion(name)
	}
	e.SetSendBuffer(from.SendBuffer())
	e.SetReceiveBuffer(from.ReceiveBuffer())
	if i := from.BoundDevice(); i != 0 {
		e.BindToDevice(i)
	}
}
