package nettext_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/cred"
	"cordon/sentry/socket"
	"cordon/sentry/socket/inet"
	"cordon/sentry/socket/netlink"
	"cordon/sentry/socket/nettext"
	"cordon/sentry/socket/unix"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// A table stands for the descriptors of a sandbox.
type table struct{ sockets []socket.Socket }

type tableImage struct{ Sockets []checkpoint.Ref }

func kinds() []checkpoint.Kind {
	ks := []checkpoint.Kind{checkpoint.Object("test.table",
		func(s *checkpoint.Saver, t *table) (im tableImage) {
			for _, k := range t.sockets {
				im.Sockets = append(im.Sockets, s.Ref(k))
			}
			return im
		},
		func(l *checkpoint.Loader, t *table, im tableImage) (err error) {
			t.sockets, err = checkpoint.GetAll[socket.Socket](l, im.Sockets)
			return err
		})}
	for _, k := range [][]checkpoint.Kind{cred.Kinds(), socket.Kinds(), unix.Kinds(), inet.Kinds(), netlink.Kinds(), vfs.Kinds()} {
		ks = append(ks, k...)
	}
	return ks
}

func receive(t *testing.T, s socket.Socket, want string) {
	t.Helper()
	b := make([]byte, 100)
	q := usermem.OfBytes(b)
	n := 0
	err := until(t, s, func() (err error) { n, err = s.Receive(nil, &socket.Incoming{Data: &q}); return err })
	if err != nil || string(b[:n]) != want {
		t.Errorf("received %q, %v; want %q", b[:n], err, want)
	}
}

// until retries try while it says EAGAIN, as a task's sleep does.
func until(t *testing.T, s socket.Socket, try func() error) error {
	t.Helper()
	e, woken := wait.Channel(wait.All)
	s.Queue().Add(e)
	defer s.Queue().Remove(e)
	limit := time.After(20 * time.Second)
	for {
		err := try()
		if err != error(linux.EAGAIN) {
			return err
		}
		select {
		case <-woken:
		case <-limit:
			return err
		}
	}
}

func send(t *testing.T, c *vfs.Caller, s socket.Socket, text string) {
	t.Helper()
	q := usermem.OfBytes([]byte(text))
	if _, err := s.Send(c, &socket.Outgoing{Data: &q}); err != nil {
		t.Errorf("send: %v", err)
	}
}

func TestSocketsSurviveACheckpoint(t *testing.T) {
	stack, err := netstack.New()
	if err != nil {
		t.Fatal(err)
	}
	u := cred.NewRootNamespace()
	ns := socket.NewNamespace(stack, u)
	c := &vfs.Caller{Cred: cred.Root(u, cred.AllCaps)}
	reg := socket.NewRegistry(inet.Provider{}, netlink.Provider{}, unix.NewProvider())
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	open := func(f linux.AddressFamily, typ linux.SockType) socket.Socket {
		t.Helper()
		s, err := reg.New(c, ns, f, typ, 0)
		must(err)
		return s
	}
	a, b, err := reg.NewPair(c, ns, linux.AF_UNIX, linux.SOCK_STREAM, 0)
	must(err)
	named := open(linux.AF_UNIX, linux.SOCK_STREAM)
	must(named.Bind(c, socket.Address("\x01\x00\x00name")))
	must(named.Listen(c, 5))
	waiting := open(linux.AF_UNIX, linux.SOCK_STREAM)
	must(waiting.Connect(c, socket.Address("\x01\x00\x00name")))
	l := open(linux.AF_INET, linux.SOCK_STREAM)
	must(l.Bind(c, socket.Address{2, 0, 0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}))
	must(l.Listen(c, 5))
	udp := open(linux.AF_INET, linux.SOCK_DGRAM)
	must(udp.Connect(c, socket.Address{2, 0, 0, 9, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}))
	must(udp.SetOption(c, linux.SOL_IP, int32(linux.IP_TTL), []byte{7, 0, 0, 0}))
	nl := open(linux.AF_NETLINK, linux.SOCK_RAW)
	send(t, c, nl, string([]byte{20, 0, 0, 0, byte(linux.RTM_GETADDR), 0, 1, 3, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0}))
	send(t, c, a, "unread")
	send(t, c, waiting, "early")

	var blob bytes.Buffer
	must(checkpoint.Save(&blob, kinds(), &table{[]socket.Socket{a, b, named, waiting, l, udp, nl}}))
	root, err := checkpoint.Load(bytes.NewReader(blob.Bytes()), kinds(), map[string]any{unix.SlotProvider: unix.NewProvider()})
	must(err)
	for name, s := range map[string][]socket.Socket{"loaded": root.(*table).sockets, "saved": {a, b, named, waiting, l, udp, nl}} {
		t.Run(name, func(t *testing.T) { carryOn(t, c, reg, s) })
	}
}

// carryOn uses the sockets of TestSocketsSurviveACheckpoint.
func carryOn(t *testing.T, c *vfs.Caller, reg *socket.Registry, s []socket.Socket) {
	a, b, named, l, udp, nl := s[0], s[1], s[2], s[4], s[5], s[6]
	ns := a.(socket.Listed).Basis().Namespace()
	receive(t, b, "unread")
	send(t, c, b, "back")
	receive(t, a, "back")
	conn, _, err := named.Accept(c)
	if err != nil {
		t.Fatal(err)
	}
	receive(t, conn, "early")
	again, err := reg.New(c, ns, linux.AF_UNIX, linux.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Connect(c, socket.Address("\x01\x00\x00name")); err != nil {
		t.Errorf("connect to the abstract name: %v", err)
	}
	if v, err := udp.GetOption(c, linux.SOL_IP, int32(linux.IP_TTL), 4); err != nil || v[0] != 7 {
		t.Errorf("IP_TTL %v %v", v, err)
	}
	if peer, err := udp.PeerName(); err != nil || peer[3] != 9 {
		t.Errorf("UDP's peer %v %v", peer, err)
	}
	q := usermem.OfBytes(make([]byte, 4096))
	if n, err := nl.Receive(c, &socket.Incoming{Data: &q}); n == 0 || err != nil {
		t.Errorf("netlink's answer: %d %v", n, err)
	}
	client, err := reg.New(c, ns, linux.AF_INET, linux.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Connect(c, socket.Address{2, 0, 0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}); err != error(linux.EINPROGRESS) {
		t.Errorf("connect: %v", err)
	}
	if err := until(t, l, func() error { _, _, err := l.Accept(c); return err }); err != nil {
		t.Errorf("accept: %v", err)
	}
	if !strings.Contains(string(nettext.Texts{}.Text(ns, "unix")), "@name") {
		t.Error("the listener is not listed")
	}
}
