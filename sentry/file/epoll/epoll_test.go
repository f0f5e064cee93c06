package epoll

import (
	"encoding/binary"
	"testing"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/file/eventfd"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

func system() (*vfs.VFS, *Shared) { return vfs.New(func() int64 { return 0 }, nil), &Shared{} }

func open(v *vfs.VFS, f vfs.File) *vfs.Description {
	return v.NewAnonFile(nil, f, "[test]", linux.O_RDWR)
}

func add(t *testing.T, in *Instance, fd linux.FD, d *vfs.Description, ev linux.EpollEvents) {
	t.Helper()
	if err := in.Control(linux.EPOLL_CTL_ADD, fd, d, &linux.EpollEvent{Events: ev, Data: [2]uint32{uint32(fd)}}, false); err != nil {
		t.Fatal(err)
	}
}

// collect returns the descriptors that are ready.
func collect(in *Instance, max int) []uint32 {
	b := make([]linux.EpollEvent, max)
	var fds []uint32
	for _, ev := range b[:in.Collect(b)] {
		fds = append(fds, ev.Data[0])
	}
	return fds
}

func read(e *eventfd.Event) {
	s := usermem.OfBytes(make([]byte, 8))
	e.Read(&s)
}

func write(e *eventfd.Event) {
	s := usermem.OfBytes(binary.LittleEndian.AppendUint64(nil, 1))
	e.Write(&s)
}

func expect(t *testing.T, what string, got []uint32, want ...uint32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %v ready, want %v", what, got, want)
		return
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s: %v ready, want %v", what, got, want)
		}
	}
}

func TestTriggers(t *testing.T) {
	v, s := system()
	e := eventfd.New(0, 0)
	d := open(v, e)
	t.Run("level", func(t *testing.T) {
		in := New(s)
		add(t, in, 3, d, linux.EPOLLIN)
		woken := 0
		in.Queue().Add(&wait.Entry{Mask: wait.In, Callback: func(*wait.Entry, wait.Events) { woken++ }})
		expect(t, "empty", collect(in, 9))
		write(e)
		if woken != 1 {
			t.Errorf("woken %d times", woken)
		}
		expect(t, "first", collect(in, 9), 3)
		expect(t, "second", collect(in, 9), 3)
		read(e)
		expect(t, "read", collect(in, 9))
		in.Release()
	})
	t.Run("edge", func(t *testing.T) {
		in := New(s)
		write(e)
		add(t, in, 3, d, linux.EPOLLIN|linux.EPOLLET)
		expect(t, "at first", collect(in, 9), 3)
		expect(t, "no edge", collect(in, 9))
		write(e)
		expect(t, "edge", collect(in, 9), 3)
		in.Control(linux.EPOLL_CTL_MOD, 3, d, &linux.EpollEvent{Events: linux.EPOLLIN | linux.EPOLLET, Data: [2]uint32{4}}, false)
		expect(t, "modified", collect(in, 9), 4)
		read(e)
		in.Release()
	})
	t.Run("oneshot", func(t *testing.T) {
		in := New(s)
		write(e)
		add(t, in, 3, d, linux.EPOLLIN|linux.EPOLLONESHOT)
		expect(t, "shot", collect(in, 9), 3)
		write(e)
		expect(t, "spent", collect(in, 9))
		in.Control(linux.EPOLL_CTL_MOD, 3, d, &linux.EpollEvent{Events: linux.EPOLLIN | linux.EPOLLONESHOT, Data: [2]uint32{3}}, false)
		expect(t, "again", collect(in, 9), 3)
		read(e)
		in.Release()
	})
	if !e.Queue().Empty() {
		t.Error("released instances are still told")
	}
	if s.watches.Load() != 0 {
		t.Errorf("%d watches are counted", s.watches.Load())
	}
}

func TestFairness(t *testing.T) {
	v, s := system()
	in := New(s)
	for fd := range linux.FD(4) {
		add(t, in, fd, open(v, eventfd.New(1, 0)), linux.EPOLLIN)
	}
	seen := map[uint32]int{}
	for range 4 {
		for _, fd := range collect(in, 2) {
			seen[fd]++
		}
	}
	for fd := range uint32(4) {
		if seen[fd] != 2 {
			t.Errorf("seen %v", seen)
		}
	}
}

func TestControlErrors(t *testing.T) {
	v, s := system()
	in := New(s)
	self := open(v, in)
	d := open(v, eventfd.New(0, 0))
	plain := open(v, file{})
	ctl := func(op linux.EpollOp, d *vfs.Description, ev linux.EpollEvents) error {
		return in.Control(op, 5, d, &linux.EpollEvent{Events: ev}, false)
	}
	for _, tt := range []struct {
		what string
		got  error
		want error
	}{
		{"delete of nothing", ctl(linux.EPOLL_CTL_DEL, d, 0), linux.ENOENT},
		{"change of nothing", ctl(linux.EPOLL_CTL_MOD, d, 0), linux.ENOENT},
		{"add", ctl(linux.EPOLL_CTL_ADD, d, linux.EPOLLIN), nil},
		{"add again", ctl(linux.EPOLL_CTL_ADD, d, linux.EPOLLIN), linux.EEXIST},
		{"another operation", ctl(9, d, linux.EPOLLIN), linux.EINVAL},
		{"exclusive change", ctl(linux.EPOLL_CTL_MOD, d, linux.EPOLLEXCLUSIVE), linux.EINVAL},
		{"exclusive one-shot", ctl(linux.EPOLL_CTL_ADD, d, linux.EPOLLEXCLUSIVE|linux.EPOLLONESHOT), linux.EINVAL},
		{"itself", ctl(linux.EPOLL_CTL_ADD, self, linux.EPOLLIN), linux.EINVAL},
		{"no poll", ctl(linux.EPOLL_CTL_ADD, plain, linux.EPOLLIN), linux.EPERM},
		{"delete", ctl(linux.EPOLL_CTL_DEL, d, 0), nil},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", tt.what, tt.got, tt.want)
		}
	}
}

type file struct{}

func (file) Release() {}

func TestNesting(t *testing.T) {
	v, s := system()
	ins := make([]*Instance, 7)
	ds := make([]*vfs.Description, 7)
	for i := range ins {
		ins[i] = New(s)
		ds[i] = open(v, ins[i])
	}
	ev := &linux.EpollEvent{Events: linux.EPOLLIN}
	link := func(a, b int) error { return ins[a].Control(linux.EPOLL_CTL_ADD, linux.FD(b), ds[b], ev, false) }
	for i, want := range []error{nil, nil, nil, nil, linux.ELOOP, nil} {
		if err := link(i, i+1); err != want {
			t.Errorf("instance %d watches %d: %v, want %v", i, i+1, err, want)
		}
	}
	if err := link(2, 0); err != linux.ELOOP {
		t.Errorf("a circle: %v", err)
	}
	e := eventfd.New(0, 0)
	woken := 0
	ins[0].Queue().Add(&wait.Entry{Mask: wait.In, Callback: func(*wait.Entry, wait.Events) { woken++ }})
	add(t, ins[4], 9, open(v, e), linux.EPOLLIN)
	if ins[0].Readiness(wait.In) != 0 {
		t.Error("ready before")
	}
	write(e)
	if woken != 1 || ins[0].Readiness(wait.In) != wait.In {
		t.Errorf("woken %d times", woken)
	}
	if n := ins[0].Collect(make([]linux.EpollEvent, 2)); n != 1 {
		t.Errorf("collected %d", n)
	}
	read(e)
	if n := ins[0].Collect(make([]linux.EpollEvent, 2)); n != 0 {
		t.Errorf("collected %d after the read", n)
	}
}

func TestClosedFilesLeave(t *testing.T) {
	v, s := system()
	in := New(s)
	e := eventfd.New(1, 0)
	d := open(v, e)
	add(t, in, 3, d, linux.EPOLLIN)
	d.DecRef()
	expect(t, "closed", collect(in, 9))
	if len(in.items) != 0 || !e.Queue().Empty() {
		t.Error("the item is still there")
	}
	add(t, in, 3, open(v, eventfd.New(1, 0)), linux.EPOLLIN)
	expect(t, "the number again", collect(in, 9), 3)
	for fd := linux.FD(4); fd < 200; fd++ {
		d := open(v, eventfd.New(0, 0))
		add(t, in, fd, d, linux.EPOLLIN)
		d.DecRef()
	}
	if len(in.items) > 70 {
		t.Errorf("%d dead items are kept", len(in.items))
	}
}

func TestImage(t *testing.T) {
	v, s := system()
	in, out := New(s), New(s)
	a, b := eventfd.New(1, 0), eventfd.New(1, 0)
	add(t, in, 1, open(v, a), linux.EPOLLIN|linux.EPOLLET)
	add(t, in, 2, open(v, b), linux.EPOLLIN|linux.EPOLLONESHOT)
	expect(t, "both", collect(in, 9), 1, 2)
	for _, i := range in.Items() {
		if err := out.RestoreItem(i); err != nil {
			t.Fatal(err)
		}
	}
	// An edge-triggered item is asked again after a restore.
	expect(t, "restored", collect(out, 9), 1)
	write(b)
	expect(t, "spent", collect(out, 9))
}

func TestCollectDoesNotAllocate(t *testing.T) {
	if lock.Checking {
		t.Skip("the lock checker allocates")
	}
	v, s := system()
	in := New(s)
	add(t, in, 3, open(v, eventfd.New(1, 0)), linux.EPOLLIN)
	b := make([]linux.EpollEvent, 4)
	in.Collect(b)
	if n := testing.AllocsPerRun(100, func() { in.Collect(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
