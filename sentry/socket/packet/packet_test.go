package packet_test

import (
	"encoding/binary"
	"testing"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/cred"
	"cordon/sentry/socket"
	"cordon/sentry/socket/packet"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

type world struct {
	t    *testing.T
	ns   *socket.Namespace
	root *vfs.Caller
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := netstack.New()
	if err != nil {
		t.Fatal(err)
	}
	u := cred.NewRootNamespace()
	ns := socket.NewNamespace(s, u)
	t.Cleanup(ns.DecRef)
	return &world{t, ns, &vfs.Caller{Cred: cred.Root(u, cred.AllCaps)}}
}

func (w *world) open(typ linux.SockType, proto uint16) socket.Socket {
	w.t.Helper()
	s, err := packet.NewProvider(nil).NewSocket(w.root, w.ns, linux.AF_PACKET, typ, int32(proto<<8|proto>>8))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.Release)
	return s
}

func address(index int32, proto uint16) socket.Address {
	a := make(socket.Address, 20)
	binary.LittleEndian.PutUint16(a, uint16(linux.AF_PACKET))
	binary.BigEndian.PutUint16(a[2:], proto)
	binary.LittleEndian.PutUint32(a[4:], uint32(index))
	return a
}

// read takes a frame; nil when there is none.
func (w *world) read(s socket.Socket) ([]byte, socket.Address) {
	w.t.Helper()
	b := make([]byte, 2048)
	seq := usermem.OfBytes(b)
	in := &socket.Incoming{Data: &seq}
	n, err := s.Receive(w.root, in)
	if err == error(linux.EAGAIN) {
		return nil, nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return b[:n], in.From
}

func (w *world) send(s socket.Socket, to socket.Address, b []byte) error {
	seq := usermem.OfBytes(b)
	_, err := s.Send(w.root, &socket.Outgoing{To: to, Data: &seq})
	return err
}

const test = 0x88b5 // ETH_P of experiments

func frame(proto uint16, text string) []byte {
	b := make([]byte, 14)
	binary.BigEndian.PutUint16(b[12:], proto)
	return append(b, text...)
}

func TestFramesComeBothWays(t *testing.T) {
	w := newWorld(t)
	all, one, cooked := w.open(linux.SOCK_RAW, uint16(linux.ETH_P_ALL)), w.open(linux.SOCK_RAW, uint16(linux.ETH_P_IP)), w.open(linux.SOCK_DGRAM, uint16(linux.ETH_P_ALL))
	ip := make([]byte, 28) // an IPv4 packet that nobody takes
	ip[0], ip[3], ip[8], ip[9] = 0x45, 28, 64, 253
	if err := w.send(all, address(netstack.LoopbackIndex, 0), append(frame(uint16(linux.ETH_P_IP), ""), ip...)); err != nil {
		t.Fatal(err)
	}
	for _, typ := range []byte{linux.PACKET_OUTGOING, linux.PACKET_HOST} {
		b, from := w.read(all)
		if len(b) != 42 || len(from) != 20 || from[10] != typ || binary.BigEndian.Uint16(from[2:]) != uint16(linux.ETH_P_IP) {
			t.Fatalf("%d bytes from % x, want 42 of type %d", len(b), from, typ)
		}
	}
	if b, from := w.read(one); len(b) != 42 || from[10] != linux.PACKET_HOST {
		t.Errorf("a socket of one protocol got %d bytes from % x", len(b), from)
	}
	if b, _ := w.read(one); b != nil {
		t.Error("a socket of one protocol saw what was sent")
	}
	if b, _ := w.read(cooked); len(b) != 28 {
		t.Errorf("without the link header %d bytes, want 28", len(b))
	}
}

func TestFilterAndStatistics(t *testing.T) {
	w := newWorld(t)
	s := w.open(linux.SOCK_RAW, uint16(linux.ETH_P_ALL))
	accept := []byte{0x06, 0, 0, 0, 20, 0, 0, 0} // 20 bytes of each frame
	if err := s.SetOption(w.root, linux.SOL_SOCKET, int32(linux.SO_ATTACH_FILTER), accept); err != nil {
		t.Fatal(err)
	}
	if err := w.send(s, address(netstack.LoopbackIndex, 0), frame(test, "a frame that is longer than that")); err != nil {
		t.Fatal(err)
	}
	if b, _ := w.read(s); len(b) != 20 {
		t.Errorf("%d bytes passed the filter, want 20", len(b))
	}
	b, err := s.GetOption(w.root, linux.SOL_PACKET, int32(linux.PACKET_STATISTICS), 8)
	if err != nil || binary.LittleEndian.Uint32(b) == 0 {
		t.Errorf("statistics % x, %v", b, err)
	}
	none := []byte{0x06, 0, 0, 0, 0, 0, 0, 0}
	if err := s.SetOption(w.root, linux.SOL_SOCKET, int32(linux.SO_ATTACH_FILTER), none); err != nil {
		t.Fatal(err)
	}
	for b, _ := w.read(s); b != nil; b, _ = w.read(s) {
		continue
	}
	if err := w.send(s, address(netstack.LoopbackIndex, 0), frame(test, "x")); err != nil {
		t.Fatal(err)
	}
	if s.Readiness(wait.In) != 0 {
		t.Error("a filter that takes nothing let something pass")
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	s := w.open(linux.SOCK_RAW, 0)
	for what, got := range map[string]struct{ err, want error }{
		"bind to no interface":   {s.Bind(w.root, address(77, 3)), linux.ENODEV},
		"a short address":        {s.Bind(w.root, address(1, 3)[:12]), linux.EINVAL},
		"send to no interface":   {w.send(s, address(77, 3), frame(test, "x")), linux.ENXIO},
		"send less than a frame": {w.send(s, address(1, 3), []byte("x")), linux.EINVAL},
		"send more than the MTU": {w.send(s, address(1, 3), make([]byte, 65536+15)), linux.EMSGSIZE},
		"connect":                {s.Connect(w.root, address(1, 3)), linux.EOPNOTSUPP},
		"a ring to send from":    {s.SetOption(w.root, linux.SOL_PACKET, int32(linux.PACKET_TX_RING), make([]byte, 16)), linux.ENOPROTOOPT},
		"a ring without blocks":  {s.SetOption(w.root, linux.SOL_PACKET, int32(linux.PACKET_RX_RING), []byte{15: 1}), linux.EINVAL},
		"version 4":              {s.SetOption(w.root, linux.SOL_PACKET, int32(linux.PACKET_VERSION), []byte{4, 0, 0, 0}), linux.EINVAL},
	} {
		if got.err != got.want {
			t.Errorf("%s: %v, want %v", what, got.err, got.want)
		}
	}
	user := &vfs.Caller{Cred: &cred.Credentials{RUID: 1000, EUID: 1000, UserNS: w.ns.UserNS}}
	if _, err := packet.NewProvider(nil).NewSocket(user, w.ns, linux.AF_PACKET, linux.SOCK_RAW, 0); err != error(linux.EPERM) {
		t.Errorf("without CAP_NET_RAW: %v, want EPERM", err)
	}
}
