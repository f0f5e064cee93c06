package netlink_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/cred"
	"cordon/sentry/socket"
	"cordon/sentry/socket/netlink"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

type world struct {
	t    testing.TB
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
	ns := socket.NewNamespace(stack, u)
	t.Cleanup(ns.DecRef)
	return &world{
		t: t, ns: ns, root: &vfs.Caller{Cred: cred.Root(u, cred.AllCaps)},
		user: &vfs.Caller{Cred: &cred.Credentials{RUID: 1000, EUID: 1000, UserNS: u}},
	}
}

func (w *world) open() socket.Socket {
	w.t.Helper()
	s, err := netlink.Provider{}.NewSocket(w.root, w.ns, linux.AF_NETLINK, linux.SOCK_RAW, int32(linux.NETLINK_ROUTE))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.Release)
	return s
}

func message(typ linux.NlMsgType, flags linux.NlMsgFlags, seq uint32, body []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(16+len(body)))
	b = binary.LittleEndian.AppendUint16(b, uint16(typ))
	b = binary.LittleEndian.AppendUint16(b, uint16(flags))
	b = binary.LittleEndian.AppendUint32(b, seq)
	b = binary.LittleEndian.AppendUint32(b, 0)
	return append(b, body...)
}

func attr(typ uint16, data []byte) []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(4+len(data)))
	b = binary.LittleEndian.AppendUint16(b, typ)
	b = append(b, data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

type answer struct {
	typ   linux.NlMsgType
	flags linux.NlMsgFlags
	seq   uint32
	body  []byte
}

func (a *answer) errno() linux.Errno { return linux.Errno(-int32(binary.LittleEndian.Uint32(a.body))) }

// read takes every answer there is, and fails for one that is not well formed.
func (w *world) read(s socket.Socket) []answer {
	w.t.Helper()
	var out []answer
	for s.Readiness(wait.In) != 0 {
		buf := make([]byte, 4096) // as glibc's getifaddrs has
		q := usermem.OfBytes(buf)
		in := socket.Incoming{Data: &q}
		n, err := s.Receive(w.root, &in)
		if err != nil || in.OutFlags&linux.MSG_TRUNC != 0 || len(in.From) != 12 {
			w.t.Fatalf("receive: %d %v %+v", n, err, in)
		}
		for b := buf[:n]; len(b) > 0; {
			size := int(binary.LittleEndian.Uint32(b))
			if size < 16 || size > len(b) {
				w.t.Fatalf("a message of %d bytes in %d", size, len(b))
			}
			out = append(out, answer{
				linux.NlMsgType(binary.LittleEndian.Uint16(b[4:])), linux.NlMsgFlags(binary.LittleEndian.Uint16(b[6:])),
				binary.LittleEndian.Uint32(b[8:]), b[16:size],
			})
			b = b[min(len(b), (size+3)&^3):]
		}
	}
	return out
}

func (w *world) ask(s socket.Socket, c *vfs.Caller, typ linux.NlMsgType, flags linux.NlMsgFlags, body []byte) []answer {
	w.t.Helper()
	q := usermem.OfBytes(message(typ, flags|linux.NLM_F_REQUEST, 77, body))
	if _, err := s.Send(c, &socket.Outgoing{Data: &q}); err != nil {
		w.t.Fatal(err)
	}
	return w.read(s)
}

func (w *world) wantErrno(as []answer, want linux.Errno) {
	w.t.Helper()
	if len(as) != 1 || as[0].typ != linux.NLMSG_ERROR || as[0].errno() != want || as[0].seq != 77 {
		w.t.Errorf("answers %+v, want errno %v", as, want)
	}
}

func attrs(b []byte) map[uint16][]byte {
	out := map[uint16][]byte{}
	for len(b) >= 4 {
		n := int(binary.LittleEndian.Uint16(b))
		out[binary.LittleEndian.Uint16(b[2:])] = b[4:n]
		b = b[min(len(b), (n+3)&^3):]
	}
	return out
}

func TestDumps(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	for _, c := range []struct {
		name   string
		ask    linux.NlMsgType
		answer linux.NlMsgType
		body   []byte
		n      int
	}{
		{"links", linux.RTM_GETLINK, linux.RTM_NEWLINK, make([]byte, 16), 1},
		{"addresses", linux.RTM_GETADDR, linux.RTM_NEWADDR, make([]byte, 8), 2},
		{"addresses of one family", linux.RTM_GETADDR, linux.RTM_NEWADDR, []byte{byte(linux.AF_INET)}, 1},
		{"routes", linux.RTM_GETROUTE, linux.RTM_NEWROUTE, make([]byte, 12), 4},
		{"neighbours", linux.RTM_GETNEIGH, linux.RTM_NEWNEIGH, make([]byte, 12), 0},
		{"rules", linux.RTM_GETRULE, linux.RTM_NEWRULE, []byte{byte(linux.AF_INET)}, 3},
	} {
		as := w.ask(s, w.user, c.ask, linux.NLM_F_DUMP, c.body)
		if len(as) != c.n+1 || as[c.n].typ != linux.NLMSG_DONE {
			t.Errorf("%s: %d answers, want %d and an end", c.name, len(as), c.n)
			continue
		}
		for _, a := range as[:c.n] {
			if a.typ != c.answer || a.flags&linux.NLM_F_MULTI == 0 || a.seq != 77 {
				t.Errorf("%s: answer %+v", c.name, a)
			}
		}
	}
	as := w.ask(s, w.user, linux.RTM_GETLINK, linux.NLM_F_DUMP, make([]byte, 16))
	if a := attrs(as[0].body[16:]); string(a[linux.IFLA_IFNAME]) != "lo\x00" || binary.LittleEndian.Uint32(a[linux.IFLA_MTU]) != 65536 {
		t.Errorf("attributes %v", a)
	}
}

func TestSingleRequests(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	byName := append(make([]byte, 16), attr(linux.IFLA_IFNAME, []byte("lo\x00"))...)
	if as := w.ask(s, w.user, linux.RTM_GETLINK, 0, byName); len(as) != 1 || as[0].typ != linux.RTM_NEWLINK || as[0].flags&linux.NLM_F_MULTI != 0 {
		t.Errorf("link by name: %+v", as)
	}
	noSuch := make([]byte, 16)
	noSuch[4] = 9
	w.wantErrno(w.ask(s, w.user, linux.RTM_GETLINK, 0, noSuch), linux.ENODEV)
	get := append([]byte{byte(linux.AF_INET), 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, attr(linux.RTA_DST, []byte{127, 0, 0, 1})...)
	as := w.ask(s, w.user, linux.RTM_GETROUTE, 0, get)
	if len(as) != 1 || as[0].typ != linux.RTM_NEWROUTE || as[0].body[7] != linux.RTN_LOCAL {
		t.Errorf("route get: %+v", as)
	}
	copy(get[16:], []byte{8, 8, 8, 8})
	w.wantErrno(w.ask(s, w.user, linux.RTM_GETROUTE, 0, get), linux.ENETUNREACH)
	w.wantErrno(w.ask(s, w.user, linux.RTM_GETTUNNEL, 0, make([]byte, 12)), linux.EOPNOTSUPP)
}

func TestChangesNeedACapability(t *testing.T) {
	w := newWorld(t)
	s, listener := w.open(), w.open()
	if err := listener.SetOption(w.root, linux.SOL_NETLINK, linux.NETLINK_ADD_MEMBERSHIP, []byte{linux.RTNLGRP_IPV4_IFADDR, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	add := append([]byte{byte(linux.AF_INET), 24, 0, 0, 1, 0, 0, 0}, attr(linux.IFA_LOCAL, []byte{10, 0, 0, 1})...)
	w.wantErrno(w.ask(s, w.user, linux.RTM_NEWADDR, linux.NLM_F_ACK, add), linux.EPERM)
	w.wantErrno(w.ask(s, w.root, linux.RTM_NEWADDR, linux.NLM_F_ACK, add), 0)
	w.wantErrno(w.ask(s, w.root, linux.RTM_NEWADDR, linux.NLM_F_ACK, add), linux.EEXIST)
	if !w.ns.Stack.IsLocal(netip.MustParseAddr("10.0.0.1")) {
		t.Error("the stack does not have the address")
	}
	if as := w.read(listener); len(as) != 1 || as[0].typ != linux.RTM_NEWADDR {
		t.Errorf("a listener was told %+v", as)
	}
	w.wantErrno(w.ask(s, w.root, linux.RTM_DELADDR, linux.NLM_F_ACK, add), 0)
	w.wantErrno(w.ask(s, w.root, linux.RTM_DELADDR, linux.NLM_F_ACK, add), linux.EADDRNOTAVAIL)
	down := make([]byte, 16)
	down[4], down[12] = 1, byte(linux.IFF_UP)
	w.wantErrno(w.ask(s, w.root, linux.RTM_NEWLINK, linux.NLM_F_ACK, down), 0)
	if i, _ := w.ns.Stack.Interface(1); i.Up {
		t.Error("lo is still up")
	}
}

func TestLoopbackThatComesUpTellsOfItsAddress(t *testing.T) {
	w := newWorld(t)
	s, listener := w.open(), w.open()
	own := append([]byte{byte(linux.AF_INET), 8, 0, 0, 1, 0, 0, 0}, attr(linux.IFA_LOCAL, []byte{127, 0, 0, 1})...)
	w.wantErrno(w.ask(s, w.root, linux.RTM_DELADDR, linux.NLM_F_ACK, own), 0)
	link := make([]byte, 16)
	link[4], link[12] = 1, byte(linux.IFF_UP)
	w.wantErrno(w.ask(s, w.root, linux.RTM_NEWLINK, linux.NLM_F_ACK, link), 0)
	if err := listener.SetOption(w.root, linux.SOL_NETLINK, linux.NETLINK_ADD_MEMBERSHIP, []byte{linux.RTNLGRP_IPV4_IFADDR, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	link[8] = byte(linux.IFF_UP)
	w.wantErrno(w.ask(s, w.root, linux.RTM_NEWLINK, linux.NLM_F_ACK, link), 0)
	if as := w.read(listener); len(as) != 1 || as[0].typ != linux.RTM_NEWADDR {
		t.Errorf("a listener was told %+v", as)
	}
}

func TestPorts(t *testing.T) {
	w := newWorld(t)
	a, b := w.open(), w.open()
	addr := []byte{byte(linux.AF_NETLINK), 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0}
	if err := a.Bind(w.user, addr); err != nil {
		t.Fatal(err)
	}
	if err := b.Bind(w.user, addr); err != error(linux.EADDRINUSE) {
		t.Errorf("bind to a taken port: %v", err)
	}
	addr[4] = 0
	if err := b.Bind(w.user, addr); err != nil {
		t.Fatal(err)
	}
	if n, _ := b.LocalName(); binary.LittleEndian.Uint32(n[4:]) == 0 {
		t.Error("autobind chose no port")
	}
	for _, p := range []linux.NetlinkProto{linux.NETLINK_AUDIT, linux.NETLINK_GENERIC, linux.NETLINK_CONNECTOR} {
		_, err := netlink.Provider{}.NewSocket(w.root, w.ns, linux.AF_NETLINK, linux.SOCK_RAW, int32(p))
		if err != error(linux.EPROTONOSUPPORT) {
			t.Errorf("%v: %v", p, err)
		}
	}
}

// FuzzSend throws bytes at the parser as root; whatever comes back must be well formed.
func FuzzSend(f *testing.F) {
	f.Add(message(linux.RTM_GETLINK, linux.NLM_F_REQUEST|linux.NLM_F_DUMP, 1, make([]byte, 16)))
	f.Add(message(linux.RTM_GETADDR, linux.NLM_F_REQUEST|linux.NLM_F_DUMP, 1, make([]byte, 8)))
	f.Add(message(linux.RTM_NEWADDR, linux.NLM_F_REQUEST|linux.NLM_F_ACK, 1,
		append([]byte{2, 24, 0, 0, 1, 0, 0, 0}, attr(linux.IFA_LOCAL, []byte{10, 0, 0, 1})...)))
	f.Add(message(linux.RTM_NEWROUTE, linux.NLM_F_REQUEST|linux.NLM_F_ACK|linux.NLM_F_REPLACE, 1,
		append([]byte{2, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, attr(linux.RTA_DST, []byte{10, 0, 0, 0})...)))
	f.Add(message(linux.RTM_SETLINK, linux.NLM_F_REQUEST, 1, append(make([]byte, 16), attr(linux.IFLA_MTU, []byte{0, 5, 0, 0})...)))
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		w.t = t
		s := w.open()
		if err := s.SetOption(w.root, linux.SOL_NETLINK, linux.NETLINK_GET_STRICT_CHK, []byte{1, 0, 0, 0}); err != nil {
			t.Fatal(err)
		}
		q := usermem.OfBytes(b[:min(len(b), 2000)])
		s.Send(w.root, &socket.Outgoing{Data: &q})
		s.(*netlink.Socket).TakeError()
		w.read(s)
	})
}
