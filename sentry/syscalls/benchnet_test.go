package syscalls

import (
	"encoding/binary"
	"testing"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/arg"
	"cordon/sentry/socket"
	"cordon/sentry/socket/inet"
	"cordon/sentry/socket/unix"
)

// newNetBench is newBench with sockets.
func newNetBench(bb *testing.B) *bench {
	b := newBench(bb)
	stack, err := netstack.New()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(stack.Close)
	netOf(b.t).Stack = stack
	b.t.System().Sockets = socket.NewRegistry(inet.Provider{}, unix.NewProvider())
	return b
}

// must returns what a call that has to succeed returned.
func (b *bench) must(r uintptr, err error) linux.FD {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	return linux.FD(r)
}

// two calls something that stores two descriptors.
func (b *bench) two(call func(out arg.Out[[2]int32]) (uintptr, error)) (linux.FD, linux.FD) {
	b.Helper()
	b.must(call(arg.Out[[2]int32](b.buf())))
	v, err := arg.In[[2]int32](b.buf()).Load(b.t.MM())
	if err != nil {
		b.Fatal(err)
	}
	return linux.FD(v[0]), linux.FD(v[1])
}

func (b *bench) pipe() (r, w linux.FD) {
	return b.two(func(out arg.Out[[2]int32]) (uintptr, error) { return sysPipe2(b.t, out, 0) })
}

func (b *bench) unixPair(typ linux.SockType) (r, w linux.FD) {
	return b.two(func(out arg.Out[[2]int32]) (uintptr, error) {
		return sysSocketpair(b.t, linux.SocketDomain(linux.AF_UNIX), typ, 0, out)
	})
}

// loopback is an address of 127.0.0.1 in the task's memory.
func (b *bench) loopback(port uint16) (arg.InBytes, arg.Count) {
	b.Helper()
	a := make([]byte, 16)
	a[0] = byte(linux.AF_INET)
	binary.BigEndian.PutUint16(a[2:], port)
	copy(a[4:], []byte{127, 0, 0, 1})
	if _, err := b.t.MM().CopyOut(b.mem, a); err != nil {
		b.Fatal(err)
	}
	return arg.InBytes(b.mem), arg.Count(len(a))
}

func (b *bench) listen(port uint16) linux.FD {
	b.Helper()
	l := b.must(sysSocket(b.t, linux.SocketDomain(linux.AF_INET), linux.SOCK_STREAM, 0))
	addr, n := b.loopback(port)
	b.must(sysBind(b.t, l, addr, n))
	b.must(sysListen(b.t, l, 128))
	return l
}

func (b *bench) connect(l linux.FD, port uint16) (c, a linux.FD) {
	b.Helper()
	c = b.must(sysSocket(b.t, linux.SocketDomain(linux.AF_INET), linux.SOCK_STREAM, 0))
	addr, n := b.loopback(port)
	b.must(sysConnect(b.t, c, addr, n))
	return c, b.must(sysAccept4(b.t, l, 0, 0, 0))
}

func (b *bench) pingSelf(r, w linux.FD, n arg.Size) {
	b.run(func() (uintptr, error) {
		if _, err := sysWrite(b.t, w, arg.InBytes(b.buf()), n); err != nil {
			return 0, err
		}
		return sysRead(b.t, r, arg.OutBytes(b.buf()), n)
	})
}

func BenchmarkPipe(bb *testing.B) {
	b := newNetBench(bb)
	r, w := b.pipe()
	b.pingSelf(r, w, 1)
}

func BenchmarkPipe4K(bb *testing.B) {
	b := newNetBench(bb)
	r, w := b.pipe()
	b.pingSelf(r, w, 4096)
}

func BenchmarkUnixStream(bb *testing.B) {
	b := newNetBench(bb)
	r, w := b.unixPair(linux.SOCK_STREAM)
	b.pingSelf(r, w, 64)
}

func BenchmarkUnixDgram(bb *testing.B) {
	b := newNetBench(bb)
	r, w := b.unixPair(linux.SOCK_DGRAM)
	b.pingSelf(r, w, 64)
}

func BenchmarkTCP(bb *testing.B) {
	b := newNetBench(bb)
	r, w := b.connect(b.listen(7001), 7001)
	b.pingSelf(r, w, 64)
}

func BenchmarkEventfd(bb *testing.B) {
	b := newNetBench(bb)
	fd := b.must(sysEventfd2(b.t, 0, 0))
	b.run(func() (uintptr, error) {
		one := uint64(1)
		if err := arg.StoreAt(b.t.MM(), b.buf(), &one); err != nil {
			return 0, err
		}
		if _, err := sysWrite(b.t, fd, arg.InBytes(b.buf()), 8); err != nil {
			return 0, err
		}
		return sysRead(b.t, fd, arg.OutBytes(b.buf()), 8)
	})
}

// BenchmarkEpoll is an event loop's round: one of 20 connections becomes
// readable, is told of and read.
func BenchmarkEpoll(bb *testing.B) {
	b := newNetBench(bb)
	l := b.listen(7002)
	ep := b.must(sysEpollCreate1(b.t, 0))
	var r, w linux.FD
	for range 20 {
		w, r = b.connect(l, 7002)
		ev := linux.EpollEvent{Events: linux.EPOLLIN}
		if err := arg.StoreAt(b.t.MM(), b.buf(), &ev); err != nil {
			b.Fatal(err)
		}
		b.must(sysEpollCtl(b.t, ep, linux.EPOLL_CTL_ADD, r, arg.In[linux.EpollEvent](b.buf())))
	}
	b.run(func() (uintptr, error) {
		if _, err := sysWrite(b.t, w, arg.InBytes(b.buf()), 64); err != nil {
			return 0, err
		}
		if n, err := sysEpollWait(b.t, ep, arg.Out[linux.EpollEvent](b.buf()), 1024, -1); n != 1 {
			b.Fatal(n, err)
		}
		return sysRead(b.t, r, arg.OutBytes(b.buf()), 64)
	})
}

func BenchmarkPoll(bb *testing.B) {
	b := newNetBench(bb)
	fds := make([]linux.PollFD, 20)
	for i := range fds {
		_, w := b.pipe()
		fds[i] = linux.PollFD{FD: w, Events: 4}
	}
	at := arg.InOut[linux.PollFD](b.buf())
	if err := arg.Out[linux.PollFD](at).StoreAll(b.t.MM(), fds); err != nil {
		b.Fatal(err)
	}
	b.run(func() (uintptr, error) { return sysPoll(b.t, at, 20, 0) })
}

func BenchmarkAccept(bb *testing.B) {
	b := newNetBench(bb)
	l := b.listen(7003)
	b.run(func() (uintptr, error) {
		c, a := b.connect(l, 7003)
		sysClose(b.t, c)
		return sysClose(b.t, a)
	})
}

func BenchmarkUDP(bb *testing.B) {
	b := newNetBench(bb)
	r := b.must(sysSocket(b.t, linux.SocketDomain(linux.AF_INET), linux.SOCK_DGRAM, 0))
	w := b.must(sysSocket(b.t, linux.SocketDomain(linux.AF_INET), linux.SOCK_DGRAM, 0))
	addr, n := b.loopback(7005)
	b.must(sysBind(b.t, r, addr, n))
	b.must(sysConnect(b.t, w, addr, n))
	b.pingSelf(r, w, 64)
}

// BenchmarkSelect asks 20 pipes whether they can be written to.
func BenchmarkSelect(bb *testing.B) {
	b := newNetBench(bb)
	var set [16]uint64
	for range 20 {
		_, w := b.pipe()
		set[w/64] |= 1 << (w % 64)
	}
	at := arg.Out[[16]uint64](b.buf())
	var zero linux.Timeval
	if err := arg.StoreAt(b.t.MM(), b.mem, &zero); err != nil {
		b.Fatal(err)
	}
	b.run(func() (uintptr, error) {
		if err := at.Store(b.t.MM(), &set); err != nil {
			return 0, err
		}
		return sysSelect(b.t, 64, 0, arg.Addr(at), 0, arg.InOut[linux.Timeval](b.mem))
	})
}

// BenchmarkEpollChange asks for more events of a file, and for fewer again.
func BenchmarkEpollChange(bb *testing.B) {
	b := newNetBench(bb)
	r, _ := b.unixPair(linux.SOCK_STREAM)
	ep := b.must(sysEpollCreate1(b.t, 0))
	at := arg.In[linux.EpollEvent](b.buf())
	set := func(op linux.EpollOp, events linux.EpollEvents) (uintptr, error) {
		ev := linux.EpollEvent{Events: events}
		if err := arg.StoreAt(b.t.MM(), b.buf(), &ev); err != nil {
			return 0, err
		}
		return sysEpollCtl(b.t, ep, op, r, at)
	}
	b.must(set(linux.EPOLL_CTL_ADD, linux.EPOLLIN))
	b.run(func() (uintptr, error) {
		if _, err := set(linux.EPOLL_CTL_MOD, linux.EPOLLIN|linux.EPOLLOUT); err != nil {
			return 0, err
		}
		return set(linux.EPOLL_CTL_MOD, linux.EPOLLIN)
	})
}

// BenchmarkEpollAddRemove begins and ends to watch a file.
func BenchmarkEpollAddRemove(bb *testing.B) {
	b := newNetBench(bb)
	r, _ := b.unixPair(linux.SOCK_STREAM)
	ep := b.must(sysEpollCreate1(b.t, 0))
	ev := linux.EpollEvent{Events: linux.EPOLLIN}
	if err := arg.StoreAt(b.t.MM(), b.buf(), &ev); err != nil {
		b.Fatal(err)
	}
	at := arg.In[linux.EpollEvent](b.buf())
	b.run(func() (uintptr, error) {
		if _, err := sysEpollCtl(b.t, ep, linux.EPOLL_CTL_ADD, r, at); err != nil {
			return 0, err
		}
		return sysEpollCtl(b.t, ep, linux.EPOLL_CTL_DEL, r, at)
	})
}

// BenchmarkWritev is a header and a body to a socket, as web servers send them.
func BenchmarkWritev(bb *testing.B) {
	b := newNetBench(bb)
	r, w := b.connect(b.listen(7006), 7006)
	iov := []linux.Iovec{{Base: b.buf(), Len: 240}, {Base: b.buf() + 240, Len: 600}}
	if err := arg.Out[linux.Iovec](b.mem).StoreAll(b.t.MM(), iov); err != nil {
		b.Fatal(err)
	}
	b.run(func() (uintptr, error) {
		if _, err := sysWritev(b.t, w, arg.InVec(b.mem), 2); err != nil {
			return 0, err
		}
		return sysRecvfrom(b.t, r, arg.OutBytes(b.buf()), 2048, 0, 0, 0)
	})
}
