package devfs_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform/memfile"
	"cordon/sentry/fs/devfs"
	"cordon/sentry/fs/tmpfs"
	"cordon/sentry/memmap"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/vfs/vfstest"
)

func newWorld(t *testing.T) *vfstest.World {
	return vfstest.NewWorld(t, func(t *testing.T, v *vfs.VFS) vfs.FileSystem {
		fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		mem := memfile.New(int32(fd), 1)
		t.Cleanup(mem.Close)
		fs, err := devfs.New(tmpfs.Options{Memory: mem, Clock: func() int64 { return 1 }, Device: v.NextDevice(), Total: 1 << 30})
		if err != nil {
			t.Fatal(err)
		}
		devfs.Register(v, devfs.Options{Memory: fs, Random: func(b []byte) {
			for i := range b {
				b[i] = byte(i + 1)
			}
		}})
		return fs
	})
}

func TestDevices(t *testing.T) {
	w := newWorld(t)
	c := w.User
	for _, d := range []struct {
		path  string
		read  int
		first byte
		werr  error
	}{
		{"/null", 0, 9, nil}, {"/zero", 8, 0, nil}, {"/full", 8, 0, linux.ENOSPC}, {"/random", 8, 1, nil}, {"/urandom", 8, 1, nil},
	} {
		f := w.Open(c, d.path, linux.O_RDWR, 0)
		buf := []byte{9, 9, 9, 9, 9, 9, 9, 9}
		s := usermem.OfBytes(buf)
		if n, err := f.Read(c, &s); n != d.read || err != nil || buf[0] != d.first {
			t.Errorf("%s: read %d %v %v", d.path, n, err, buf)
		}
		s = usermem.OfBytes([]byte("gone"))
		if n, err := f.Write(c, &s); err != d.werr || err == nil && n != 4 {
			t.Errorf("%s: write %d %v", d.path, n, err)
		}
		f.DecRef()
	}
	w.OpenErr(c, "/tty", linux.O_RDWR, linux.ENXIO)
	w.Want(vfs.Mknod(w.Root, w.Root.Cwd, "/odd", linux.S_IFCHR|0o666, linux.MakeDev(99, 1)), nil)
	w.OpenErr(c, "/odd", linux.O_RDONLY, linux.ENXIO)
}

func TestZeroMapsAreSeparate(t *testing.T) {
	w := newWorld(t)
	f := w.Open(w.User, "/zero", linux.O_RDWR, 0)
	defer f.DecRef()
	var maps [2]memmap.Mappable
	r := memmap.Range{Start: 0, End: 4096}
	for i := range maps {
		m, err := f.Mappable(linux.PROT_READ|linux.PROT_WRITE, true)
		if err != nil {
			t.Fatal(err)
		}
		maps[i] = m
		m.AddMapping(nil, 4096, r, true)
	}
	a, err := maps[0].Translate(r, r, true)
	if err != nil || len(a) != 1 {
		t.Fatal(a, err)
	}
	b, err := maps[1].Translate(r, r, true)
	if err != nil || len(b) != 1 || a[0].Offset == b[0].Offset {
		t.Fatal("two mappings of /dev/zero share a page", b, err)
	}
	st, _ := vfs.StatFS(w.Path(w.Root, "/"))
	for _, m := range maps {
		m.RemoveMapping(nil, 4096, r, true)
	}
	after, _ := vfs.StatFS(w.Path(w.Root, "/"))
	if after.Bfree != st.Bfree+2 {
		t.Errorf("pages are left over: %d free, were %d", after.Bfree, st.Bfree)
	}
}
