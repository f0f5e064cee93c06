package netlink_test

import (
	"encoding/binary"
	"testing"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/cred"
	"cordon/sentry/socket"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// A hostNetwork records what it is asked, and answers with the message it got.
type hostNetwork struct{ asked [][]byte }

func (h *hostNetwork) Ask(b []byte, _ bool) ([][]byte, error) {
	h.asked = append(h.asked, b)
	answer := append([]byte(nil), b...)
	binary.LittleEndian.PutUint32(answer[12:], 4711) // the host socket's port
	return [][]byte{answer}, nil
}

func (*hostNetwork) Interfaces() []netstack.Interface            { return nil }
func (*hostNetwork) Routes() []netstack.Route                    { return nil }
func (*hostNetwork) Neighbours() []netstack.Neighbour            { return nil }
func (*hostNetwork) Sockets(netstack.Family) []socket.HostSocket { return nil }

func TestHostIsAskedAndNeverTold(t *testing.T) {
	u := cred.NewRootNamespace()
	h := &hostNetwork{}
	w := &world{t: t, ns: socket.NewHostNamespace(h, u), root: &vfs.Caller{Cred: cred.Root(u, cred.AllCaps)}}
	s := w.open()
	if err := s.Bind(w.root, append([]byte{16, 0, 0, 0, 77, 0, 0, 0}, 0, 0, 0, 0)); err != nil {
		t.Fatal(err)
	}
	exchange := func(m []byte) (typ linux.NlMsgType, port uint32, errno linux.Errno) {
		t.Helper()
		q := usermem.OfBytes(m)
		if _, err := s.Send(w.root, &socket.Outgoing{Data: &q}); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 8192)
		q = usermem.OfBytes(b)
		if _, err := s.Receive(w.root, &socket.Incoming{Data: &q}); err != nil {
			t.Fatal(err)
		}
		return linux.NlMsgType(binary.LittleEndian.Uint16(b[4:])), binary.LittleEndian.Uint32(b[12:]),
			linux.Errno(-int32(binary.LittleEndian.Uint32(b[16:])))
	}
	if typ, port, _ := exchange(message(linux.RTM_GETLINK, linux.NLM_F_REQUEST|linux.NLM_F_DUMP, 1, make([]byte, 16))); typ != linux.RTM_GETLINK || port != 77 || len(h.asked) != 1 {
		t.Errorf("a question: answer %v to port %d, the host was asked %d times", typ, port, len(h.asked))
	}
	for _, c := range []struct {
		typ  linux.NlMsgType
		size int
		want linux.Errno
	}{
		{linux.RTM_NEWLINK, 16, linux.EPERM}, {linux.RTM_DELROUTE, 12, linux.EPERM}, {linux.RTM_NEWADDR, 8, linux.EPERM},
		{linux.RTM_GETTUNNEL, 16, linux.EOPNOTSUPP}, {linux.RTM_GETLINK, 8000, linux.EOPNOTSUPP}, {linux.NlMsgType(5000), 16, linux.EOPNOTSUPP},
	} {
		typ, port, errno := exchange(message(c.typ, linux.NLM_F_REQUEST, 2, make([]byte, c.size)))
		if typ != linux.NLMSG_ERROR || port != 77 || errno != c.want {
			t.Errorf("%v of %d bytes: answer %v, port %d, %v", c.typ, c.size, typ, port, errno)
		}
	}
	if len(h.asked) != 1 {
		t.Errorf("the host was asked %d times", len(h.asked))
	}
}
