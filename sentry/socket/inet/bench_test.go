package inet_test

import (
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/socket"
	"cordon/sentry/usermem"
	"cordon/sentry/wait"
)

// pair returns the two ends of a connection over loopback.
func pair(tb testing.TB, port uint16) (c, a *end) {
	tb.Helper()
	w := newWorld(tb)
	l := w.socket(linux.AF_INET, linux.SOCK_STREAM, 0)
	at := in4(port, 127, 0, 0, 1)
	w.want(l.Bind(w.root, at), nil)
	w.want(l.Listen(w.root, 8), nil)
	c = w.socket(linux.AF_INET, linux.SOCK_STREAM, 0)
	w.want(c.connect(at), nil)
	a, _ = l.accept()
	return c, a
}

// move calls step until n bytes have gone, sleeping as a task does.
func (e *end) move(b []byte, step func(q *usermem.Seq) (int, error)) {
	q := usermem.OfBytes(b)
	for q.Len() > 0 {
		n, err := step(&q)
		switch {
		case err == error(linux.EAGAIN):
			<-e.wake
		case err != nil || n == 0:
			e.w.t.Error("moved ", n, " ", err)
			return
		}
	}
}

func (e *end) sendAll(b []byte) {
	e.move(b, func(q *usermem.Seq) (int, error) { return e.Send(e.w.root, &socket.Outgoing{Data: q}) })
}

func (e *end) recvAll(b []byte) {
	e.move(b, func(q *usermem.Seq) (int, error) { return e.Receive(e.w.root, &socket.Incoming{Data: q}) })
}

// BenchmarkOneThread is a small message that is sent and then received.
func BenchmarkOneThread(b *testing.B) {
	c, a := pair(b, 7001)
	out, in := make([]byte, 64), make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		c.sendAll(out)
		a.recvAll(in)
	}
}

// BenchmarkPingPong is a small message there and back between two goroutines.
func BenchmarkPingPong(b *testing.B) {
	c, a := pair(b, 7002)
	b.ReportAllocs()
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64)
		for range b.N {
			a.recvAll(buf)
			a.sendAll(buf)
		}
	}()
	buf := make([]byte, 64)
	for range b.N {
		c.sendAll(buf)
		c.recvAll(buf)
	}
	<-done
}

// BenchmarkBulk is a stream in large pieces.
func BenchmarkBulk(b *testing.B) {
	const piece = 128 << 10
	c, a := pair(b, 7003)
	b.SetBytes(piece)
	b.ReportAllocs()
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, piece)
		for range b.N {
			a.recvAll(buf)
		}
	}()
	buf := make([]byte, piece)
	for range b.N {
		c.sendAll(buf)
	}
	<-done
}

// BenchmarkConnect is a connection made, accepted and closed.
func BenchmarkConnect(b *testing.B) {
	w := newWorld(b)
	l := w.socket(linux.AF_INET, linux.SOCK_STREAM, 0)
	at := in4(7004, 127, 0, 0, 1)
	w.want(l.Bind(w.root, at), nil)
	w.want(l.Listen(w.root, 8), nil)
	b.ReportAllocs()
	for b.Loop() {
		s, err := w.reg.New(w.root, w.ns, linux.AF_INET, linux.SOCK_STREAM, 0)
		w.want(err, nil)
		c := &end{s, w, make(chan struct{}, 1)}
		e := wait.ChannelEntry(wait.All, c.wake)
		s.Queue().Add(e)
		w.want(c.connect(at), nil)
		var child socket.Socket
		w.want(l.until(func() (err error) { child, _, err = l.Accept(w.root); return err }), nil)
		child.Release()
		s.Release()
	}
}
