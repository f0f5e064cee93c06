package network

import (
	"io"
	"net/netip"
	"os"
	"sync"
	"time"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/runsc/boot"

	"golang.org/x/sys/unix"
)

// An outside is the broker as the Sentry sees it. It carries the bytes of streams itself, on connected sockets that the
// broker hands over; datagrams go through the broker.
type outside struct {
	// immutable
	channel *channel
	guest   []netip.Prefix

	// set once, before the broker is heard
	gateway *netstack.Gateway

	mu sync.Mutex
	// guarded by mu
	next    uint32
	pending map[uint32]chan message // nil when the broker has gone
}

func newOutside(fd int, guest []netip.Prefix) (*outside, error) {
	c, err := newChannel(fd)
	if err != nil {
		return nil, err
	}
	return &outside{channel: c, guest: guest, pending: make(map[uint32]chan message)}, nil
}

// listen takes what the broker says until it has gone; then everything is refused.
func (o *outside) listen() {
	buf := make([]byte, maxMessage)
	for {
		m, err := o.channel.receive(buf)
		if err == errMessage {
			continue
		}
		if err != nil {
			break
		}
		switch m.Op {
		case opStream, opFlow:
			o.mu.Lock()
			ch := o.pending[m.ID]
			delete(o.pending, m.ID)
			o.mu.Unlock()
			if ch == nil {
				closeFD(m.FD)
				continue
			}
			ch <- m
		case opEcho:
			closeFD(m.FD)
			if o.gateway != nil && m.From.Addr().Is4() == m.To.Addr().Is4() {
				o.gateway.AnswerEcho(m.From.Addr(), m.To.Addr(), m.Data)
			}
		case opInbound, opArrived:
			if o.gateway == nil || m.FD < 0 {
				closeFD(m.FD)
				continue
			}
			go o.inbound(m)
		default:
			closeFD(m.FD)
		}
	}
	o.mu.Lock()
	all := o.pending
	o.pending = nil
	o.mu.Unlock()
	for _, ch := range all {
		ch <- message{FD: -1, Errno: unix.ENETDOWN}
	}
}

// ask sends a request and waits for its answer.
func (o *outside) ask(what op, to netip.AddrPort) (int, error) {
	ch := make(chan message, 1)
	o.mu.Lock()
	if o.pending == nil {
		o.mu.Unlock()
		return -1, linux.ENETDOWN
	}
	o.next++
	id := o.next
	o.pending[id] = ch
	o.mu.Unlock()
	if o.channel.send(&message{Op: what, ID: id, To: to, FD: -1}) != nil {
		o.mu.Lock()
		delete(o.pending, id)
		o.mu.Unlock()
		return -1, linux.ENETDOWN
	}
	m := <-ch
	if m.Errno != 0 || m.FD < 0 {
		closeFD(m.FD)
		return -1, linux.Errno(m.Errno)
	}
	return m.FD, nil
}

// Stream connects on the host first: the guest learns what became of it.
func (o *outside) Stream(r *netstack.StreamRequest) {
	fd, err := o.ask(opStream, r.To)
	if err != nil {
		r.Refuse(err)
		return
	}
	s, err := r.Accept()
	if err != nil {
		unix.Close(fd)
		return
	}
	carry(s, fd)
}

// Datagrams carries a flow; one that is not allowed is given up at once, and asked for again by its next packet.
func (o *outside) Datagrams(to netip.AddrPort, d netstack.DatagramFlow) {
	fd, err := o.ask(opFlow, to)
	if err != nil {
		// Packets that come meanwhile are not worth an answer from the broker each.
		time.AfterFunc(time.Second, func() { d.Close() })
		return
	}
	carryDatagrams(d, newSide(fd, true))
}

func (o *outside) Echo(e *netstack.EchoRequest) {
	// A full socket loses it, as a full wire would; the broker is never waited for here.
	m := message{Op: opEcho, From: netip.AddrPortFrom(e.From, 0), To: netip.AddrPortFrom(e.To, 0), Data: e.Data, FD: -1}
	_ = o.channel.try(&m)
}

// inbound carries what came for a published port.
func (o *outside) inbound(m message) {
	to, ok := o.guestAddr(m.From.Addr())
	if !ok {
		unix.Close(m.FD)
		return
	}
	target := netip.AddrPortFrom(to, m.To.Port())
	if m.Op == opArrived {
		d, err := o.gateway.DialDatagrams(m.From, target)
		if err != nil {
			unix.Close(m.FD)
			return
		}
		carryDatagrams(d, newSide(m.FD, true))
		return
	}
	s, err := o.gateway.DialStream(m.From, target)
	if err != nil {
		unix.Close(m.FD)
		return
	}
	carry(s, m.FD)
}

// guestAddr is the guest's address of a peer's family.
func (o *outside) guestAddr(peer netip.Addr) (netip.Addr, bool) {
	for _, p := range o.guest {
		if p.Addr().Is4() == peer.Is4() {
			return p.Addr(), true
		}
	}
	return netip.Addr{}, false
}

// carryBuffer is how much of a stream is moved at once.
const carryBuffer = 128 << 10

// carry moves the bytes of a stream both ways between the guest and a socket of the host, which it closes.
func carry(guest netstack.Stream, fd int) {
	host := os.NewFile(uintptr(fd), "stream")
	defer host.Close()
	defer guest.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := io.CopyBuffer(onlyWriter{guest}, onlyReader{host}, make([]byte, carryBuffer))
		guest.CloseWrite()
		if err != nil {
			// Whichever side failed, nothing more comes of this connection.
			guest.Close()
			shutdown(host, unix.SHUT_RDWR)
		}
	}()
	_, err := io.CopyBuffer(onlyWriter{host}, onlyReader{guest}, make([]byte, carryBuffer))
	if err != nil {
		shutdown(host, unix.SHUT_RDWR)
		guest.Close()
	} else {
		shutdown(host, unix.SHUT_WR)
	}
	<-done
}

// onlyReader and onlyWriter hide what io.CopyBuffer would use instead of the buffer.
type onlyReader struct{ io.Reader }
type onlyWriter struct{ io.Writer }

func shutdown(f *os.File, how int) {
	if c, err := f.SyscallConn(); err == nil {
		c.Control(func(fd uintptr) { unix.Shutdown(int(fd), how) }) // it may have ended already
	}
}

// carryDatagrams moves datagrams both ways until a side ends; the broker ends an idle flow.
func carryDatagrams(guest netstack.DatagramFlow, host side) {
	defer host.f.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer guest.Close()
		buf := new(datagramBuffer)
		for {
			n, err := host.read(buf)
			if err != nil || n < 0 {
				return
			}
			guest.Write(buf[1 : 1+n]) // or it is lost
		}
	}()
	buf := new(datagramBuffer)
	for {
		n, err := guest.Read(buf[1:])
		if err != nil || host.write(buf, n) != nil {
			break
		}
	}
	host.f.SetReadDeadline(time.Unix(1, 0))
	<-done
}

// attachUser gives a stack the way out by the broker.
func attachUser(s *netstack.Stack, n *boot.Network) error {
	fd := n.FD(n.Broker)
	if fd < 0 {
		return nil
	}
	var guest []netip.Prefix
	if n.Gateway != nil {
		guest = n.Gateway.Guest
	}
	o, err := newOutside(fd, guest)
	if err != nil {
		return err
	}
	if n.Gateway != nil {
		if err := o.addGateway(s, n.Gateway); err != nil {
			return err
		}
	}
	s.Divert(n.Diverted, o)
	s.AtEnd(o.channel.close)
	go o.listen()
	return nil
}

// The hardware addresses of the two ends.
var (
	gatewayHW = netstack.HWAddr{0x52, 0x55, 0x0a, 0x00, 0x02, 0x02}
	guestHW   = netstack.HWAddr{0x52, 0x54, 0x00, 0x12, 0x34, 0x56}
)

func (o *outside) addGateway(s *netstack.Stack, c *boot.Gateway) error {
	g, link, err := netstack.NewGateway(netstack.GatewayConfig{Addrs: c.Addrs, Also: c.DNS, MTU: c.MTU, HWAddr: gatewayHW, Guest: guestHW}, o)
	if err != nil {
		return err
	}
	o.gateway = g
	link.Name = "eth0"
	if err := s.AddLink(0, link); err != nil {
		return err
	}
	i, _ := s.InterfaceByName(link.Name)
	for _, p := range c.Guest {
		if err := s.AddAddress(i.Index, p); err != nil {
			return err
		}
	}
	for _, r := range c.Default {
		any := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if r.Is6() {
			any = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		if err := s.AddRoute(netstack.Route{Dst: any, Gateway: r, Index: i.Index}); err != nil {
			return err
		}
	}
	return nil
}
