package vfs_test

import (
	"fmt"
	"sync"
	"testing"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

func TestFDTable(t *testing.T) {
	w := newWorld(t)
	c := w.Root
	w.Write(c, "/f", "x")
	tab := vfs.NewFDTable()
	open := func() *vfs.Description { return w.Open(c, "/f", linux.O_RDONLY, 0) }
	for want := range linux.FD(200) {
		fd, err := tab.Install(open(), 0, 1024, linux.FDFlags(want&1))
		if fd != want || err != nil {
			t.Fatalf("got %d, %v; want %d", fd, err, want)
		}
	}
	w.Want(tab.Close(7), nil)
	w.Want(tab.Close(7), linux.EBADF)
	w.Want(tab.Close(5), nil)
	if fd, _ := tab.Install(open(), 6, 1024, 0); fd != 7 {
		t.Errorf("F_DUPFD from 6 gave %d", fd)
	}
	if fd, _ := tab.Install(open(), 0, 1024, 0); fd != 5 {
		t.Errorf("the lowest free one was %d", fd)
	}
	d := open()
	if _, err := tab.Install(d, 0, 200, 0); err != linux.EMFILE {
		t.Errorf("beyond the limit: %v", err)
	}
	w.Want(tab.Replace(300, d, 1024, 0), nil)
	if got := tab.Get(300); got != d {
		t.Error("dup2 put something else there")
	} else {
		got.DecRef()
	}
	w.Want(tab.Replace(1024, d, 1024, 0), linux.EBADF)
	child := tab.Fork()
	if child.Count() != tab.Count() {
		t.Errorf("the copy has %d of %d", child.Count(), tab.Count())
	}
	tab.CloseOnExec()
	if n := tab.Count(); n != 103 {
		t.Errorf("%d left after exec", n) // even ones, 5, 7 and 300
	}
	tab.CloseRange(3, ^uint32(0), false)
	if n := tab.Count(); n != 2 {
		t.Errorf("%d left after close_range", n)
	}
	before := w.VFS.Descriptions()
	child.DecRef()
	tab.DecRef()
	if n := w.VFS.Descriptions(); n != 0 {
		t.Errorf("%d descriptions of %d are left", n, before)
	}
}

func TestGetDoesNotAllocate(t *testing.T) {
	var mu lock.Mutex[lock.Inode]
	if testing.AllocsPerRun(10, func() { mu.Lock(); mu.Unlock() }) != 0 {
		t.Skip("checked locks allocate")
	}
	w := newWorld(t)
	c := w.Root
	w.Write(c, "/f", "x")
	mkdirs(w, "/a", "/a/b")
	w.Write(c, "/a/b/f", "x")
	tab := vfs.NewFDTable()
	fd, _ := tab.Install(w.Open(c, "/f", linux.O_RDONLY, 0), 0, 10, 0)
	if n := testing.AllocsPerRun(100, func() { tab.Get(fd).DecRef() }); n != 0 {
		t.Errorf("Get: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := vfs.Resolve(c, c.Cwd, "/a/b/../b/f", 0); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a walk over cached names: %v allocations", n)
	}
}

func TestRecordLocks(t *testing.T) {
	w := newWorld(t)
	c := w.Root
	w.Write(c, "/f", "0123456789")
	a, b := vfs.NewFDTable(), vfs.NewFDTable()
	d := w.Open(c, "/f", linux.O_RDWR, 0)
	e := w.Open(c, "/f", linux.O_RDWR, 0)
	set := func(d *vfs.Description, tab *vfs.FDTable, ty linux.LockType, start, n int64) error {
		r, err := d.LockRange(&linux.Flock{Type: ty, Start: start, Len: n})
		if err != nil {
			return err
		}
		return d.SetLock(tab, r)
	}
	w.Want(set(d, a, linux.F_WRLCK, 0, 5), nil)
	w.Want(set(e, b, linux.F_RDLCK, 4, 2), linux.EAGAIN)
	w.Want(set(e, b, linux.F_WRLCK, 5, 0), nil)
	w.Want(set(d, a, linux.F_UNLCK, 2, 1), nil)
	w.Want(set(e, b, linux.F_RDLCK, 2, 1), nil)
	w.Want(set(e, b, linux.F_RDLCK, 3, 1), linux.EAGAIN)
	got := e.GetLock(b, vfs.LockRequest{Type: linux.F_WRLCK, Start: 0, End: 2})
	if got.Type != linux.F_WRLCK || got.Start != 0 || got.End != 2 {
		t.Errorf("F_GETLK %+v", got)
	}
	// Each waits for the other.
	r := vfs.LockRequest{Type: linux.F_WRLCK, Start: 6, End: 7}
	w.Want(d.SetLockWaiting(a, r), linux.EAGAIN)
	r.Start, r.End = 0, 1
	w.Want(e.SetLockWaiting(b, r), linux.EDEADLK)
	d.EndLockWait(a)
	// Closing any descriptor of the file drops the table's locks.
	fd, _ := a.Install(w.Open(c, "/f", linux.O_RDONLY, 0), 0, 10, 0)
	w.Want(a.Close(fd), nil)
	w.Want(set(e, b, linux.F_WRLCK, 0, 5), nil)
	w.Want(d.Flock(linux.LOCK_EX, 1), nil)
	w.Want(e.Flock(linux.LOCK_SH, 2), linux.EAGAIN)
	d.DecRef()
	w.Want(e.Flock(linux.LOCK_SH, 2), nil)
	e.DecRef()
}

// watch notes events.
type watch struct{ got []string }

func (w *watch) Event(ev linux.InotifyEvents, _ uint32, name string, _ bool) {
	w.got = append(w.got, fmt.Sprintf("%v %s", ev, name))
}

func TestEvents(t *testing.T) {
	w := newWorld(t)
	c := w.Root
	mkdirs(w, "/d")
	p := w.Path(c, "/d")
	var seen watch
	vfs.AddWatch(p, &seen)
	w.Write(c, "/d/f", "x")
	w.Want(w.Rename(c, "/d/f", "/d/g"), nil)
	w.Want(vfs.Chmod(c, w.Path(c, "/d/g"), 0o600), nil)
	w.Want(w.Unlink(c, "/d/g"), nil)
	w.Want(w.Rmdir(c, "/d"), nil)
	want := []string{
		"IN_CREATE f", "IN_OPEN f", "IN_MODIFY f", "IN_CLOSE_WRITE f", "IN_MOVED_FROM f", "IN_MOVED_TO g", "IN_ATTRIB g",
		"IN_DELETE g", "IN_DELETE_SELF|IN_ISDIR ",
	}
	if len(seen.got) != len(want) {
		t.Fatalf("got %q", seen.got)
	}
	for i := range want[:len(want)-1] {
		if seen.got[i] != want[i] {
			t.Errorf("event %d is %q, want %q", i, seen.got[i], want[i])
		}
	}
}

func TestTempFileAndLink(t *testing.T) {
	w := newWorld(t)
	c := w.Root
	d := w.Open(c, "/", linux.O_RDWR|linux.O_TMPFILE, 0o600)
	s := usermem.OfBytes([]byte("temp"))
	if _, err := d.Write(c, &s); err != nil {
		t.Fatal(err)
	}
	if n := w.Names(c, "/"); len(n) != 0 {
		t.Fatalf("it has a name: %v", n)
	}
	w.Want(vfs.Link(c, d.Path(), "", c.Cwd, "/named", linux.AT_EMPTY_PATH), nil)
	if got := w.Read(c, "/named"); got != "temp" {
		t.Errorf("reads %q", got)
	}
	d.DecRef()
	if got := w.Read(c, "/named"); got != "temp" {
		t.Errorf("reads %q after the description went", got)
	}
	x := w.Open(c, "/", linux.O_RDWR|linux.O_TMPFILE|linux.O_EXCL, 0o600)
	defer x.DecRef()
	w.Want(vfs.Link(c, x.Path(), "", c.Cwd, "/no", linux.AT_EMPTY_PATH), linux.ENOENT)
}

// TestConcurrentTree has several tasks make, rename and remove the same names.
func TestConcurrentTree(t *testing.T) {
	w := newWorld(t)
	mkdirs(w, "/a", "/b", "/a/x", "/b/x")
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			c := *w.Root
			for i := range 300 {
				p := fmt.Sprintf("/%c/f%d", 'a'+(g+i)%2, i%3)
				q := fmt.Sprintf("/%c/x/f%d", 'a'+(g+i+1)%2, (i+g)%3)
				if d, err := vfs.Open(&c, c.Cwd, p, vfs.OpenHow{Flags: linux.O_RDWR | linux.O_CREAT, Mode: 0o600}); err == nil {
					s := usermem.OfBytes([]byte("data"))
					d.Write(&c, &s)
					d.DecRef()
				}
				vfs.Rename(&c, c.Cwd, p, c.Cwd, q, 0)
				vfs.Rename(&c, c.Cwd, "/a/x", c.Cwd, "/b/x", linux.RENAME_EXCHANGE)
				vfs.Unlink(&c, c.Cwd, q)
				vfs.Resolve(&c, c.Cwd, q, 0)
			}
		})
	}
	wg.Wait()
	for _, d := range []string{"/a", "/b", "/a/x", "/b/x"} {
		for n := range w.Names(w.Root, d) {
			if _, err := w.TryStat(w.Root, d+"/"+n); err != nil {
				t.Errorf("%s/%s is listed and not there: %v", d, n, err)
			}
		}
	}
}
