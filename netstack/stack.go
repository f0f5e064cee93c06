package netstack

import (
	"io"
	"net/netip"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/log"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/loopback"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/raw"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"cordon/internal/linux"
	"cordon/internal/lock"
)

// Buffer sizes in bytes. Linux starts smaller and grows; the stack's own growth is slower, so its defaults are larger.
const (
	minBufferSize     = 4 << 10
	defaultBufferSize = 212992 // net.core.rmem_default
	maxBufferSize     = 8 << 20
	defaultTCPBuffer  = 1 << 20
)

// The ports handed out when a program asks for any: net.ipv4.ip_local_port_range.
const (
	FirstEphemeralPort = 32768
	LastEphemeralPort  = 60999
)

// LoopbackIndex is the interface that every stack has.
const LoopbackIndex = 1

// Stack is the network of one network namespace.
type Stack struct {
	// immutable
	s      *stack.Stack
	serial uint64
	had    map[string]int32 // of a restored stack: the indexes of its links that are outside things, by name

	// guarded by mu
	mu        lock.Mutex[lock.Netstack]
	endpoints map[tcpip.Endpoint]*Endpoint
	links     map[tcpip.NICID]linkEntry
	closed    bool
	lastIndex int32
	halves    map[ends]*Endpoint // ends of TCP connections that wait for the other end
	spliced   splicedCount       // of endpoints that are closed
	taps      map[*Tap]struct{}
	icmpTaps  []*errorTap
	atEnd     []func()
	disposed  bool

	// atomic
	filter       atomic.Pointer[Filter]
	errorWatches atomic.Pointer[[]*ErrorWatch]

	// loading is set while a restored stack is not whole yet, and would refuse what is received or let in what it must not.
	loading atomic.Bool

	owner     atomic.Pointer[any]
	watchable atomic.Pointer[frameLink] // whose lookout is offered
	watched   atomic.Int64              // who has to see all packets: what goes past the stack cannot be
	// layered is set for good by what wants packets between the layers, or has had their addresses translated there.
	layered   atomic.Bool
	addresses atomic.Uint64 // counts changes of interfaces' addresses
}

const kindLoopback = "loopback"

// New returns a stack with a loopback interface that is up and has 127.0.0.1/8 and ::1/128.
func New() (*Stack, error) { return NewFrom(nil) }

// NewFrom is New with random numbers from a reader of the caller's, which several goroutines use and which never fails; nil
// for the host's.
func NewFrom(random io.Reader) (*Stack, error) {
	s := wrapStack(stack.New(stack.Options{
		NetworkProtocols: []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{
			tcp.NewProtocolCUBIC, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6,
		},
		RawFactory:               raw.EndpointFactory{},
		HandleLocal:              true,
		SecureRNG:                random,
		AllowPacketEndpointWrite: true,
	}))
	s.serial = s.s.InsecureRNG().Uint64()
	if err := s.tune(); err != nil {
		return nil, err
	}
	if err := s.addLoopback(); err != nil {
		return nil, err
	}
	for _, p := range LoopbackAddresses() {
		if err := s.AddAddress(LoopbackIndex, p); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// LoopbackAddresses are what a loopback interface has when nobody has changed it.
func LoopbackAddresses() [2]netip.Prefix {
	return [2]netip.Prefix{
		netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 8),
		netip.PrefixFrom(netip.IPv6Loopback(), 128),
	}
}

// SetOwner says whose the stack is; Owner returns that, nil before.
func (s *Stack) SetOwner(o any) { s.owner.Store(&o) }

// Owner returns what SetOwner was given.
func (s *Stack) Owner() any {
	if o := s.owner.Load(); o != nil {
		return *o
	}
	return nil
}

// Serial is a number that no other stack has, with some certainty, and that a saved one keeps.
func (s *Stack) Serial() uint64 { return s.serial }

func wrapStack(s *stack.Stack) *Stack {
	log.SetLevel(log.Warning) // the stack's own log goes to standard error
	out := &Stack{
		s: s, endpoints: make(map[tcpip.Endpoint]*Endpoint), links: make(map[tcpip.NICID]linkEntry), halves: make(map[ends]*Endpoint),
	}
	out.answerSelf()
	return out
}

// tune sets what a Linux machine has by default where the stack's own default differs.
func (s *Stack) tune() error {
	sack, moderate, delay := tcpip.TCPSACKEnabled(true), tcpip.TCPModerateReceiveBufferOption(true), tcpip.TCPDelayEnabled(true)
	snd := tcpip.TCPSendBufferSizeRangeOption{Min: minBufferSize, Default: defaultTCPBuffer, Max: maxBufferSize}
	rcv := tcpip.TCPReceiveBufferSizeRangeOption{Min: minBufferSize, Default: defaultTCPBuffer, Max: maxBufferSize}
	// RACK's tail loss probe waits for twice the round trip, a few milliseconds at most here, where Linux never waits less than
	// two ticks of its clock more: each pause of a busy peer would be a loss, and halve the congestion window.
	recovery := tcpip.TCPRecovery(0)
	for _, o := range []tcpip.SettableTransportProtocolOption{&sack, &moderate, &delay, &recovery, &snd, &rcv} {
		if err := s.s.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return errnoOf(err)
		}
	}
	for _, o := range []any{
		tcpip.SendBufferSizeOption{Min: minBufferSize, Default: defaultBufferSize, Max: maxBufferSize},
		tcpip.ReceiveBufferSizeOption{Min: minBufferSize, Default: defaultBufferSize, Max: maxBufferSize},
	} {
		if err := s.s.SetOption(o); err != nil {
			return errnoOf(err)
		}
	}
	return errnoOf(s.s.SetPortRange(FirstEphemeralPort, LastEphemeralPort))
}

func (s *Stack) addLoopback() error {
	return s.addLink(LoopbackIndex, "lo", loopback.New(), linkEntry{kind: kindLoopback})
}

// AddAddress gives an interface an address and the route to its network that comes with it.
func (s *Stack) AddAddress(index int32, p netip.Prefix) error {
	if err := s.AddAddressAlone(index, p); err != nil {
		return err
	}
	s.s.AddRoute(tcpip.Route{Destination: fromPrefix(p).Subnet(), NIC: tcpip.NICID(index)})
	return nil
}

// AddAddressAlone gives an interface an address without a route: IFA_F_NOPREFIXROUTE.
func (s *Stack) AddAddressAlone(index int32, p netip.Prefix) error {
	proto := header.IPv4ProtocolNumber
	if !p.Addr().Is4() {
		proto = header.IPv6ProtocolNumber
	}
	defer s.addresses.Add(1)
	return errnoOf(s.s.AddProtocolAddress(tcpip.NICID(index), tcpip.ProtocolAddress{
		Protocol: proto, AddressWithPrefix: fromPrefix(p),
	}, stack.AddressProperties{}))
}

// RemoveAddress takes an address away, and the route to its network when no other address of the interface needs it.
func (s *Stack) RemoveAddress(index int32, p netip.Prefix) error {
	id := tcpip.NICID(index)
	if err := s.s.RemoveAddress(id, toAddress(p.Addr())); err != nil {
		return errnoOf(err)
	}
	s.addresses.Add(1)
	subnet := fromPrefix(p).Subnet()
	for _, a := range s.s.AllAddresses()[id] {
		if a.AddressWithPrefix.Subnet() == subnet {
			return nil
		}
	}
	s.s.RemoveRoutes(func(r tcpip.Route) bool { return r.Destination == subnet && r.NIC == id && r.Gateway.Len() == 0 })
	return nil
}

// AddRoute adds a route to the main table. EEXIST when there is one of this destination on this interface.
func (s *Stack) AddRoute(r Route) error {
	nr := r.tcpip()
	if !s.s.HasNIC(nr.NIC) {
		return linux.ENODEV
	}
	for _, o := range s.s.GetRouteTable() {
		if o.Equal(nr) {
			return linux.EEXIST
		}
	}
	s.s.AddRoute(nr)
	return nil
}

// RemoveRoute removes the routes that agree with r; an Index of 0 and an invalid Gateway agree with any. ESRCH when none does.
func (s *Stack) RemoveRoute(r Route) error {
	want := r.tcpip()
	n := s.s.RemoveRoutes(func(o tcpip.Route) bool {
		return o.Destination == want.Destination && (want.NIC == 0 || o.NIC == want.NIC) &&
			(want.Gateway.Len() == 0 || o.Gateway == want.Gateway)
	})
	if n == 0 {
		return linux.ESRCH
	}
	return nil
}

// SetMTU and SetUp configure an interface.
func (s *Stack) SetMTU(index int32, mtu uint32) error {
	s.given(index, func(g *givenConf) { g.mtu = true })
	err := errnoOf(s.s.SetNICMTU(tcpip.NICID(index), mtu))
	s.linkTurned(index)
	return err
}

// SetUp enables or disables an interface.
func (s *Stack) SetUp(index int32, up bool) error {
	id := tcpip.NICID(index)
	s.mu.Lock()
	if e, ok := s.links[id]; ok {
		if e.frames != nil {
			e.frames.down.Store(!up)
		}
		if e.bridge != nil {
			e.bridge.up.Store(up)
		}
		e.started = true
		s.links[id] = e
	}
	tun := s.links[id].tun
	s.mu.Unlock()
	turn := s.s.DisableNIC
	if up {
		turn = s.s.EnableNIC
	}
	err := errnoOf(turn(id))
	if tun != nil {
		tun.setUp(up)
	}
	s.linkTurned(index)
	return err
}

// NewDown is NewFrom for a stack whose loopback interface has never been up, and has no address yet.
func NewDown(random io.Reader) (*Stack, error) {
	s, err := NewFrom(random)
	if err != nil {
		return nil, err
	}
	err = errnoOf(s.s.DisableNIC(LoopbackIndex))
	for _, p := range LoopbackAddresses() {
		if err == nil {
			err = s.RemoveAddress(LoopbackIndex, p)
		}
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close aborts every connection and frees the stack. It returns when the stack's goroutines have ended.
func (s *Stack) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	for _, f := range s.frameLinks() {
		f.stop()
	}
	s.s.Destroy()
}

func (s *Stack) frameLinks() (all []*frameLink) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.links {
		if l.frames != nil {
			all = append(all, l.frames)
		}
	}
	return all
}
