package netstack

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"cordon/internal/linux"
)

// limit ends a test that hangs; nothing is measured by it.
const limit = 20 * time.Second

var lo4 = netip.MustParseAddr("127.0.0.1")

func newStack(t *testing.T) *Stack {
	t.Helper()
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

type testEnd struct {
	*Endpoint
	wake chan struct{}
	t    *testing.T
}

func watch(t *testing.T, e *Endpoint) *testEnd {
	w := &testEnd{e, make(chan struct{}, 1), t}
	e.Attach(func(Events) {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	})
	return w
}

func newEnd(t *testing.T, s *Stack, k Kind, f Family, proto uint8) *testEnd {
	t.Helper()
	e, err := s.NewEndpoint(k, f, proto)
	if err != nil {
		t.Fatal(err)
	}
	return watch(t, e)
}

// until retries try while it says EAGAIN, sleeping for readiness as a task would.
func (e *testEnd) until(try func() error) {
	e.t.Helper()
	deadline := time.After(limit)
	for {
		err := try()
		if err == nil {
			return
		}
		if err != linux.EAGAIN && err != linux.EINPROGRESS && err != linux.EALREADY {
			e.t.Fatal(err)
		}
		select {
		case <-e.wake:
		case <-deadline:
			e.t.Fatal("no readiness: ", err)
		}
	}
}

func (e *testEnd) readAll(n int) []byte {
	e.t.Helper()
	var b bytes.Buffer
	e.until(func() error {
		for b.Len() < n {
			r, err := e.Read(&b, ReadOptions{})
			if err != nil {
				return err
			}
			if r.N == 0 {
				return linux.ECONNRESET
			}
		}
		return nil
	})
	return b.Bytes()
}

func (e *testEnd) send(b []byte, to *Addr) {
	e.t.Helper()
	p := bytes.NewReader(b)
	e.until(func() error {
		for p.Len() > 0 {
			if _, err := e.Write(p, WriteOptions{To: to}); err != nil {
				return err
			}
		}
		return nil
	})
}

func tcpPair(t *testing.T, s *Stack, port uint16) (l, c, a *testEnd) {
	t.Helper()
	l = newEnd(t, s, TCP, IPv4, 0)
	if err := l.Bind(Addr{IP: lo4, Port: port}); err != nil {
		t.Fatal(err)
	}
	if err := l.Listen(8); err != nil {
		t.Fatal(err)
	}
	c = newEnd(t, s, TCP, IPv4, 0)
	if err := c.Connect(Addr{IP: lo4, Port: port}); err != linux.EINPROGRESS {
		t.Fatalf("connect: %v, want EINPROGRESS", err)
	}
	l.until(func() error {
		e, peer, err := l.Accept()
		if err != nil {
			return err
		}
		if peer.IP != lo4 || peer.Port == 0 {
			t.Errorf("peer %v", peer)
		}
		a = watch(t, e)
		return nil
	})
	c.until(func() error {
		if c.Connecting() {
			return linux.EAGAIN
		}
		return c.TakeError()
	})
	return l, c, a
}

func TestTCP(t *testing.T) {
	s := newStack(t)
	l, c, a := tcpPair(t, s, 8080)
	c.send([]byte("hello"), nil)
	if got := a.readAll(5); string(got) != "hello" {
		t.Errorf("read %q", got)
	}
	var empty bytes.Buffer
	if _, err := a.Read(&empty, ReadOptions{}); err != linux.EAGAIN {
		t.Errorf("read of nothing: %v, want EAGAIN", err)
	}
	if err := c.Shutdown(DirWrite); err != nil {
		t.Error(err)
	}
	a.until(func() error {
		r, err := a.Read(&empty, ReadOptions{})
		if err == nil && r.N != 0 {
			t.Errorf("read %d after the end", r.N)
		}
		return err
	})
	if _, err := c.Write(strings.NewReader("x"), WriteOptions{}); err != linux.EPIPE {
		t.Errorf("write after shutdown: %v, want EPIPE", err)
	}
	states := map[State]int{}
	for _, i := range s.Endpoints() {
		states[i.State]++
	}
	if states[StateListen] != 1 || states[StateFinWait1]+states[StateFinWait2] != 1 || states[StateCloseWait] != 1 {
		t.Errorf("states %v, want a listener and a half closed pair", states)
	}
	if err := a.Shutdown(DirRead | DirWrite); err != nil {
		t.Error(err)
	}
	refused := newEnd(t, s, TCP, IPv4, 0)
	if err := refused.Connect(Addr{IP: lo4, Port: 1}); err != linux.EINPROGRESS {
		t.Errorf("connect: %v", err)
	}
	refused.until(func() error {
		if refused.Connecting() {
			return linux.EAGAIN
		}
		return nil
	})
	if err := refused.TakeError(); err != linux.ECONNREFUSED {
		t.Errorf("SO_ERROR %v, want ECONNREFUSED", err)
	}
	for _, e := range []*testEnd{l, c, a, refused} {
		e.Close()
	}
}

func TestUDPCarriesAddressesAndControl(t *testing.T) {
	s := newStack(t)
	r, w := newEnd(t, s, UDP, IPv4, 0), newEnd(t, s, UDP, IPv4, 0)
	if err := r.Bind(Addr{Port: 5353}); err != nil {
		t.Fatal(err)
	}
	r.SetFlag(RecvTTL, true)
	r.SetFlag(RecvPktInfo, true)
	if err := w.SetInt(TTL4, 17); err != nil {
		t.Fatal(err)
	}
	to := Addr{IP: lo4, Port: 5353}
	w.send([]byte("datagram"), &to)
	var res ReadResult
	short := tcpip.SliceWriter(make([]byte, 4))
	r.until(func() (err error) { res, err = r.Read(&short, ReadOptions{}); return err })
	if res.N != 4 || res.Total != 8 {
		t.Errorf("read %d of %d, want 4 of 8", res.N, res.Total)
	}
	if me, _ := w.LocalAddr(); res.From.Port != me.Port || res.From.IP != lo4 {
		t.Errorf("from %v, sender is %v", res.From, me)
	}
	if c := res.Control; c.Has&HasTTL == 0 || c.TTL != 17 || c.Has&HasPktInfo4 == 0 || c.Index != LoopbackIndex || c.Dst != lo4 {
		t.Errorf("control %+v", c)
	}
	if err := w.Bind(Addr{Port: 5353}); err != linux.EINVAL {
		t.Errorf("second bind: %v, want EINVAL", err)
	}
	other := newEnd(t, s, UDP, IPv4, 0)
	if err := other.Bind(Addr{Port: 5353}); err != linux.EADDRINUSE {
		t.Errorf("bind of a taken port: %v, want EADDRINUSE", err)
	}
	if err := other.Connect(Addr{IP: lo4, Port: 9}); err != nil {
		t.Fatal(err)
	}
	other.send([]byte("x"), nil)
	other.until(func() error {
		switch err := other.TakeError(); err {
		case nil:
			return linux.EAGAIN
		case linux.ECONNREFUSED:
			return nil
		default:
			return err
		}
	})
}

func TestPingAndRaw(t *testing.T) {
	s := newStack(t)
	raw := newEnd(t, s, Raw, IPv4, 1)
	ping := newEnd(t, s, Ping, IPv4, 0)
	if err := ping.Bind(Addr{}); err != nil {
		t.Fatal(err)
	}
	to := Addr{IP: lo4}
	ping.send([]byte{8, 0, 0, 0, 0, 0, 0, 7}, &to)
	got := ping.readAll(8)
	if got[0] != 0 || got[7] != 7 {
		t.Errorf("echo reply % x", got)
	}
	if p := raw.readAll(28); p[0]>>4 != 4 || p[9] != 1 {
		t.Errorf("raw packet % x", p)
	}
}

func TestListings(t *testing.T) {
	s := newStack(t)
	is := s.Interfaces()
	if len(is) != 1 || is[0].Name != "lo" || !is[0].Up || !is[0].Loopback || is[0].MTU != 65536 || len(is[0].Addrs) != 2 {
		t.Errorf("interfaces %+v", is)
	}
	if err := s.AddRoute(Route{Dst: netip.MustParsePrefix("10.0.0.0/8"), Index: 1}); err != nil {
		t.Error(err)
	}
	if err := s.AddRoute(Route{Dst: netip.MustParsePrefix("10.0.0.0/8"), Index: 1}); err != linux.EEXIST {
		t.Errorf("second route: %v, want EEXIST", err)
	}
	if len(s.Routes()) != 3 {
		t.Errorf("routes %v", s.Routes())
	}
	if p, err := s.FindRoute(netip.MustParseAddr("127.0.0.9"), 0); err != nil || p.Index != 1 {
		t.Errorf("route to 127.0.0.9: %+v %v", p, err)
	}
	if _, err := s.FindRoute(netip.MustParseAddr("8.8.8.8"), 0); err != linux.ENETUNREACH {
		t.Errorf("route to 8.8.8.8: %v, want ENETUNREACH", err)
	}
	if err := s.RemoveRoute(Route{Dst: netip.MustParsePrefix("11.0.0.0/8")}); err != linux.ESRCH {
		t.Errorf("removal of no route: %v, want ESRCH", err)
	}
}

func TestSaveAndLoad(t *testing.T) {
	s := newStack(t)
	l, c, a := tcpPair(t, s, 8080)
	u := newEnd(t, s, UDP, IPv4, 0)
	if err := u.Bind(Addr{IP: lo4, Port: 53}); err != nil {
		t.Fatal(err)
	}
	to := Addr{IP: lo4, Port: 53}
	u.send([]byte("unread datagram"), &to)
	big := bytes.Repeat([]byte("stream"), 50_000)
	c.send(big, nil)
	var blob bytes.Buffer
	if err := Save(&blob, []*Stack{s}, []*Endpoint{l.Endpoint, c.Endpoint, a.Endpoint, u.Endpoint}); err != nil {
		t.Fatal(err)
	}
	Resume([]*Stack{s})
	stacks, eps, err := Load(bytes.NewReader(blob.Bytes()), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stacks[0].Close)
	for _, side := range []struct {
		name       string
		l, c, a, u *testEnd
	}{
		{"loaded", watch(t, eps[0]), watch(t, eps[1]), watch(t, eps[2]), watch(t, eps[3])},
		{"resumed", l, c, a, u},
	} {
		if got := side.a.readAll(len(big)); !bytes.Equal(got, big) {
			t.Errorf("%s: stream of %d bytes differs", side.name, len(got))
		}
		if got := side.u.readAll(15); string(got) != "unread datagram" {
			t.Errorf("%s: datagram %q", side.name, got)
		}
		side.a.send([]byte("and on"), nil)
		if got := side.c.readAll(6); string(got) != "and on" {
			t.Errorf("%s: after it: %q", side.name, got)
		}
		if st := side.l.State(); st != StateListen {
			t.Errorf("%s: listener is in state %d", side.name, st)
		}
	}
	if len(stacks[0].Interfaces()) != 1 || len(stacks[0].Routes()) != 2 {
		t.Errorf("loaded: %v %v", stacks[0].Interfaces(), stacks[0].Routes())
	}
	if _, _, err := Load(strings.NewReader("no blob"), nil, nil); err != linux.EINVAL {
		t.Errorf("load of garbage: %v, want EINVAL", err)
	}
}

// TestErrorTableIsComplete reads the errors that tcpip declares from its source: every one must be named in errors.go.
func TestErrorTableIsComplete(t *testing.T) {
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "gvisor.dev/gvisor/pkg/tcpip").Output()
	if err != nil {
		t.Skip("no go tool: ", err)
	}
	declared := identifiers(t, filepath.Join(strings.TrimSpace(string(dir)), "errors.go"), func(n ast.Node) string {
		if ts, ok := n.(*ast.TypeSpec); ok && strings.HasPrefix(ts.Name.Name, "Err") && ts.Name.Name != "Error" {
			return ts.Name.Name
		}
		return ""
	})
	named := identifiers(t, "errors.go", func(n ast.Node) string {
		if se, ok := n.(*ast.SelectorExpr); ok {
			return se.Sel.Name
		}
		return ""
	})
	if len(declared) < 40 {
		t.Fatalf("only %d errors found", len(declared))
	}
	for name := range declared {
		if !named[name] {
			t.Errorf("tcpip.%s has no errno", name)
		}
	}
	if errnoOf(nil) != nil || errnoOf(&tcpip.ErrNoPortAvailable{}) != linux.EADDRINUSE {
		t.Error("wrong errno")
	}
}

func identifiers(t *testing.T, file string, pick func(ast.Node) string) map[string]bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]bool)
	ast.Inspect(f, func(n ast.Node) bool {
		if name := pick(n); name != "" {
			out[name] = true
		}
		return true
	})
	return out
}

var _ io.Writer = (*tcpip.SliceWriter)(nil)
