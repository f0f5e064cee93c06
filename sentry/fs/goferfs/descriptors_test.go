package goferfs

import (
	"fmt"
	"testing"

	"cordon/gofer/client"
	"cordon/gofer/donate"
	"cordon/gofer/gofertest"
	"cordon/gofer/hostfs"
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// full is a gofer's connection to a process that may not have another descriptor, until
// one is closed.
type full struct {
	client.Transport
	h     *hosts
	until int64 // so many have been closed
}

func (f *full) Do(q *donate.Request, r *donate.Reply) {
	f.Transport.Do(q, r)
	if f.h == nil || f.h.forgotten.Load() >= f.until || r.FD < 0 {
		return
	}
	closeFD(r.FD)
	r.FD = -1
	if q.Op != donate.OpWalk {
		*r = donate.Reply{Op: r.Op, Errno: linux.ENFILE, FD: -1}
	}
}

// TestIdleFilesMakeRoom: descriptors that are only kept are given up for one that is
// needed, and if there are none the error is the program's.
func TestIdleFilesMakeRoom(t *testing.T) {
	dir := t.TempDir()
	c, _ := gofertest.Local(t, hostfs.Config{ProcFD: -1, Mounts: []hostfs.Mount{{Name: "m", Root: -1, Path: dir}}})
	f := &full{}
	c = client.Wrap(c, func(t client.Transport) client.Transport { f.Transport = t; return f })
	h := &hosts{}
	fs, err := New(Options{Client: c, Attach: "m", Device: 42, Hosts: h})
	if err != nil {
		t.Fatal(err)
	}
	e := &env{T: t, dir: dir, fs: fs, root: fs.Root().(vfs.Directory), hosts: h}
	for i := range 5 {
		e.write(fmt.Sprint("f", i), "text")
	}
	for i := range 3 {
		e.open(e.lookup(fmt.Sprint("f", i)), linux.O_RDONLY).Release()
	}
	f.h, f.until = h, 1
	x := e.open(e.lookup("f3"), linux.O_RDONLY)
	if n := h.forgotten.Load(); n != 3 {
		t.Errorf("%d descriptors were given up, not the three", n)
	}
	f.until = 1000
	_, err = e.lookup("f4").Open(nil, vfs.Path{}, linux.O_RDONLY)
	e.want(err, linux.ENFILE)
	if e.read(x, 0, 4) != "text" {
		t.Error("an open file lost its descriptor")
	}
	x.Release()
}

// TestLookThenOpen: where programs open what they have asked about, the descriptor comes
// with the answer; where they stop doing so, it does not.
func TestLookThenOpen(t *testing.T) {
	both(t, func(e *env) {
		const n = 3 * lookedSpan
		for i := range n {
			e.write(fmt.Sprintf("d%d/f", i), "text")
		}
		var trips int64
		visit := func(i int, open bool) {
			dir := e.lookup(fmt.Sprint("d", i)).(vfs.Directory)
			e.trips()
			in, err := dir.Lookup("f")
			e.must(err)
			if open {
				e.open(in, linux.O_RDONLY).Release()
			}
			trips = e.trips()
		}
		fs := inodeOf(e.root).fs
		for i := range 4 {
			visit(i, true)
		}
		if trips != 1 {
			e.Errorf("a lookup and an open took %d round trips", trips)
		}
		for i := 4; i < n; i++ {
			visit(i, false)
		}
		if fs.opensNext() {
			e.Error("files are opened that nobody opens")
		}
		if k := len(fs.idle); k > lookedSpan {
			e.Errorf("%d files were opened for nobody", k)
		}
	})
}
