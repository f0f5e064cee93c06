package netstack

import (
	"bytes"
	"math/rand"
	"testing"

	"cordon/internal/linux"
)

func spliced(e *testEnd) bool { return e.in.Load() != nil && e.out.Load() != nil }

// pattern is n bytes that tell their place.
func pattern(n, seed int) []byte {
	b := make([]byte, n)
	rand.New(rand.NewSource(int64(seed))).Read(b)
	return b
}

func TestSplice(t *testing.T) {
	for name, test := range map[string]func(t *testing.T, s *Stack){
		"bytes_before_accept_come_first": earlyBytes,
		"both_directions_keep_order":     bothDirections,
		"full_flow_blocks_until_read":    backPressure,
		"unread_bytes_reset_at_close":    resetAtClose,
		"goodbye_follows_the_bytes":      goodbye,
		"quiet_until_the_stack_speaks":   quietReader,
		"peek_leaves_bytes":              peekLeaves,
		"counted_like_packets":           counted,
		"saved_after_the_peer_closed":    savedHalf,
	} {
		t.Run(name, func(t *testing.T) { test(t, newStack(t)) })
	}
}

func earlyBytes(t *testing.T, s *Stack) {
	l := newEnd(t, s, TCP, IPv4, 0)
	if err := l.Bind(Addr{IP: lo4, Port: 81}); err != nil {
		t.Fatal(err)
	}
	if err := l.Listen(8); err != nil {
		t.Fatal(err)
	}
	c := newEnd(t, s, TCP, IPv4, 0)
	if err := c.Connect(Addr{IP: lo4, Port: 81}); err != linux.EINPROGRESS {
		t.Fatal(err)
	}
	c.until(func() error {
		if c.Connecting() {
			return linux.EAGAIN
		}
		return c.TakeError()
	})
	data := pattern(300_000, 1)
	c.send(data[:200_000], nil)
	if spliced(c) {
		t.Error("spliced before the other end is known")
	}
	var a *testEnd
	l.until(func() error {
		e, _, err := l.Accept()
		if err == nil {
			a = watch(t, e)
		}
		return err
	})
	c.send(data[200_000:], nil)
	if !spliced(c) || !spliced(a) {
		t.Error("not spliced after accept")
	}
	if got := a.readAll(len(data)); !bytes.Equal(got, data) {
		t.Error("the stream differs")
	}
}

func bothDirections(t *testing.T, s *Stack) {
	_, c, a := tcpPair(t, s, 82)
	done := make(chan bool)
	run := func(w, r *testEnd, seed int) {
		data := pattern(3<<20, seed)
		go func() {
			for rest := data; len(rest) > 0; {
				n := min(len(rest), 1+rand.Intn(1<<uint(rand.Intn(18))))
				w.send(rest[:n], nil)
				rest = rest[n:]
			}
			done <- true
		}()
		go func() { done <- bytes.Equal(r.readAll(len(data)), data) }()
	}
	// Reads and writes of one end share its wake-ups: one direction at a time.
	for i, p := range [][2]*testEnd{{c, a}, {a, c}} {
		run(p[0], p[1], i)
		for range 2 {
			if !<-done {
				t.Error("the stream differs")
			}
		}
	}
	if c.in.Load().head != nil || a.in.Load().head != nil {
		t.Error("an empty flow keeps memory")
	}
}

func backPressure(t *testing.T, s *Stack) {
	_, c, a := tcpPair(t, s, 83)
	c.SetSendBuffer(20_000)
	a.SetReceiveBuffer(30_000)
	data := pattern(100_000, 3)
	n, err := c.Write(bytes.NewReader(data), WriteOptions{})
	if n != 50_000 || err != nil {
		t.Fatalf("wrote %d, %v; want what both buffers hold", n, err)
	}
	if n, err := c.Write(bytes.NewReader(data), WriteOptions{}); n != 0 || err != linux.EAGAIN {
		t.Fatalf("wrote %d, %v to a full flow", n, err)
	}
	if r := c.Readiness(EventOut); r != 0 {
		t.Errorf("a full flow is ready for %x", r)
	}
	if got := a.readAll(n); !bytes.Equal(got, data[:n]) {
		t.Error("the stream differs")
	}
	c.until(func() error {
		if c.Readiness(EventOut) == 0 {
			return linux.EAGAIN
		}
		return nil
	})
}

func resetAtClose(t *testing.T, s *Stack) {
	_, c, a := tcpPair(t, s, 84)
	c.send([]byte("unread"), nil)
	a.send([]byte("last words"), nil)
	a.Close()
	c.until(func() error {
		if c.Phase() != Failed {
			return linux.EAGAIN
		}
		return nil
	})
	if got := c.readAll(10); string(got) != "last words" {
		t.Errorf("read %q before the reset", got)
	}
	if _, err := c.Read(&bytes.Buffer{}, ReadOptions{}); err != linux.ECONNRESET {
		t.Errorf("read after it: %v, want ECONNRESET", err)
	}
}

func goodbye(t *testing.T, s *Stack) {
	for port := range uint16(200) {
		port += 1000
		l, c, a := tcpPair(t, s, port)
		go func() {
			c.Write(bytes.NewReader([]byte("bye")), WriteOptions{})
			c.Close()
		}()
		var got bytes.Buffer
		a.until(func() error {
			for {
				r, err := a.Read(&got, ReadOptions{})
				if err != nil || r.N == 0 {
					return err
				}
			}
		})
		if got.String() != "bye" {
			t.Fatalf("read %q until the end", got.String())
		}
		a.Close()
		l.Close()
	}
}

func quietReader(t *testing.T, s *Stack) {
	_, c, a := tcpPair(t, s, 89)
	c.send([]byte("x"), nil) // whoever comes second splices
	a.readAll(1)
	if !a.quiet.Load() {
		t.Error("the stack is asked though it has told nothing")
	}
	if _, err := a.Read(&bytes.Buffer{}, ReadOptions{}); err != linux.EAGAIN {
		t.Errorf("read of nothing: %v, want EAGAIN", err)
	}
	if r := a.Readiness(EventIn | EventRdHUp); r != 0 {
		t.Errorf("ready for %#x before the end", r)
	}
	if err := c.Shutdown(DirWrite); err != nil {
		t.Fatal(err)
	}
	a.until(func() error {
		r, err := a.Read(&bytes.Buffer{}, ReadOptions{})
		if err == nil && r.N != 0 {
			t.Errorf("read %d bytes that nobody wrote", r.N)
		}
		return err
	})
	if r := a.Readiness(EventIn | EventRdHUp); r&EventIn == 0 || r&EventRdHUp == 0 {
		t.Errorf("ready for %#x at the end", r)
	}
}

func peekLeaves(t *testing.T, s *Stack) {
	_, c, a := tcpPair(t, s, 86)
	data := pattern(150_000, 5)
	c.send(data, nil)
	for range 2 {
		var b bytes.Buffer
		if r, err := a.Read(&b, ReadOptions{Peek: true}); err != nil || !bytes.Equal(b.Bytes(), data) {
			t.Errorf("peeked at %d bytes, %v", r.N, err)
		}
	}
	if n, err := a.Int(ReceiveQueue); n != len(data) || err != nil {
		t.Errorf("%d bytes wait, %v", n, err)
	}
	if got := a.readAll(len(data)); !bytes.Equal(got, data) {
		t.Error("the stream differs")
	}
}

func counted(t *testing.T, s *Stack) {
	_, c, a := tcpPair(t, s, 87)
	before, lo := s.Counters(), s.Interfaces()[0].Counters
	c.send(pattern(100_000, 6), nil)
	a.readAll(100_000)
	after := s.Counters()
	if d := after.TCPOutSegs - before.TCPOutSegs; d < 2 || after.TCPInSegs-before.TCPInSegs < 2 {
		t.Errorf("%d segments for 100000 bytes", d)
	}
	if d := s.Interfaces()[0].Counters.RxBytes - lo.RxBytes; d < 100_000 {
		t.Errorf("%d bytes came over loopback", d)
	}
	if i, err := c.TCPInfo(); err != nil || i.SegsOut < 2 {
		t.Errorf("TCP_INFO counts %d segments, %v", i.SegsOut, err)
	}
}

func savedHalf(t *testing.T, s *Stack) {
	l, c, a := tcpPair(t, s, 88)
	data := pattern(100_000, 7)
	c.send(data, nil)
	c.Close()
	var blob bytes.Buffer
	if err := Save(&blob, []*Stack{s}, []*Endpoint{l.Endpoint, a.Endpoint}); err != nil {
		t.Fatal(err)
	}
	Resume([]*Stack{s})
	stacks, eps, err := Load(&blob, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stacks[0].Close)
	for _, e := range []*testEnd{a, watch(t, eps[1])} {
		if got := e.readAll(len(data)); !bytes.Equal(got, data) {
			t.Error("the stream differs")
		}
		e.until(func() error {
			r, err := e.Read(&bytes.Buffer{}, ReadOptions{})
			if r.N != 0 {
				t.Errorf("%d bytes after the end", r.N)
			}
			return err
		})
	}
}
