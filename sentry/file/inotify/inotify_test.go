package inotify_test

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform/memfile"
	"cordon/sentry/file/inotify"
	"cordon/sentry/fs/tmpfs"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/vfs/vfstest"
	"cordon/sentry/wait"
)

func newWorld(t *testing.T) *vfstest.World {
	return vfstest.NewWorld(t, func(t *testing.T, v *vfs.VFS) vfs.FileSystem {
		fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		mem := memfile.New(int32(fd), 1)
		t.Cleanup(mem.Close)
		fs, err := tmpfs.New(tmpfs.Options{Memory: mem, Clock: func() int64 { return 1 }, Device: v.NextDevice(), Total: 1 << 30})
		if err != nil {
			t.Fatal(err)
		}
		return fs
	})
}

func read(in *inotify.Instance, n int) ([]byte, error) {
	b := make([]byte, n)
	s := usermem.OfBytes(b)
	n, err := in.Read(&s)
	return b[:n], err
}

// events returns what is queued as "wd mask name", cookies as +.
func events(t *testing.T, in *inotify.Instance) (list []string) {
	t.Helper()
	b, err := read(in, 1<<20)
	if err != nil && err != linux.EAGAIN {
		t.Fatal(err)
	}
	for len(b) > 0 {
		n := binary.LittleEndian.Uint32(b[12:])
		s := fmt.Sprintf("%d %v", int32(binary.LittleEndian.Uint32(b)), linux.InotifyEvents(binary.LittleEndian.Uint32(b[4:])))
		if binary.LittleEndian.Uint32(b[8:]) != 0 {
			s += "+"
		}
		if n > 0 {
			s += " " + strings.TrimRight(string(b[16:16+n]), "\x00")
		}
		if n%16 != 0 {
			t.Errorf("a name takes %d bytes", n)
		}
		list = append(list, s)
		b = b[16+n:]
	}
	return list
}

func expect(t *testing.T, in *inotify.Instance, what string, want ...string) {
	t.Helper()
	if got := events(t, in); !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func TestEvents(t *testing.T) {
	w := newWorld(t)
	s := &inotify.Shared{}
	in, err := inotify.New(s)
	if err != nil {
		t.Fatal(err)
	}
	c := w.Root
	w.Mkdir(c, "/d", 0o755)
	w.Write(c, "/d/old", "x")
	woken := 0
	in.Queue().Add(&wait.Entry{Mask: wait.In, Callback: func(*wait.Entry, wait.Events) { woken++ }})
	dir, err := in.AddWatch(w.Path(c, "/d"), linux.IN_ALL_EVENTS&^(linux.IN_ACCESS|linux.IN_ATTRIB))
	if err != nil || dir != 1 {
		t.Fatalf("AddWatch = %d, %v", dir, err)
	}
	if _, err := read(in, 100); err != linux.EAGAIN {
		t.Errorf("empty read: %v", err)
	}
	w.Write(c, "/d/new", "text")
	expect(t, in, "write", "1 IN_CREATE new", "1 IN_OPEN new", "1 IN_MODIFY new", "1 IN_CLOSE_WRITE new")
	if woken == 0 {
		t.Error("nobody was woken")
	}
	w.Want(vfs.Rename(c, c.Cwd, "/d/new", c.Cwd, "/d/newer", 0), nil)
	expect(t, in, "rename", "1 IN_MOVED_FROM+ new", "1 IN_MOVED_TO+ newer")

	file, _ := in.AddWatch(w.Path(c, "/d/old"), linux.IN_DELETE_SELF|linux.IN_MODIFY)
	again, _ := in.AddWatch(w.Path(c, "/d/old"), linux.IN_ATTRIB|linux.IN_MASK_ADD)
	if file != 2 || again != 2 {
		t.Errorf("watches %d and %d of one file", file, again)
	}
	if _, err := in.AddWatch(w.Path(c, "/d/old"), linux.IN_ATTRIB|linux.IN_MASK_CREATE); err != linux.EEXIST {
		t.Errorf("IN_MASK_CREATE: %v", err)
	}
	w.Want(vfs.Unlink(c, c.Cwd, "/d/old"), nil)
	expect(t, in, "unlink", "2 IN_ATTRIB", "2 IN_DELETE_SELF", "2 IN_IGNORED", "1 IN_DELETE old")
	if err := in.RemoveWatch(2); err != linux.EINVAL {
		t.Errorf("a deleted file's watch: %v", err)
	}
	if err := in.RemoveWatch(dir); err != nil {
		t.Error(err)
	}
	expect(t, in, "removal", "1 IN_IGNORED")
	w.Write(c, "/d/more", "")
	expect(t, in, "after removal")
	in.Release()
}

func TestOneshotAndMerge(t *testing.T) {
	w := newWorld(t)
	in, _ := inotify.New(&inotify.Shared{})
	w.Write(w.Root, "/f", "x")
	in.AddWatch(w.Path(w.Root, "/f"), linux.IN_OPEN|linux.IN_ONESHOT)
	w.Read(w.Root, "/f")
	w.Read(w.Root, "/f")
	expect(t, in, "one shot", "1 IN_OPEN", "1 IN_IGNORED")
	in.AddWatch(w.Path(w.Root, "/f"), linux.IN_OPEN)
	for range 3 {
		w.Read(w.Root, "/f")
	}
	expect(t, in, "repeated", "2 IN_OPEN")
}

func TestReadAndOverflow(t *testing.T) {
	w := newWorld(t)
	in, _ := inotify.New(&inotify.Shared{})
	w.Mkdir(w.Root, "/d", 0o755)
	in.AddWatch(w.Path(w.Root, "/d"), linux.IN_CREATE|linux.IN_DELETE)
	w.Mkdir(w.Root, "/d/sub", 0o755)
	if _, err := read(in, 31); err != linux.EINVAL {
		t.Errorf("short read: %v", err)
	}
	if b, err := read(in, 40); len(b) != 32 || err != nil {
		t.Errorf("read %d bytes, %v", len(b), err)
	}
	for range inotify.MaxQueuedEvents {
		w.Write(w.Root, "/d/f", "")
		vfs.Unlink(w.Root, w.Root.Cwd, "/d/f")
	}
	got := events(t, in)
	if len(got) != inotify.MaxQueuedEvents+1 || got[len(got)-1] != "-1 IN_Q_OVERFLOW" {
		t.Errorf("%d events, the last %q", len(got), got[len(got)-1])
	}
}

func TestMaskAndImage(t *testing.T) {
	for mask, want := range map[linux.InotifyEvents]error{
		0: linux.EINVAL, linux.IN_OPEN: nil, linux.IN_OPEN | linux.IN_MASK_ADD | linux.IN_MASK_CREATE: linux.EINVAL,
	} {
		if err := inotify.CheckMask(mask); err != want {
			t.Errorf("CheckMask(%v) = %v", mask, err)
		}
	}
	w := newWorld(t)
	s := &inotify.Shared{}
	in, _ := inotify.New(s)
	w.Write(w.Root, "/f", "x")
	in.AddWatch(w.Path(w.Root, "/"), linux.IN_DELETE)
	in.AddWatch(w.Path(w.Root, "/f"), linux.IN_OPEN)
	in.RemoveWatch(1)
	w.Read(w.Root, "/f")
	im := in.Image()
	out, err := inotify.Restore(s, &im, in.Watches())
	if err != nil || !reflect.DeepEqual(out.Image(), im) {
		t.Fatalf("image does not survive: %v", err)
	}
	in.Release()
	expect(t, out, "restored", "1 IN_IGNORED", "2 IN_OPEN")
	w.Read(w.Root, "/f")
	expect(t, out, "restored", "2 IN_OPEN")
	if wd, _ := out.AddWatch(w.Path(w.Root, "/"), linux.IN_DELETE); wd != 3 {
		t.Errorf("the next watch is %d", wd)
	}
}
