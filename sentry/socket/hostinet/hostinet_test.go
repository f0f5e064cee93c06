package hostinet

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/cred"
	"cordon/sentry/file/hostfd"
	"cordon/sentry/socket"
	"cordon/sentry/usermem"
	"cordon/sentry/wait"
)

// limit ends a test that hangs; nothing is measured by it.
const limit = 20 * time.Second

type world struct {
	*testing.T
	ns *socket.Namespace
	p  *Provider
}

func newWorld(t *testing.T) *world {
	n, e := hostfd.NewNotifier()
	if e != 0 {
		t.Fatal(e)
	}
	t.Cleanup(n.Release)
	return &world{t, socket.NewHostNamespace(Network{}, cred.NewRootNamespace()), NewProvider(n)}
}

func (w *world) want(err, want error) {
	w.Helper()
	if err != want {
		w.Fatalf("got %v, want %v", err, want)
	}
}

func (w *world) open(typ linux.SockType) *Socket {
	w.Helper()
	s, err := w.p.NewSocket(nil, w.ns, linux.AF_INET, typ, 0)
	w.want(err, nil)
	w.Cleanup(s.Release)
	return s.(*Socket)
}

func loopback(port uint16) socket.Address {
	return append(binary.BigEndian.AppendUint16(socket.Address{2, 0}, port), 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
}

// until waits for events of s until try says something other than EAGAIN.
func (w *world) until(s *Socket, try func() error) error {
	w.Helper()
	e, c := wait.Channel(wait.All)
	s.Queue().Add(e)
	defer s.Queue().Remove(e)
	deadline := time.After(limit)
	for {
		if err := try(); err != error(linux.EAGAIN) {
			return err
		}
		select {
		case <-c:
		case <-deadline:
			w.Fatal("not woken")
		}
	}
}

// pair is a connection over loopback.
func (w *world) pair() (client, server, listener *Socket) {
	w.Helper()
	listener, client = w.open(linux.SOCK_STREAM), w.open(linux.SOCK_STREAM)
	w.want(listener.Bind(nil, loopback(0)), nil)
	w.want(listener.Listen(nil, 5), nil)
	to, err := listener.LocalName()
	w.want(err, nil)
	if err := client.Connect(nil, to); err != nil {
		w.want(err, linux.EINPROGRESS)
		w.want(w.until(client, client.ConnectResult), nil)
	}
	w.want(w.until(listener, func() error {
		s, from, err := listener.Accept(nil)
		if err == nil {
			server = s.(*Socket)
			if me, _ := client.LocalName(); !bytes.Equal(me, from) {
				w.Errorf("accepted %v, the client is %v", from, me)
			}
		}
		return err
	}), nil)
	w.Cleanup(server.Release)
	return client, server, listener
}

func send(s *Socket, b string, m socket.Outgoing) (int, error) {
	q := usermem.OfBytes([]byte(b))
	m.Data = &q
	return s.Send(nil, &m)
}

func (w *world) receive(s *Socket, size int, flags linux.MsgFlags) (string, *socket.Incoming) {
	w.Helper()
	b := make([]byte, size)
	var in *socket.Incoming
	n := 0
	w.want(w.until(s, func() (err error) {
		q := usermem.OfBytes(b)
		in = &socket.Incoming{Data: &q, Flags: flags}
		n, err = s.Receive(nil, in)
		return err
	}), nil)
	return string(b[:min(n, size)]), in
}

func TestStream(t *testing.T) {
	w := newWorld(t)
	client, server, listener := w.pair()
	if _, err := send(client, "hello", socket.Outgoing{}); err != nil {
		t.Fatal(err)
	}
	if got, _ := w.receive(server, 3, linux.MSG_PEEK); got != "hel" {
		t.Errorf("peeked %q", got)
	}
	if got, _ := w.receive(server, 10, 0); got != "hello" {
		t.Errorf("received %q", got)
	}
	w.want(client.Connect(nil, loopback(1)), linux.EISCONN)
	// More than the buffers hold: the sender is woken when the receiver has read.
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	sum := make(chan int)
	go func() {
		n := 0
		for n < len(big) {
			got, _ := w.receive(server, 1<<16, 0)
			if got != string(big[n:n+len(got)]) {
				t.Errorf("other bytes at %d", n)
			}
			n += len(got)
		}
		sum <- n
	}()
	q := usermem.OfBytes(big)
	for q.Len() > 0 {
		w.want(w.until(client, func() error { _, err := client.Send(nil, &socket.Outgoing{Data: &q}); return err }), nil)
	}
	<-sum
	w.want(client.Shutdown(linux.SHUT_WR), nil)
	if got, _ := w.receive(server, 1, 0); got != "" {
		t.Errorf("after the end: %q", got)
	}
	if r := server.Readiness(wait.In | wait.RdHup); r&wait.RdHup == 0 {
		t.Errorf("after the end: ready for %v", r)
	}
	_, err := send(client, "x", socket.Outgoing{})
	w.want(err, linux.EPIPE)
	if !listener.Listening() || client.Listening() {
		t.Error("SO_ACCEPTCONN is wrong")
	}
}

func TestRefusedConnect(t *testing.T) {
	w := newWorld(t)
	l, c := w.open(linux.SOCK_STREAM), w.open(linux.SOCK_STREAM)
	w.want(l.Bind(nil, loopback(0)), nil) // and does not listen
	to, _ := l.LocalName()
	err := c.Connect(nil, to)
	if err == error(linux.EINPROGRESS) {
		err = w.until(c, c.ConnectResult)
	}
	w.want(err, linux.ECONNREFUSED)
}

func TestDatagrams(t *testing.T) {
	w := newWorld(t)
	a, b := w.open(linux.SOCK_DGRAM), w.open(linux.SOCK_DGRAM)
	w.want(a.Bind(nil, loopback(0)), nil)
	to, _ := a.LocalName()
	w.want(a.SetOption(nil, linux.SOL_IP, int32(linux.IP_RECVTTL), []byte{1, 0, 0, 0}), nil)
	ttl := socket.ControlMessage{Level: linux.SOL_IP, Type: int32(linux.IP_TTL), Data: []byte{7, 0, 0, 0}}
	rights := socket.ControlMessage{Level: linux.SOL_SOCKET, Type: int32(linux.SCM_RIGHTS), Data: []byte{0, 0, 0, 0}}
	n, err := send(b, "datagram", socket.Outgoing{To: to, Control: &socket.Control{Other: []socket.ControlMessage{rights, ttl}}})
	if n != 8 || err != nil {
		t.Fatalf("send: %d, %v", n, err)
	}
	got, in := w.receive(a, 4, 0)
	if got != "data" || in.OutFlags&linux.MSG_TRUNC == 0 {
		t.Errorf("received %q with flags %v", got, in.OutFlags)
	}
	if me, _ := b.LocalName(); parse(in.From).Port != parse(me).Port {
		t.Errorf("from %v, not %v", in.From, me)
	}
	if len(in.Control.Messages) != 1 || !bytes.Equal(in.Control.Messages[0].Data, ttl.Data) {
		t.Errorf("control messages %v", in.Control.Messages)
	}
	for _, m := range []socket.ControlMessage{
		{Level: linux.SOL_SOCKET, Type: 99, Data: []byte{0}}, {Level: linux.SOL_IP, Type: int32(linux.IP_RETOPTS), Data: make([]byte, 8)},
		{Level: linux.SOL_TCP, Type: 1},
	} {
		_, err := send(b, "x", socket.Outgoing{To: to, Control: &socket.Control{Other: []socket.ControlMessage{m}}})
		w.want(err, linux.EINVAL)
	}
	_, err = send(b, string(make([]byte, maxDatagram+1)), socket.Outgoing{To: to})
	w.want(err, linux.EMSGSIZE)
	_, err = send(b, "x", socket.Outgoing{To: socket.Address{1, 0, 'x'}})
	w.want(err, linux.EAFNOSUPPORT)
}

func TestOptions(t *testing.T) {
	w := newWorld(t)
	c, _, _ := w.pair()
	one := []byte{1, 0, 0, 0}
	for _, o := range []struct {
		level linux.SockLevel
		opt   int32
	}{{linux.SOL_TCP, int32(linux.TCP_NODELAY)}, {linux.SOL_SOCKET, int32(linux.SO_KEEPALIVE)}, {linux.SOL_IP, int32(linux.IP_RECVTTL)}} {
		w.want(c.SetOption(nil, o.level, o.opt, one), nil)
		if b, err := c.GetOption(nil, o.level, o.opt, 4); err != nil || !bytes.Equal(b, one) {
			t.Errorf("option %v %d: %v, %v", o.level, o.opt, b, err)
		}
		var host [4]byte
		if _, err := getOption(c.fd, int(o.level), int(o.opt), host[:]); err != nil || host[0] != 1 {
			t.Errorf("option %v %d on the host: %v, %v", o.level, o.opt, host, err)
		}
	}
	// What is not in the table does not reach the host.
	filter := make([]byte, 16)
	w.want(c.SetOption(nil, linux.SOL_SOCKET, int32(linux.SO_ATTACH_FILTER), filter), linux.ENOPROTOOPT)
	w.want(c.SetOption(nil, linux.SOL_TCP, int32(linux.TCP_ULP), []byte("tls")), linux.ENOPROTOOPT)
	w.want(c.SetOption(nil, linux.SOL_IP, 64, make([]byte, 40)), linux.ENOPROTOOPT) // IPT_SO_SET_REPLACE
	w.want(c.SetOption(nil, linux.SOL_SOCKET, int32(linux.SO_SNDBUFFORCE), one), linux.EPERM)
	// A lingering close would hold us up: the host is told only of a reset.
	w.want(c.SetOption(nil, linux.SOL_SOCKET, int32(linux.SO_LINGER), []byte{1, 0, 0, 0, 60, 0, 0, 0}), nil)
	if l, err := c.GetOption(nil, linux.SOL_SOCKET, int32(linux.SO_LINGER), 8); err != nil || l[0] != 1 || l[4] != 60 {
		t.Errorf("SO_LINGER: %v, %v", l, err)
	}
	var host [8]byte
	if _, err := getOption(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, host[:]); err != nil || host[0] != 0 {
		t.Errorf("SO_LINGER on the host: %v, %v", host, err)
	}
}

func TestKindsThatAreNotThere(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		typ   linux.SockType
		proto int32
		want  error
	}{
		{linux.SOCK_RAW, 1, linux.EPERM}, {linux.SOCK_STREAM, 17, linux.EPROTONOSUPPORT}, {linux.SOCK_STREAM, 262, linux.EPROTONOSUPPORT},
		{linux.SOCK_SEQPACKET, 0, linux.ESOCKTNOSUPPORT}, {linux.SOCK_DGRAM, 999, linux.EINVAL},
	} {
		_, err := w.p.NewSocket(nil, w.ns, linux.AF_INET, c.typ, c.proto)
		w.want(err, c.want)
	}
	s := w.open(linux.SOCK_STREAM)
	w.want(s.Bind(nil, socket.Address{1, 0, '/', 'x'}), linux.EAFNOSUPPORT)
	w.want(s.Connect(nil, make(socket.Address, maxAddress+1)), linux.EINVAL)
}

func TestListing(t *testing.T) {
	w := newWorld(t)
	c, _, l := w.pair()
	if e, ok := l.Listing(); !ok || e.State != netstack.StateListen || e.Local.Port == 0 || e.Kind != netstack.TCP {
		t.Errorf("the listener: %+v, %v", e, ok)
	}
	if e, ok := c.Listing(); !ok || e.State != netstack.StateEstablished || e.Remote.Port == 0 {
		t.Errorf("the client: %+v, %v", e, ok)
	}
	if e, ok := w.open(linux.SOCK_STREAM).Listing(); ok {
		t.Errorf("a new socket: %+v", e)
	}
}

func TestReleaseClosesTheDescriptor(t *testing.T) {
	w := newWorld(t)
	s, err := w.p.NewSocket(nil, w.ns, linux.AF_INET, linux.SOCK_STREAM, 0)
	w.want(err, nil)
	fd := s.(*Socket).fd
	s.Release()
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != unix.EBADF {
		t.Errorf("the descriptor is open: %v", err)
	}
	if left := w.ns.Sockets(linux.AF_INET); len(left) != 0 {
		t.Errorf("listed: %v", left)
	}
}

func TestHostsInterfaces(t *testing.T) {
	w := newWorld(t)
	for _, i := range w.ns.Interfaces() {
		if i.Name == "lo" {
			if !i.Loopback || i.Index != 1 || i.MTU == 0 {
				t.Errorf("loopback is %+v", i)
			}
			return
		}
	}
	t.Error("there is no lo")
}
