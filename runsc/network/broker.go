package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"cordon/runsc/filter"
	"cordon/runsc/idle"

	"golang.org/x/sys/unix"
)

// A BrokerConfig is what the broker process is told.
type BrokerConfig struct {
	Policy Policy
	// Resolvers are the host's. Questions to DNS, and to the addresses of the
	// host's resolvers themselves, are asked of them.
	Resolvers []netip.AddrPort
	DNS       []netip.AddrPort
	// Gateway are the gateway's own addresses, behind which the host's loopback is.
	Gateway []netip.Addr
	// Only, if valid, is the one place that may be reached, whatever the policy says: Docker's resolver.
	Only netip.AddrPort
	// JSON is the form of log lines.
	JSON bool
	// Published are ports of the host, whose sockets follow the fixed descriptors.
	Published []Published
}

// Descriptors of the broker process.
const (
	fdBrokerReady   = 3 // where enter.c says why it failed
	fdBrokerConfig  = 4
	fdBrokerChannel = 5
	fdBrokerLog     = 6
	fdBrokerPorts   = 7
)

// brokerSpec is what fdBrokerConfig holds.
type brokerSpec struct {
	Config BrokerConfig
	Filter []byte
}

// maxBrokerSpec bounds it.
const maxBrokerSpec = 16 << 20

// BrokerMain is the broker's process: it opens sockets in the network namespace that it was started in, for a Sentry that
// it does not trust. It returns the exit code.
func BrokerMain() int {
	var spec brokerSpec
	if err := readSpecFD(fdBrokerConfig, &spec); err != nil {
		fmt.Fprintf(os.Stderr, "runsc net: %v\n", err)
		return 1
	}
	c, err := newChannel(fdBrokerChannel)
	if err != nil {
		return 1
	}
	b := &broker{
		config: spec.Config, channel: c, judge: newJudge(spec.Config.Policy), log: &denialLog{fd: fdBrokerLog, json: spec.Config.JSON},
		echoes: make(map[echoKey]*echoSocket),
	}
	if len(spec.Filter) > 0 {
		if err := filter.Install(spec.Filter); err != nil {
			fmt.Fprintf(os.Stderr, "runsc net: installing the system call filter: %v\n", err)
			return 1
		}
	}
	unix.Close(fdBrokerReady)
	idle.Settle()
	for i := range spec.Config.Published {
		go b.publish(&spec.Config.Published[i], fdBrokerPorts+i)
	}
	b.serve()
	return 0
}

// A broker serves one Sentry.
type broker struct {
	// immutable
	config  BrokerConfig
	channel *channel
	judge   *judge
	log     *denialLog

	mu sync.Mutex
	// guarded by mu
	opening int
	flows   int
	echoes  map[echoKey]*echoSocket
}

// Limits of what a Sentry may have going on.
const (
	maxOpening = 512
	maxFlows   = 1024
	maxEchoes  = 64
)

// connectPatience is how long the host may try to connect; guests give up after two minutes.
const connectPatience = 60 * time.Second

// serve answers until the Sentry has gone.
func (b *broker) serve() {
	buf := make([]byte, maxMessage)
	for {
		m, err := b.channel.receive(buf)
		if errors.Is(err, errMessage) {
			continue
		}
		if err != nil {
			return
		}
		closeFD(m.FD) // the Sentry has no business sending any
		switch m.Op {
		case opStream:
			b.limited(&b.opening, maxOpening, &m, b.stream)
		case opFlow:
			b.limited(&b.flows, maxFlows, &m, b.flow)
		case opEcho:
			b.echo(&m)
		}
	}
}

// limited runs f in a goroutine unless too many run already.
func (b *broker) limited(count *int, most int, m *message, f func(message)) {
	b.mu.Lock()
	full := *count >= most
	if !full {
		*count++
	}
	b.mu.Unlock()
	if full {
		b.answer(m, -1, unix.EAGAIN)
		return
	}
	go func() {
		defer func() {
			b.mu.Lock()
			*count--
			b.mu.Unlock()
		}()
		f(*m)
	}()
}

// answer sends the outcome of a request; a Sentry that is gone needs none.
func (b *broker) answer(m *message, fd int, errno unix.Errno) {
	_ = b.channel.send(&message{Op: m.Op, ID: m.ID, FD: fd, Errno: errno})
}

// A target is where a request really goes.
type target struct {
	to  netip.AddrPort
	dns bool // to the host's resolver
}

// resolve decides where packets for an address go, or that they may not.
func (b *broker) resolve(proto string, to netip.AddrPort) (target, bool) {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	ip := to.Addr()
	if only := b.config.Only; only.IsValid() {
		return target{to: to}, to == only
	}
	for _, d := range b.config.DNS {
		if d == to {
			return target{to: to, dns: true}, true
		}
	}
	for _, g := range b.config.Gateway {
		if g == ip && b.config.Policy.HostLoopback {
			lo := netip.AddrFrom4([4]byte{127, 0, 0, 1})
			if g.Is6() {
				lo = netip.IPv6Loopback()
			}
			return target{to: netip.AddrPortFrom(lo, to.Port())}, b.permits(proto, to)
		}
	}
	if b.isGateway(ip) || !ip.IsValid() || ip.IsLoopback() || ip.IsUnspecified() || ip.IsMulticast() || ip.Zone() != "" ||
		ip.Is4() && (ip.As4()[0] == 0 || ip.As4()[0] >= 240) {
		// Not anywhere: 0.0.0.0/8 is the host itself to its kernel, too.
		b.log.denied(proto, to, nil)
		return target{}, false
	}
	return target{to: to}, b.permits(proto, to)
}

func (b *broker) isGateway(ip netip.Addr) bool {
	for _, g := range b.config.Gateway {
		if g == ip {
			return true
		}
	}
	return false
}

func (b *broker) permits(proto string, to netip.AddrPort) bool {
	if b.judge.mayReach(to) {
		return true
	}
	b.log.denied(proto, to, b.judge.namesOf(to.Addr()))
	return false
}

// stream connects and hands the socket over.
func (b *broker) stream(m message) {
	t, ok := b.resolve("tcp", m.To)
	if !ok {
		b.answer(&m, -1, unix.ECONNREFUSED)
		return
	}
	if t.dns {
		if b.judge.policy.Restricted || b.judge.namesCount() || len(b.config.Resolvers) == 0 {
			b.answer(&m, -1, unix.ECONNREFUSED) // names are judged in datagrams only
			return
		}
		t.to = b.config.Resolvers[0]
	}
	fd, err := connectStream(t.to)
	if err != nil {
		b.answer(&m, -1, errnoOf(err))
		return
	}
	b.answer(&m, fd, 0)
	unix.Close(fd)
}

func errnoOf(err error) unix.Errno {
	var errno unix.Errno
	switch {
	case errors.As(err, &errno):
		return errno
	case errors.Is(err, os.ErrDeadlineExceeded):
		return unix.ETIMEDOUT
	}
	return unix.EIO
}

func familyOf(ip netip.Addr) int {
	if ip.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}

// connectStream returns a connected, non-blocking socket.
func connectStream(to netip.AddrPort) (int, error) {
	fd, err := unix.Socket(familyOf(to.Addr()), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.Connect(fd, sockaddr(to)); err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return -1, err
	}
	// The poller's own duplicate: closing it leaves fd alone.
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	f := os.NewFile(uintptr(dup), "connection")
	defer f.Close()
	err = awaitConnected(f)
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func awaitConnected(f *os.File) error {
	if err := f.SetWriteDeadline(time.Now().Add(connectPatience)); err != nil {
		return err
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failure error
	err = conn.Write(func(fd uintptr) bool {
		v, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		switch {
		case err != nil:
			failure = err
		case v != 0:
			failure = syscall.Errno(v)
		default:
			_, err := unix.Getpeername(int(fd))
			return err != unix.ENOTCONN // else wait for an event
		}
		return true
	})
	return errors.Join(err, failure)
}
