package syscalls

import (
	"slices"
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/arg"
)

// A benchCall is a call by its name in the table, as a guest makes it.
type benchCall struct {
	name string
	args [6]uintptr
	want error // what it returns
}

// call makes calls one after the other.
func (b *bench) call(calls []*benchCall, rows []*Row) {
	for i, c := range calls {
		if _, err := rows[i].call(b.t, &c.args); err != c.want {
			b.Fatalf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// BenchmarkCalls measures the handlers of what programs call most, the table's
// adapter included: their time and what they allocate.
func BenchmarkCalls(bb *testing.B) {
	b := newNetBench(bb)
	buf := uintptr(b.buf())
	path := func(at uintptr, s string) uintptr {
		if _, err := b.t.MM().CopyOut(uint64(at), append([]byte(s), 0)); err != nil {
			b.Fatal(err)
		}
		return at
	}
	// The third page has what calls read; buf is for what they write.
	root, tmp := path(buf+4096, "/usr/share/doc/file"), path(buf+4096+64, "/tmp/file")
	journal, other, link := path(buf+4096+128, "/tmp/journal"), path(buf+4096+192, "/tmp/other"), path(buf+4096+256, "/tmp/link")
	b.must(sysSymlink(b.t, arg.Path(tmp), arg.Path(link)))
	store := func(at uintptr, v any) uintptr {
		var err error
		switch v := v.(type) {
		case linux.Flock:
			err = arg.StoreAt(b.t.MM(), uint64(at), &v)
		case []linux.Iovec:
			err = arg.Out[linux.Iovec](at).StoreAll(b.t.MM(), v)
		case linux.EpollEvent:
			err = arg.StoreAt(b.t.MM(), uint64(at), &v)
		case linux.PollFD:
			err = arg.StoreAt(b.t.MM(), uint64(at), &v)
		case int32:
			err = arg.StoreAt(b.t.MM(), uint64(at), &v)
		}
		if err != nil {
			b.Fatal(err)
		}
		return at
	}
	fd := func(n linux.FD) uintptr { return uintptr(n) }
	f := fd(b.must(sysOpen(b.t, arg.Path(tmp), linux.O_RDWR|linux.O_CREAT, 0o644)))
	for range 4 {
		b.must(sysWrite(b.t, linux.FD(f), arg.InBytes(buf), 4096))
	}
	next := f + 1 // the lowest free descriptor
	lock := func(at uintptr, typ linux.LockType) uintptr {
		return store(at, linux.Flock{Type: typ, Start: 100, Len: 10})
	}
	locked, unlocked := lock(buf+4096+320, linux.F_WRLCK), lock(buf+4096+384, linux.F_UNLCK)
	iov := store(buf+4096+448, []linux.Iovec{{Base: uint64(buf), Len: 100}, {Base: uint64(buf) + 100, Len: 200}})
	rename := [2][6]uintptr{{tmp, other}, {other, tmp}}
	at := func(n uintptr) [6]uintptr { return [6]uintptr{f, buf, n, 0} }
	b.calls(bb, []*benchCall{
		{"read", at(0), nil}, {"pread64", at(64), nil}, {"pwrite64", at(64), nil}, {"readv", [6]uintptr{f, iov, 2}, nil},
		{"lseek", [6]uintptr{f}, nil}, {"fstat", [6]uintptr{f, buf}, nil}, {"stat", [6]uintptr{root, buf}, nil},
		{"statx", [6]uintptr{^uintptr(99), root, 0, 0x7ff, buf}, nil}, {"access", [6]uintptr{root}, nil},
		{"readlink", [6]uintptr{link, buf, 64}, nil}, {"fdatasync", [6]uintptr{f}, nil}, {"ftruncate", [6]uintptr{f, 16384}, nil},
		{"fcntl", [6]uintptr{f, uintptr(linux.F_GETFL)}, nil}, {"clock_gettime", [6]uintptr{1, buf}, nil},
		{"rt_sigprocmask", [6]uintptr{0, 0, buf, 8}, nil}, {"brk", [6]uintptr{}, nil}, {"umask", [6]uintptr{0o22}, nil},
		{"getcwd", [6]uintptr{buf, 100}, nil}, {"futex", [6]uintptr{buf, 129, 1}, nil}, {"sched_yield", [6]uintptr{}, nil},
	}, nil)
	b.calls(bb, []*benchCall{
		{"dup", [6]uintptr{f}, nil}, {"open", [6]uintptr{tmp, uintptr(linux.O_RDWR)}, nil},
		{"socket", [6]uintptr{uintptr(linux.AF_UNIX), uintptr(linux.SOCK_STREAM)}, nil},
	}, &benchCall{"close", [6]uintptr{next}, nil})
	b.calls(bb, []*benchCall{{"fcntl", [6]uintptr{f, uintptr(linux.F_SETLK), locked}, nil}},
		&benchCall{"fcntl", [6]uintptr{f, uintptr(linux.F_SETLK), unlocked}, nil})
	b.calls(bb, []*benchCall{{"rename", rename[0], nil}}, &benchCall{"rename", rename[1], nil})
	b.calls(bb, []*benchCall{{"mknod", [6]uintptr{journal, 0o100644}, nil}}, &benchCall{"unlink", [6]uintptr{journal}, nil})
	b.socketCalls(bb, store)
}

// socketCalls are those of an event loop.
func (b *bench) socketCalls(bb *testing.B, store func(at uintptr, v any) uintptr) {
	buf := uintptr(b.buf())
	r, w := b.connect(b.listen(7010), 7010)
	ur, uw := b.unixPair(linux.SOCK_STREAM)
	ep := b.must(sysEpollCreate1(b.t, 0))
	event := store(buf+4096+512, linux.EpollEvent{Events: linux.EPOLLIN})
	b.must(sysEpollCtl(b.t, ep, linux.EPOLL_CTL_ADD, r, arg.In[linux.EpollEvent](event)))
	one := store(buf+4096+544, int32(1))
	polled := store(buf+4096+576, linux.PollFD{FD: w, Events: 4})
	nothing := uintptr(linux.MSG_DONTWAIT)
	b.calls(bb, []*benchCall{
		{"recvfrom", [6]uintptr{uintptr(r), buf, 64, nothing}, linux.EAGAIN}, {"epoll_wait", [6]uintptr{uintptr(ep), buf, 16, 0}, nil},
		{"epoll_ctl", [6]uintptr{uintptr(ep), uintptr(linux.EPOLL_CTL_MOD), uintptr(r), event}, nil},
		{"poll", [6]uintptr{polled, 1, 0}, nil}, {"ioctl", [6]uintptr{uintptr(r), uintptr(linux.FIONREAD), buf}, nil},
		{"setsockopt", [6]uintptr{uintptr(r), 6, 1, one, 4}, nil}, {"getsockname", [6]uintptr{uintptr(r), buf, one}, nil},
	}, nil)
	b.calls(bb, []*benchCall{{"sendto", [6]uintptr{uintptr(w), buf, 64}, nil}}, &benchCall{"recvfrom", [6]uintptr{uintptr(r), buf, 64}, nil})
	b.calls(bb, []*benchCall{{"sendto", [6]uintptr{uintptr(uw), buf, 64}, nil}}, &benchCall{"recvfrom", [6]uintptr{uintptr(ur), buf, 64}, nil})
}

// calls measures each call, followed by what undoes it if that is not nil.
func (b *bench) calls(bb *testing.B, list []*benchCall, undo *benchCall) {
	row := func(name string) *Row {
		i := slices.IndexFunc(Table[:], func(r Row) bool { return r.Name == name })
		if i < 0 {
			b.Fatalf("no call %s", name)
		}
		return &Table[i]
	}
	for _, c := range list {
		calls, rows, name := []*benchCall{c}, []*Row{row(c.name)}, c.name
		if undo != nil {
			calls, rows, name = append(calls, undo), append(rows, row(undo.name)), name+"+"+undo.name
		}
		bb.Run(name, func(sb *testing.B) {
			s := *b
			s.B = sb
			s.call(calls, rows)
			sb.ReportAllocs()
			for sb.Loop() {
				s.call(calls, rows)
			}
		})
	}
}
