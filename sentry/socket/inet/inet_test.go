package inet_test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/cred"
	"cordon/sentry/socket"
	"cordon/sentry/socket/inet"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// limit ends a test that hangs; nothing is measured by it.
const limit = 20 * time.Second

type world struct {
	t    testing.TB
	reg  *socket.Registry
	ns   *socket.Namespace
	root *vfs.Caller
	user *vfs.Caller
}

func newWorld(t testing.TB) *world {
	t.Helper()
	stack, err := netstack.New()
	if err != nil {
		t.Fatal(err)
	}
	u := cred.NewRootNamespace()
	w := &world{
		t: t, reg: socket.NewRegistry(inet.Provider{}), ns: socket.NewNamespace(stack, u),
		root: &vfs.Caller{Cred: cred.Root(u, cred.AllCaps)},
		user: &vfs.Caller{Cred: &cred.Credentials{RUID: 1000, EUID: 1000, UserNS: u}},
	}
	t.Cleanup(w.ns.DecRef)
	return w
}

func (w *world) want(err, want error) {
	w.t.Helper()
	if err != want {
		w.t.Fatalf("got %v, want %v", err, want)
	}
}

func (w *world) socket(f linux.AddressFamily, typ linux.SockType, proto int32) *end {
	w.t.Helper()
	s, err := w.reg.New(w.root, w.ns, f, typ, proto)
	w.want(err, nil)
	return w.wrap(s)
}

type end struct {
	socket.Socket
	w    *world
	wake chan struct{}
}

func (w *world) wrap(s socket.Socket) *end {
	e, c := wait.Channel(wait.All)
	s.Queue().Add(e)
	w.t.Cleanup(s.Release)
	return &end{s, w, c}
}

// until retries try while it says EAGAIN, as a task's sleep does.
func (e *end) until(try func() error) error {
	e.w.t.Helper()
	deadline := time.After(limit)
	for {
		err := try()
		if err != error(linux.EAGAIN) {
			return err
		}
		select {
		case <-e.wake:
		case <-deadline:
			e.w.t.Fatal("not woken")
		}
	}
}

func (e *end) connect(a socket.Address) error {
	err := e.Connect(e.w.root, a)
	if err == error(linux.EINPROGRESS) {
		return e.until(e.ConnectResult)
	}
	return err
}

func (e *end) send(m *socket.Outgoing, b []byte) (int, error) {
	q := usermem.OfBytes(b)
	m.Data = &q
	n := 0
	err := e.until(func() (err error) { n, err = e.Send(e.w.root, m); return err })
	return n, err
}

func (e *end) recv(n int, flags linux.MsgFlags) ([]byte, *socket.Incoming, error) {
	b := make([]byte, n)
	q := usermem.OfBytes(b)
	in := &socket.Incoming{Data: &q, Flags: flags}
	got := 0
	err := e.until(func() (err error) { got, err = e.Receive(e.w.root, in); return err })
	return b[:min(got, n)], in, err
}

func (e *end) name() socket.Address {
	a, err := e.LocalName()
	e.w.want(err, nil)
	return a
}

func (e *end) accept() (*end, socket.Address) {
	var s socket.Socket
	var from socket.Address
	e.w.want(e.until(func() (err error) { s, from, err = e.Accept(e.w.root); return err }), nil)
	return e.w.wrap(s), from
}

func (e *end) setInt(level linux.SockLevel, opt, v int) error {
	return e.SetOption(e.w.root, level, int32(opt), binary.LittleEndian.AppendUint32(nil, uint32(v)))
}

func (e *end) getInt(level linux.SockLevel, opt int) int {
	e.w.t.Helper()
	b, err := e.GetOption(e.w.root, level, int32(opt), 4)
	e.w.want(err, nil)
	return int(int32(binary.LittleEndian.Uint32(b)))
}

func in4(port uint16, ip ...byte) socket.Address {
	a := make(socket.Address, 16)
	a[0], a[2], a[3] = byte(linux.AF_INET), byte(port>>8), byte(port)
	copy(a[4:], ip)
	return a
}

func in6(port uint16, ip ...byte) socket.Address {
	a := make(socket.Address, 28)
	a[0], a[2], a[3] = byte(linux.AF_INET6), byte(port>>8), byte(port)
	copy(a[8+16-len(ip):], ip)
	return a
}

func TestTCP(t *testing.T) {
	w := newWorld(t)
	l, c := w.socket(linux.AF_INET, linux.SOCK_STREAM, 0), w.socket(linux.AF_INET, linux.SOCK_STREAM, 0)
	if ev := c.Readiness(wait.All); ev&(wait.Out|wait.Hup) != wait.Out|wait.Hup || ev&wait.In != 0 {
		t.Errorf("a new socket has events %x", ev)
	}
	if _, _, err := c.recv(1, 0); err != error(linux.ENOTCONN) {
		t.Errorf("receive before connect: %v", err)
	}
	w.want(l.Bind(w.root, in4(0, 127, 0, 0, 1)), nil)
	w.want(l.Listen(w.root, 5), nil)
	// The unspecified address means this host.
	w.want(c.connect(in4(binary.BigEndian.Uint16(l.name()[2:]))), nil)
	w.want(c.Connect(w.root, l.name()), linux.EISCONN)
	a, from := l.accept()
	if !bytes.Equal(from, c.name()) {
		t.Errorf("accepted from %v, want %v", from, c.name())
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<12)
	if n, err := c.send(&socket.Outgoing{}, big); n != len(big) || err != nil {
		t.Fatal(n, err)
	}
	if got, _, _ := a.recv(4, linux.MSG_PEEK); string(got) != "0123" {
		t.Errorf("peeked %q", got)
	}
	var all []byte
	for len(all) < len(big) {
		b, _, err := a.recv(10_000, 0)
		w.want(err, nil)
		all = append(all, b...)
	}
	if !bytes.Equal(all, big) {
		t.Error("bytes differ")
	}
	c.send(&socket.Outgoing{}, []byte("unread"))
	a.recv(1, linux.MSG_PEEK) // it has arrived
	w.want(a.Shutdown(linux.SHUT_RDWR), nil)
	// As in Linux, unread data stays readable, and the peer sees an end and no reset.
	if b, _, err := a.recv(10, 0); string(b) != "unread" || err != nil {
		t.Errorf("after shutdown: %q %v", b, err)
	}
	if b, _, err := c.recv(10, 0); len(b) != 0 || err != nil {
		t.Errorf("peer of a shutdown: %q %v", b, err)
	}
	if _, err := a.send(&socket.Outgoing{}, []byte("x")); err != error(linux.EPIPE) {
		t.Errorf("send after shutdown: %v", err)
	}
	if ev := c.Readiness(wait.All); ev&(wait.In|wait.RdHup|wait.Out) != wait.In|wait.RdHup|wait.Out || ev&(wait.Hup|wait.Err) != 0 {
		t.Errorf("events %x of a half closed connection", ev)
	}
}

func TestRefusedConnectIsToldOnce(t *testing.T) {
	w := newWorld(t)
	c := w.socket(linux.AF_INET, linux.SOCK_STREAM, 0)
	w.want(c.Connect(w.root, in4(1, 127, 0, 0, 1)), linux.EINPROGRESS)
	for c.Readiness(wait.Out) == 0 {
		<-c.wake
	}
	if ev := c.Readiness(wait.All); ev&(wait.Err|wait.Hup) != wait.Err|wait.Hup {
		t.Errorf("events %x", ev)
	}
	if e := c.getInt(linux.SOL_SOCKET, int(linux.SO_ERROR)); e != int(linux.ECONNREFUSED) {
		t.Errorf("SO_ERROR %d", e)
	}
	if e := c.getInt(linux.SOL_SOCKET, int(linux.SO_ERROR)); e != 0 {
		t.Errorf("SO_ERROR %d the second time", e)
	}
	if ev := c.Readiness(wait.All); ev&wait.Err != 0 {
		t.Errorf("events %x after the error was told", ev)
	}
	blocking := w.socket(linux.AF_INET, linux.SOCK_STREAM, 0)
	w.want(blocking.connect(in4(1, 127, 0, 0, 1)), linux.ECONNREFUSED)
}

func TestBothFamiliesOnOneSocket(t *testing.T) {
	w := newWorld(t)
	l := w.socket(linux.AF_INET6, linux.SOCK_STREAM, 0)
	w.want(l.Bind(w.root, in6(7000)), nil)
	w.want(l.Listen(w.root, 5), nil)
	w.want(l.setInt(linux.SOL_IPV6, int(linux.IPV6_V6ONLY), 1), linux.EINVAL)
	c4, c6 := w.socket(linux.AF_INET, linux.SOCK_STREAM, 0), w.socket(linux.AF_INET6, linux.SOCK_STREAM, 0)
	w.want(c4.connect(in4(7000, 127, 0, 0, 1)), nil)
	a, from := l.accept()
	mapped := in6(binary.BigEndian.Uint16(c4.name()[2:]), 0xff, 0xff, 127, 0, 0, 1)
	if !bytes.Equal(from, mapped) {
		t.Errorf("accepted from %v, want %v", from, mapped)
	}
	if me, _ := a.PeerName(); !bytes.Equal(me, mapped) {
		t.Errorf("peer %v", me)
	}
	w.want(c6.connect(in6(7000, 1)), nil)
	if _, from := l.accept(); !bytes.Equal(from, c6.name()) {
		t.Errorf("accepted from %v", from)
	}
	only := w.socket(linux.AF_INET6, linux.SOCK_STREAM, 0)
	w.want(only.setInt(linux.SOL_IPV6, int(linux.IPV6_V6ONLY), 1), nil)
	w.want(only.Bind(w.root, in6(7001)), nil)
	w.want(only.Listen(w.root, 1), nil)
	w.want(w.socket(linux.AF_INET, linux.SOCK_STREAM, 0).connect(in4(7001, 127, 0, 0, 1)), linux.ECONNREFUSED)
}

func TestUDP(t *testing.T) {
	w := newWorld(t)
	r, s := w.socket(linux.AF_INET, linux.SOCK_DGRAM, 0), w.socket(linux.AF_INET, linux.SOCK_DGRAM, 0)
	w.want(r.Bind(w.root, in4(5300)), nil)
	w.want(w.socket(linux.AF_INET, linux.SOCK_DGRAM, 0).Bind(w.root, in4(5300)), linux.EADDRINUSE)
	if _, err := s.send(&socket.Outgoing{}, []byte("x")); err != error(linux.EDESTADDRREQ) {
		t.Errorf("send to nobody: %v", err)
	}
	for _, o := range []linux.IPOpt{linux.IP_PKTINFO, linux.IP_RECVTTL, linux.IP_RECVTOS} {
		w.want(r.setInt(linux.SOL_IP, int(o), 1), nil)
	}
	w.want(r.setInt(linux.SOL_SOCKET, int(linux.SO_TIMESTAMP), 1), nil)
	w.want(s.setInt(linux.SOL_IP, int(linux.IP_TOS), 0x10), nil)
	s.send(&socket.Outgoing{To: in4(5300)}, []byte("datagram"))
	b, in, err := r.recv(4, linux.MSG_TRUNC|linux.MSG_PEEK)
	if string(b) != "data" || err != nil || in.OutFlags&linux.MSG_TRUNC == 0 {
		t.Errorf("short peek: %q %v %v", b, err, in.OutFlags)
	}
	b, in, err = r.recv(100, 0)
	if string(b) != "datagram" || err != nil || !bytes.Equal(in.From[2:4], s.name()[2:4]) {
		t.Errorf("%q %v from %v", b, err, in.From)
	}
	var flags linux.MsgFlags
	var types []int32
	for _, m := range in.Control.Messages {
		types = append(types, m.Type)
	}
	if c := in.Control.Build(1000, &flags, nil); len(c) != 32+32+24+24 || flags != 0 {
		t.Errorf("control of %d bytes, types %v", len(c), types)
	}
	w.want(s.connect(in4(9, 127, 0, 0, 1)), nil)
	s.send(&socket.Outgoing{}, []byte("nobody there"))
	if _, _, err := s.recv(10, 0); err != error(linux.ECONNREFUSED) {
		t.Errorf("receive after ICMP port unreachable: %v", err)
	}
	if _, err := s.send(&socket.Outgoing{To: in4(0, 127, 0, 0, 1)}, []byte("x")); err != error(linux.EINVAL) {
		t.Errorf("send to port 0: %v", err)
	}
	if _, err := s.send(&socket.Outgoing{To: in4(5300, 127, 0, 0, 1)}, make([]byte, 70_000)); err != error(linux.EMSGSIZE) {
		t.Errorf("send of too much: %v", err)
	}
	six := w.socket(linux.AF_INET6, linux.SOCK_DGRAM, 0)
	six.send(&socket.Outgoing{To: in6(5300, 0xff, 0xff, 127, 0, 0, 1)}, []byte("mapped"))
	if b, _, _ := r.recv(100, 0); string(b) != "mapped" {
		t.Errorf("%q", b)
	}
}

func TestErrorQueue(t *testing.T) {
	w := newWorld(t)
	s := w.socket(linux.AF_INET, linux.SOCK_DGRAM, 0)
	w.want(s.setInt(linux.SOL_IP, int(linux.IP_RECVERR), 1), nil)
	w.want(s.connect(in4(9, 127, 0, 0, 1)), nil)
	s.send(&socket.Outgoing{}, []byte("payload"))
	for s.Readiness(wait.Err) == 0 {
		<-s.wake
	}
	b, in, err := s.recv(100, linux.MSG_ERRQUEUE)
	if err != nil || !bytes.HasSuffix(b, []byte("payload")) || in.OutFlags&linux.MSG_ERRQUEUE == 0 || len(in.Control.Messages) != 1 {
		t.Fatalf("%q %v %+v", b, err, in)
	}
	d := in.Control.Messages[0].Data
	if binary.LittleEndian.Uint32(d) != uint32(linux.ECONNREFUSED) || d[4] != linux.SO_EE_ORIGIN_ICMP || d[5] != 3 || d[6] != 3 {
		t.Errorf("extended error % x", d)
	}
}

// ping lets group 0 ping: net.ipv4.ping_group_range.
func (w *world) ping() {
	w.ns.ChangeKnobs(func(k *socket.Knobs) { k.PingLow, k.PingHigh = 0, 0 })
}

func TestPingNeedsAGroupInTheRange(t *testing.T) {
	w := newWorld(t)
	if _, err := w.reg.New(w.root, w.ns, linux.AF_INET, linux.SOCK_DGRAM, 1); err != error(linux.EACCES) {
		t.Errorf("without a range: %v, want EACCES", err)
	}
	w.ns.ChangeKnobs(func(k *socket.Knobs) { k.PingLow, k.PingHigh = 500, 600 })
	if _, err := w.reg.New(w.user, w.ns, linux.AF_INET, linux.SOCK_DGRAM, 1); err != error(linux.EACCES) {
		t.Errorf("of another group: %v, want EACCES", err)
	}
	w.user.Cred.Groups = []uint32{555}
	s, err := w.reg.New(w.user, w.ns, linux.AF_INET, linux.SOCK_DGRAM, 1)
	w.want(err, nil)
	s.Release()
}

func TestPermissionsAndProtocols(t *testing.T) {
	w := newWorld(t)
	w.ping()
	for _, c := range []struct {
		f     linux.AddressFamily
		typ   linux.SockType
		proto int32
		want  error
	}{
		{linux.AF_INET, linux.SOCK_STREAM, 17, linux.EPROTONOSUPPORT},
		{linux.AF_INET, linux.SOCK_DGRAM, 6, linux.EPROTONOSUPPORT},
		{linux.AF_INET, linux.SOCK_SEQPACKET, 0, linux.ESOCKTNOSUPPORT},
		{linux.AF_INET, linux.SOCK_RAW, 1, linux.EPERM},
		{linux.AF_INET, linux.SOCK_STREAM, -1, linux.EINVAL},
		{linux.AF_APPLETALK, linux.SOCK_STREAM, 0, linux.EAFNOSUPPORT},
		{linux.AF_INET, linux.SOCK_DGRAM, 1, nil},
	} {
		s, err := w.reg.New(w.user, w.ns, c.f, c.typ, c.proto)
		if err != c.want {
			t.Errorf("socket(%v, %v, %d): %v, want %v", c.f, c.typ, c.proto, err, c.want)
		}
		if err == nil {
			s.Release()
		}
	}
	s := w.socket(linux.AF_INET, linux.SOCK_STREAM, 0)
	w.want(s.Bind(w.user, in4(80)), linux.EACCES)
	w.want(s.Bind(w.root, in6(80)), linux.EAFNOSUPPORT)
	w.want(s.Bind(w.root, in4(80)[:8]), linux.EINVAL)
	w.want(s.Bind(w.root, in4(80, 10, 1, 2, 3)), linux.EADDRNOTAVAIL)
	w.want(s.Bind(w.root, in4(80)), nil)
	w.want(s.Bind(w.root, in4(81)), linux.EINVAL)
	w.want(s.Shutdown(linux.SHUT_RD), linux.ENOTCONN)
	_, _, err := s.Accept(w.root)
	w.want(err, linux.EINVAL)
}

func TestOptions(t *testing.T) {
	w := newWorld(t)
	s := w.socket(linux.AF_INET, linux.SOCK_STREAM, 0)
	for _, c := range []struct {
		level      linux.SockLevel
		opt        int
		was, v, is int
	}{
		{linux.SOL_TCP, int(linux.TCP_NODELAY), 0, 1, 1},
		{linux.SOL_TCP, int(linux.TCP_CORK), 0, 1, 1},
		{linux.SOL_TCP, int(linux.TCP_KEEPIDLE), 7200, 60, 60},
		{linux.SOL_TCP, int(linux.TCP_KEEPINTVL), 75, 10, 10},
		{linux.SOL_TCP, int(linux.TCP_KEEPCNT), 9, 3, 3},
		{linux.SOL_TCP, int(linux.TCP_USER_TIMEOUT), 0, 1500, 1500},
		{linux.SOL_SOCKET, int(linux.SO_KEEPALIVE), 0, 1, 1},
		{linux.SOL_SOCKET, int(linux.SO_REUSEADDR), 0, 1, 1},
		{linux.SOL_SOCKET, int(linux.SO_RCVBUF), 1 << 20, 65536, 131072},
		{linux.SOL_IP, int(linux.IP_TTL), 64, 10, 10},
		{linux.SOL_IP, int(linux.IP_MTU_DISCOVER), 1, 2, 2},
	} {
		if got := s.getInt(c.level, c.opt); got != c.was {
			t.Errorf("%v %d is %d, want %d", c.level, c.opt, got, c.was)
		}
		w.want(s.setInt(c.level, c.opt, c.v), nil)
		if got := s.getInt(c.level, c.opt); got != c.is {
			t.Errorf("%v %d was set to %d and is %d, want %d", c.level, c.opt, c.v, got, c.is)
		}
	}
	w.want(s.setInt(linux.SOL_TCP, int(linux.TCP_KEEPIDLE), 0), linux.EINVAL)
	w.want(s.setInt(linux.SOL_TCP, int(linux.TCP_FASTOPEN), 1), nil)
	w.want(s.setInt(linux.SOL_TCP, int(linux.TCP_FASTOPEN), -1), linux.EINVAL)
	w.want(s.setInt(linux.SOL_TCP, int(linux.TCP_FASTOPEN_CONNECT), 2), linux.EINVAL)
	w.want(s.setInt(linux.SOL_TCP, int(linux.TCP_FASTOPEN_CONNECT), 1), nil)
	w.want(s.setInt(linux.SOL_TCP, int(linux.TCP_FASTOPEN_KEY), 1), linux.ENOPROTOOPT)
	w.want(s.setInt(linux.SOL_IP, int(linux.IP_TRANSPARENT), 1), linux.ENOPROTOOPT)
	w.want(s.setInt(linux.SOL_IPV6, int(linux.IPV6_V6ONLY), 1), linux.ENOPROTOOPT)
	w.want(s.SetOption(w.root, linux.SOL_TCP, int32(linux.TCP_CONGESTION), []byte("nonesuch")), linux.ENOENT)
	w.want(s.SetOption(w.root, linux.SOL_TCP, int32(linux.TCP_CONGESTION), []byte("reno")), nil)
	if b, err := s.GetOption(w.root, linux.SOL_TCP, int32(linux.TCP_INFO), 1000); err != nil || len(b) != 248 || b[0] != linux.TCP_CLOSE {
		t.Errorf("TCP_INFO: %d bytes, %v", len(b), err)
	}
	w.want(s.SetOption(w.root, linux.SOL_SOCKET, int32(linux.SO_BINDTODEVICE), []byte("lo\x00")), nil)
	if b, err := s.GetOption(w.root, linux.SOL_SOCKET, int32(linux.SO_BINDTODEVICE), 16); err != nil || string(b) != "lo\x00" {
		t.Errorf("SO_BINDTODEVICE %q %v", b, err)
	}
	w.want(s.SetOption(w.root, linux.SOL_SOCKET, int32(linux.SO_BINDTODEVICE), []byte("eth9")), linux.ENODEV)
}

func TestICMPFilter(t *testing.T) {
	w := newWorld(t)
	w.ping()
	raw, p := w.socket(linux.AF_INET, linux.SOCK_RAW, 1), w.socket(linux.AF_INET, linux.SOCK_DGRAM, 1)
	w.want(raw.setInt(linux.SOL_RAW, linux.ICMP_FILTER, 1<<8), nil) // no echo requests
	p.send(&socket.Outgoing{To: in4(0, 127, 0, 0, 1)}, []byte{8, 0, 0, 0, 0, 0, 0, 7})
	b, _, err := raw.recv(100, linux.MSG_PEEK) // past the request, and not without end
	if err != nil || len(b) != 28 || b[20] != 0 {
		t.Errorf("a look at the raw socket got % x, %v; want the echo reply", b, err)
	}
	b, _, err = raw.recv(100, 0)
	if err != nil || len(b) != 28 || b[20] != 0 {
		t.Errorf("raw socket got % x, %v; want the echo reply", b, err)
	}
	if b, _, err := p.recv(100, 0); err != nil || len(b) != 8 || b[0] != 0 {
		t.Errorf("ping socket got % x, %v", b, err)
	}
}
