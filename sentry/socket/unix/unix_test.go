package unix_test

import (
	"bytes"
	"strings"
	"testing"

	hostunix "golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform/memfile"
	"cordon/sentry/fs/tmpfs"
	"cordon/sentry/socket"
	"cordon/sentry/socket/unix"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/vfs/vfstest"
	"cordon/sentry/wait"
)

type world struct {
	*vfstest.World
	reg *socket.Registry
	ns  *socket.Namespace
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := vfstest.NewWorld(t, func(t *testing.T, v *vfs.VFS) vfs.FileSystem {
		fd, err := hostunix.MemfdCreate("test", hostunix.MFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		mem := memfile.New(int32(fd), 1)
		t.Cleanup(mem.Close)
		fs, err := tmpfs.New(tmpfs.Options{Memory: mem, Clock: func() int64 { return v.Now().ToNS() }, Device: v.NextDevice(), Total: 1 << 30, Data: "mode=755"})
		if err != nil {
			t.Fatal(err)
		}
		return fs
	})
	return &world{w, socket.NewRegistry(unix.NewProvider()), socket.NewNamespace(nil, w.Root.Cred.UserNS)}
}

type end struct {
	socket.Socket
	d *vfs.Description
	w *world
}

func (w *world) wrap(s socket.Socket) *end {
	return &end{s, socket.NewDescription(w.VFS, w.Root, s, 0), w}
}

func (w *world) socket(typ linux.SockType) *end {
	w.T.Helper()
	s, err := w.reg.New(w.Root, w.ns, linux.AF_UNIX, typ, 0)
	w.Want(err, nil)
	return w.wrap(s)
}

func (w *world) pair(typ linux.SockType) (a, b *end) {
	w.T.Helper()
	x, y, err := w.reg.NewPair(w.Root, w.ns, linux.AF_UNIX, typ, 0)
	w.Want(err, nil)
	return w.wrap(x), w.wrap(y)
}

func addr(name string) socket.Address { return append(socket.Address{1, 0}, name...) }

func (e *end) send(b string) (int, error) { return e.sendMsg(&socket.Outgoing{}, b) }

func (e *end) sendMsg(m *socket.Outgoing, b string) (int, error) {
	q := usermem.OfBytes([]byte(b))
	m.Data = &q
	return e.Send(e.w.Root, m)
}

func (e *end) recv(n int, flags linux.MsgFlags) (string, *socket.Incoming, error) {
	b := make([]byte, n)
	q := usermem.OfBytes(b)
	in := &socket.Incoming{Data: &q, Flags: flags}
	got, err := e.Receive(e.w.Root, in)
	return string(b[:min(got, n)]), in, err
}

func (e *end) want(n int, text string) *socket.Incoming {
	e.w.T.Helper()
	got, in, err := e.recv(n, 0)
	if err != nil || got != text {
		e.w.T.Fatalf("received %q, %v; want %q", got, err, text)
	}
	return in
}

func (e *end) wantErr(want error) {
	e.w.T.Helper()
	got, _, err := e.recv(10, 0)
	if err != want {
		e.w.T.Fatalf("received %q, %v; want %v", got, err, want)
	}
}

func (e *end) close() { e.d.DecRef() }

func (w *world) passing(ds ...*vfs.Description) *socket.Outgoing {
	for _, d := range ds {
		d.IncRef()
	}
	return &socket.Outgoing{Control: &socket.Control{Rights: ds}}
}

func TestStream(t *testing.T) {
	w := newWorld(t)
	a, b := w.pair(linux.SOCK_STREAM)
	b.wantErr(linux.EAGAIN)
	for _, s := range []string{"one", "two", "three"} {
		if n, err := a.send(s); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got, _, _ := b.recv(4, linux.MSG_PEEK); got != "onet" {
		t.Errorf("peeked %q", got)
	}
	b.want(4, "onet")
	b.want(100, "wothree")
	if ev := b.Readiness(wait.All); ev&wait.In != 0 || ev&wait.Out == 0 {
		t.Errorf("events %x", ev)
	}
	a.send("last words")
	w.Want(a.Shutdown(linux.SHUT_WR), nil)
	if _, err := a.send("x"); err != linux.EPIPE {
		t.Errorf("send after shutdown: %v", err)
	}
	b.want(100, "last words")
	b.want(100, "")
	if ev := b.Readiness(wait.All); ev&(wait.In|wait.RdHup) != wait.In|wait.RdHup || ev&wait.Hup != 0 {
		t.Errorf("events %x after the peer's shutdown", ev)
	}
	if n, err := b.send("back"); n != 4 || err != nil {
		t.Error(n, err)
	}
	b.close()
	if ev := a.Readiness(wait.All); ev&wait.Hup == 0 {
		t.Errorf("events %x after the peer's end", ev)
	}
	a.want(10, "back")
	a.want(10, "")
	a.close()
}

func TestUnreadDataResets(t *testing.T) {
	w := newWorld(t)
	a, b := w.pair(linux.SOCK_STREAM)
	a.send("unread")
	b.close()
	if _, err := a.send("x"); err != linux.EPIPE {
		t.Errorf("send: %v, want EPIPE", err)
	}
	a.wantErr(linux.ECONNRESET)
	a.want(10, "")
}

func TestBackpressure(t *testing.T) {
	w := newWorld(t)
	a, b := w.pair(linux.SOCK_STREAM)
	big := strings.Repeat("0123456789abcdef", 1<<16)
	sent := 0
	for {
		n, err := a.send(big[sent:])
		if err == linux.EAGAIN {
			break
		}
		w.Want(err, nil)
		sent += n
	}
	if sent == 0 || sent > 512<<10 || a.Readiness(wait.Out) != 0 {
		t.Fatalf("%d bytes were taken, writable %x", sent, a.Readiness(wait.Out))
	}
	woken := false
	a.Queue().Add(&wait.Entry{Mask: wait.Out, Callback: func(*wait.Entry, wait.Events) { woken = true }})
	var got bytes.Buffer
	for got.Len() < sent {
		s, _, err := b.recv(10_000, 0)
		w.Want(err, nil)
		got.WriteString(s)
	}
	if got.String() != big[:sent] {
		t.Error("bytes differ")
	}
	if !woken || a.Readiness(wait.Out) == 0 {
		t.Error("the sender was not told of room")
	}
}

func TestConnect(t *testing.T) {
	for _, name := range []string{"/sock", "\x00abstract\x00name"} {
		w := newWorld(t)
		l, c := w.socket(linux.SOCK_STREAM), w.socket(linux.SOCK_STREAM)
		want := error(linux.ECONNREFUSED)
		if name[0] == '/' {
			want = linux.ENOENT
		}
		w.Want(c.Connect(w.Root, addr(name)), want)
		w.Want(l.Listen(w.Root, 1), linux.EINVAL)
		w.Want(l.Bind(w.Root, addr(name)), nil)
		w.Want(c.Bind(w.Root, addr(name)), linux.EADDRINUSE)
		w.Want(c.Connect(w.Root, addr(name)), linux.ECONNREFUSED)
		w.Want(l.Listen(w.Root, 0), nil)
		dg := w.socket(linux.SOCK_DGRAM)
		w.Want(dg.Connect(w.Root, addr(name)), linux.EPROTOTYPE)
		w.Want(c.Connect(w.Root, addr(name)), nil)
		w.Want(c.Connect(w.Root, addr(name)), linux.EAGAIN) // as in Linux, there is no room to be told more
		second := w.socket(linux.SOCK_STREAM)
		w.Want(second.Connect(w.Root, addr(name)), linux.EAGAIN)
		woken := false
		second.Queue().Add(&wait.Entry{Mask: wait.Out, Callback: func(*wait.Entry, wait.Events) { woken = true }})
		c.send("early")
		s, from, err := l.Accept(w.Root)
		w.Want(err, nil)
		if !bytes.Equal(from, []byte{1, 0}) {
			t.Errorf("accepted from %q", from)
		}
		if !woken {
			t.Error("the waiting connect was not told of room")
		}
		w.Want(c.Connect(w.Root, addr(name)), linux.EISCONN)
		w.Want(second.Connect(w.Root, addr(name)), nil)
		a := w.wrap(s)
		a.want(10, "early")
		wantName := addr(name)
		if name[0] == '/' {
			wantName = append(wantName, 0)
		}
		if got, _ := c.PeerName(); !bytes.Equal(got, wantName) {
			t.Errorf("peer's name %q", got)
		}
		if got, _ := a.LocalName(); !bytes.Equal(got, wantName) {
			t.Errorf("accepted socket's name %q", got)
		}
		l.close()
		w.Want(w.socket(linux.SOCK_STREAM).Connect(w.Root, addr(name)), linux.ECONNREFUSED)
		second.wantErr(linux.ECONNRESET)
		a.send("still here")
		c.want(20, "still here")
	}
}

func TestPathPermission(t *testing.T) {
	w := newWorld(t)
	l := w.socket(linux.SOCK_STREAM)
	w.Want(l.Bind(w.Root, addr("/sock")), nil)
	w.Want(l.Listen(w.Root, 1), nil)
	w.Want(w.socket(linux.SOCK_STREAM).Connect(w.User, addr("/sock")), linux.EACCES)
	w.Write(w.Root, "/file", "x")
	w.Want(w.socket(linux.SOCK_STREAM).Connect(w.Root, addr("/file")), linux.ECONNREFUSED)
	if st := w.Stat(w.Root, "/sock"); st.Mode != linux.S_IFSOCK|0o755 {
		t.Errorf("mode %o", st.Mode)
	}
}

func TestDatagrams(t *testing.T) {
	w := newWorld(t)
	r, s := w.socket(linux.SOCK_DGRAM), w.socket(linux.SOCK_DGRAM)
	w.Want(r.Bind(w.Root, addr("\x00r")), nil)
	if _, err := s.send("x"); err != linux.ENOTCONN {
		t.Errorf("send to nobody: %v", err)
	}
	to := &socket.Outgoing{To: addr("\x00r")}
	for i := range unix.MaxQueue + 1 {
		if _, err := s.sendMsg(to, strings.Repeat("x", i)); err != nil {
			t.Fatal(i, err)
		}
	}
	if _, err := s.sendMsg(to, "too many"); err != linux.EAGAIN {
		t.Fatalf("send to a full queue: %v", err)
	}
	r.want(100, "")
	r.want(100, "x")
	got, in, err := r.recv(1, linux.MSG_TRUNC)
	if got != "x" || err != nil || in.OutFlags&linux.MSG_TRUNC == 0 || in.From != nil {
		t.Errorf("short receive: %q %v %+v", got, err, in)
	}
	w.Want(s.Bind(w.Root, addr("")), nil)
	s.sendMsg(to, "named")
	for range unix.MaxQueue - 2 {
		r.recv(100, 0)
	}
	if in := r.want(10, "named"); len(in.From) != 8 || in.From[2] != 0 {
		t.Errorf("from %q, want an autobound name", in.From)
	}
	w.Want(s.Connect(w.Root, addr("\x00r")), nil)
	third := w.socket(linux.SOCK_DGRAM)
	w.Want(r.Connect(w.Root, mustName(s)), nil)
	if _, err := third.sendMsg(to, "x"); err != linux.EPERM {
		t.Errorf("send to somebody else's peer: %v", err)
	}
	r.close()
	if _, err := s.send("x"); err != linux.ECONNREFUSED {
		t.Errorf("send to a dead peer: %v", err)
	}
}

func mustName(e *end) socket.Address { a, _ := e.LocalName(); return a }

func TestSeqpacketKeepsBorders(t *testing.T) {
	w := newWorld(t)
	a, b := w.pair(linux.SOCK_SEQPACKET)
	a.send("one")
	a.send("two")
	b.want(100, "one")
	b.want(1, "t")
	a.close()
	b.want(10, "")
	if _, err := b.send("x"); err != linux.EPIPE {
		t.Errorf("send: %v, want EPIPE", err)
	}
	n := w.socket(linux.SOCK_SEQPACKET)
	n.wantErr(linux.ENOTCONN)
}

func TestRights(t *testing.T) {
	w := newWorld(t)
	a, b := w.pair(linux.SOCK_STREAM)
	f := w.Open(w.Root, "/", linux.O_RDONLY, 0)
	a.send("before")
	a.sendMsg(w.passing(f), "with")
	a.send("after")
	if refs := f.References(); refs != 2 {
		t.Fatalf("%d references with one in flight", refs)
	}
	// As in Linux, a read begins with what is there and ends behind the descriptors.
	in := b.want(100, "beforewith")
	if len(in.Control.Rights) != 1 || in.Control.Rights[0] != f {
		t.Fatalf("rights %v", in.Control.Rights)
	}
	var flags linux.MsgFlags
	table := vfs.NewFDTable()
	install := func(d *vfs.Description, fl linux.FDFlags) (linux.FD, error) { return table.Install(d, 0, 100, fl) }
	if c := in.Control.Build(100, &flags, install); len(c) != 24 || flags != 0 || table.Get(0) != f {
		t.Errorf("control % x flags %v", c, flags)
	}
	b.want(100, "after")
	a.sendMsg(w.passing(f, f), "x")
	in = b.want(1, "x")
	flags = 0
	if c := in.Control.Build(20, &flags, install); len(c) != 20 || flags&linux.MSG_CTRUNC == 0 {
		t.Errorf("control % x flags %v", c, flags)
	}
	was := f.References()
	a.sendMsg(w.passing(f), "never read")
	b.close()
	if f.References() != was {
		t.Errorf("%d references after the receiver's end, want %d", f.References(), was)
	}
}

func TestCollectorFindsCycles(t *testing.T) {
	w := newWorld(t)
	f := w.Open(w.Root, "/", linux.O_RDONLY, 0)
	a, b := w.pair(linux.SOCK_STREAM)
	c, d := w.pair(linux.SOCK_DGRAM)
	kept, alive := w.pair(linux.SOCK_STREAM)
	x, y := w.pair(linux.SOCK_STREAM)
	a.sendMsg(w.passing(b.d, a.d, f), "x") // b's queue holds both ends of itself
	c.sendMsg(w.passing(d.d), "x")
	x.sendMsg(w.passing(alive.d), "x") // y, which stays open, can receive it
	for _, e := range []*end{a, b, c, d, alive, x} {
		e.close()
	}
	last := w.socket(linux.SOCK_STREAM)
	last.close()
	if n := f.References(); n != 1 {
		t.Errorf("the file in the cycle has %d references, want 1", n)
	}
	if n := len(w.ns.Sockets(linux.AF_UNIX)); n != 3 {
		t.Errorf("%d sockets are left, want y, kept and the one held by y's queue", n)
	}
	y.close()
	kept.close()
	if n := len(w.ns.Sockets(linux.AF_UNIX)); n != 0 {
		t.Errorf("%d sockets are left", n)
	}
}

func TestCredentials(t *testing.T) {
	w := newWorld(t)
	a, b := w.pair(linux.SOCK_STREAM)
	w.Want(b.SetOption(w.Root, linux.SOL_SOCKET, int32(linux.SO_PASSCRED), []byte{1, 0, 0, 0}), nil)
	a.send("x")
	in := b.want(1, "x")
	if len(in.Control.Messages) != 1 || linux.ScmType(in.Control.Messages[0].Type) != linux.SCM_CREDENTIALS {
		t.Fatalf("control %+v", in.Control)
	}
	q := usermem.OfBytes([]byte("x"))
	m := &socket.Outgoing{Data: &q, Control: &socket.Control{Creds: &linux.Ucred{PID: 1, UID: 0, GID: 0}}}
	if _, err := a.Send(w.User, m); err != linux.EPERM {
		t.Errorf("a user claims to be root: %v", err)
	}
	v, err := a.GetOption(w.Root, linux.SOL_SOCKET, int32(linux.SO_PEERCRED), 12)
	if err != nil || len(v) != 12 {
		t.Errorf("SO_PEERCRED: % x %v", v, err)
	}
}

func TestOptions(t *testing.T) {
	w := newWorld(t)
	s := w.socket(linux.SOCK_STREAM)
	get := func(o linux.SockOpt) int {
		v, err := s.GetOption(w.Root, linux.SOL_SOCKET, int32(o), 4)
		w.Want(err, nil)
		return int(v[0]) | int(v[1])<<8 | int(v[2])<<16
	}
	if n := get(linux.SO_SNDBUF); n != 212992 {
		t.Errorf("SO_SNDBUF %d", n)
	}
	w.Want(s.SetOption(w.Root, linux.SOL_SOCKET, int32(linux.SO_SNDBUF), []byte{0, 0x10, 0, 0}), nil)
	if n := get(linux.SO_SNDBUF); n != 8192 {
		t.Errorf("SO_SNDBUF %d after it was set to 4096", n)
	}
	w.Want(s.SetOption(w.Root, linux.SOL_SOCKET, int32(linux.SO_SNDBUF), []byte{0}), linux.EINVAL)
	w.Want(s.SetOption(w.Root, linux.SOL_SOCKET, int32(linux.SO_ATTACH_FILTER), make([]byte, 16)), linux.ENOPROTOOPT)
	w.Want(s.SetOption(w.Root, linux.SOL_TCP, 1, make([]byte, 4)), linux.EOPNOTSUPP)
	tv := make([]byte, 16)
	tv[0] = 2
	w.Want(s.SetOption(w.Root, linux.SOL_SOCKET, int32(linux.SO_RCVTIMEO), tv), nil)
	if r, snd := s.Timeouts(); r != 2e9 || snd != socket.NoTimeout {
		t.Errorf("timeouts %d %d", r, snd)
	}
}

// Who receives a datagram may be done with it, and its buffer in use for the next one, before its sender looks again.
func TestRightsAreTheReceivers(t *testing.T) {
	w := newWorld(t)
	a, b := w.pair(linux.SOCK_DGRAM)
	f := w.Open(w.Root, "/", linux.O_RDONLY, 0)
	const messages = 20000
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; n < messages; {
			if _, in, err := b.recv(10, 0); err == nil {
				socket.ReleaseRights(in.Control.Rights)
				in.Control.Rights = nil
				n++
			}
		}
	}()
	for n := 0; n < messages; {
		m := w.passing(f)
		if _, err := a.sendMsg(m, "x"); err == nil {
			n++
		}
		m.Control.Release() // as the call does: what is left is not the message's
	}
	<-done
	if refs := f.References(); refs != 1 {
		t.Errorf("%d references, not 1", refs)
	}
}
