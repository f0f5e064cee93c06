package network

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Datagrams go through the broker: a socket for them, even a connected one, lets who has it send to anywhere.

// How long flows live without a packet.
const (
	flowIdle = 90 * time.Second
	dnsIdle  = 15 * time.Second
	echoIdle = 30 * time.Second
)

// maxDatagram is UDP's largest.
const maxDatagram = 65536

// A side is one end of a relay. A marked one is a SEQPACKET socket between the Sentry and the broker, where each datagram has
// a byte before it: an empty datagram is not the end.
type side struct {
	f      *os.File
	conn   syscall.RawConn
	marked bool
}

func newSide(fd int, marked bool) side {
	f := os.NewFile(uintptr(fd), "flow")
	conn, _ := f.SyscallConn() // fails for a closed file only
	return side{f, conn, marked}
}

// datagramBuffer is what read and write take: a byte for the mark, and a datagram.
type datagramBuffer [1 + maxDatagram]byte

// read waits for a datagram and returns its size, which is at b[1:]. A negative one is the end.
func (s side) read(b *datagramBuffer) (int, error) {
	at := b[1:]
	if s.marked {
		at = b[:]
	}
	var n int
	var failure error
	err := s.conn.Read(func(fd uintptr) bool {
		n, _, _, _, failure = unix.Recvmsg(int(fd), at, nil, 0)
		return failure != unix.EAGAIN && failure != unix.EINTR
	})
	if s.marked {
		n--
	}
	return n, errors.Join(err, failure)
}

// write sends the datagram of size n at b[1:].
func (s side) write(b *datagramBuffer, n int) error {
	out := b[1 : 1+n]
	if s.marked {
		b[0] = 'd'
		out = b[:1+n]
	}
	var failure error
	err := s.conn.Write(func(fd uintptr) bool {
		_, failure = unix.SendmsgN(int(fd), out, nil, nil, unix.MSG_NOSIGNAL)
		return failure != unix.EAGAIN && failure != unix.EINTR
	})
	return errors.Join(err, failure)
}

// datagramPair is the two ends of a flow between the broker and the Sentry.
func datagramPair() (ours side, theirs int, err error) {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return side{}, -1, err
	}
	return newSide(p[0], true), p[1], nil
}

// flow opens a flow of UDP and carries it until it is idle.
func (b *broker) flow(m message) {
	t, ok := b.resolve("udp", m.To)
	if !ok {
		b.answer(&m, -1, unix.ECONNREFUSED)
		return
	}
	ours, theirs, err := datagramPair()
	if err != nil {
		b.answer(&m, -1, errnoOf(err))
		return
	}
	defer ours.f.Close()
	if t.dns {
		b.answer(&m, theirs, 0)
		unix.Close(theirs)
		b.serveDNS(ours)
		return
	}
	host, err := connectDatagrams(t.to)
	if err != nil {
		unix.Close(theirs)
		b.answer(&m, -1, errnoOf(err))
		return
	}
	defer host.f.Close()
	b.answer(&m, theirs, 0)
	unix.Close(theirs)
	relay(ours, host, flowIdle)
}

func connectDatagrams(to netip.AddrPort) (side, error) {
	fd, err := unix.Socket(familyOf(to.Addr()), unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return side{}, err
	}
	if err := unix.Connect(fd, sockaddr(to)); err != nil {
		unix.Close(fd)
		return side{}, err
	}
	return newSide(fd, false), nil
}

// relay carries datagrams both ways until neither side has sent one for a while, or a side ends.
func relay(a, b side, idle time.Duration) {
	var last atomic.Int64
	last.Store(time.Now().UnixNano())
	var wg sync.WaitGroup
	for _, d := range [][2]side{{a, b}, {b, a}} {
		wg.Go(func() {
			copyDatagrams(d[1], d[0], &last, idle)
			a.f.SetDeadline(time.Unix(1, 0)) // ends the other direction
			b.f.SetDeadline(time.Unix(1, 0))
		})
	}
	wg.Wait()
}

func copyDatagrams(to, from side, last *atomic.Int64, idle time.Duration) {
	buf := new(datagramBuffer)
	for {
		until := time.Unix(0, last.Load()).Add(idle)
		if from.f.SetReadDeadline(until) != nil {
			return
		}
		n, err := from.read(buf)
		switch {
		case err == nil && n < 0:
			return // the other side has closed
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			if next := time.Unix(0, last.Load()).Add(idle); next.After(until) {
				continue // the other direction is alive
			}
			return
		case errors.Is(err, unix.ECONNREFUSED):
			continue // an answer by ICMP to an earlier one; UDP goes on
		default:
			return
		}
		last.Store(time.Now().UnixNano())
		if err := to.write(buf, n); errors.Is(err, unix.EPIPE) || errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
	}
}

// serveDNS answers the questions of one flow.
func (b *broker) serveDNS(guest side) {
	buf := new(datagramBuffer)
	for guest.f.SetReadDeadline(time.Now().Add(dnsIdle)) == nil {
		n, err := guest.read(buf)
		if err != nil || n < 0 {
			return
		}
		if answer := b.lookUp(buf[1 : 1+n]); answer != nil {
			n := copy(buf[1:], answer)
			if guest.write(buf, n) != nil {
				return
			}
		}
	}
}

// resolverPatience is how long one resolver has for an answer.
const resolverPatience = 3 * time.Second

// lookUp asks the host's resolvers in turn; nil: none answers, or it was no question.
func (b *broker) lookUp(query []byte) []byte {
	name, end, err := question(query)
	if err != nil {
		return nil
	}
	if !b.judge.mayAsk(name) {
		b.log.denied("dns", netip.AddrPort{}, []string{name})
		return refusal(query, end)
	}
	for _, r := range b.config.Resolvers {
		answer := ask(r, query)
		if answer == nil {
			continue
		}
		if b.judge.namesCount() {
			if about, addrs, err := answers(answer); err == nil && about == name {
				for _, a := range addrs {
					b.judge.learn(name, a.ip, a.ttl)
				}
			}
		}
		return answer
	}
	return nil
}

func ask(resolver netip.AddrPort, query []byte) []byte {
	f, err := connectDatagrams(resolver)
	if err != nil {
		return nil
	}
	defer f.f.Close()
	buf := new(datagramBuffer)
	if f.write(buf, copy(buf[1:], query)) != nil {
		return nil
	}
	f.f.SetReadDeadline(time.Now().Add(resolverPatience))
	for {
		n, err := f.read(buf)
		if err != nil {
			return nil
		}
		if n >= dnsHeader && slices.Equal(buf[1:3], query[:2]) {
			return buf[1 : 1+n]
		}
	}
}

// An echoKey names who pings whom.
type echoKey struct {
	from, to netip.Addr
	ident    uint16
}

// An echoSocket is a ping socket of the host; the host gives it an identifier of its own.
type echoSocket struct{ f *os.File }

// echo sends an echo request by a ping socket. Where the host allows none, nobody answers.
func (b *broker) echo(m *message) {
	if len(m.Data) < 4 {
		return
	}
	t, ok := b.resolve("icmp", netip.AddrPortFrom(m.To.Addr(), 0))
	if !ok {
		return
	}
	key := echoKey{m.From.Addr(), m.To.Addr(), uint16(m.Data[0])<<8 | uint16(m.Data[1])}
	b.mu.Lock()
	s := b.echoes[key]
	full := len(b.echoes) >= maxEchoes
	b.mu.Unlock()
	if s == nil {
		if full {
			return
		}
		f, err := pingSocket(t.to.Addr())
		if err != nil {
			return
		}
		s = &echoSocket{f}
		b.mu.Lock()
		b.echoes[key] = s
		b.mu.Unlock()
		go b.echoReplies(key, s)
	}
	typ := byte(8)
	if t.to.Addr().Is6() {
		typ = 128
	}
	s.f.SetReadDeadline(time.Now().Add(echoIdle))
	s.f.Write(append([]byte{typ, 0, 0, 0}, m.Data...))
}

func pingSocket(to netip.Addr) (*os.File, error) {
	proto := unix.IPPROTO_ICMP
	if to.Is6() {
		proto = unix.IPPROTO_ICMPV6
	}
	fd, err := unix.Socket(familyOf(to), unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, proto)
	if err != nil {
		return nil, err
	}
	if err := unix.Connect(fd, sockaddr(netip.AddrPortFrom(to, 0))); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "ping"), nil
}

// echoReplies passes replies on until there have been none for a while.
func (b *broker) echoReplies(key echoKey, s *echoSocket) {
	defer func() {
		b.mu.Lock()
		delete(b.echoes, key)
		b.mu.Unlock()
		s.f.Close()
	}()
	buf := make([]byte, maxDatagram)
	for {
		n, err := s.f.Read(buf)
		if err != nil && (os.IsTimeout(err) || errnoOf(err) == unix.EIO) {
			return
		}
		if err != nil || n < 8 || buf[0] != 0 && buf[0] != 129 {
			continue // an error by ICMP
		}
		data := append([]byte{byte(key.ident >> 8), byte(key.ident)}, buf[6:n]...)
		to := netip.AddrPortFrom(key.to, 0)
		if b.channel.send(&message{Op: opEcho, From: netip.AddrPortFrom(key.from, 0), To: to, Data: data, FD: -1}) != nil {
			return
		}
	}
}
