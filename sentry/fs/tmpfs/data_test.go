package tmpfs_test

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"

	"cordon/internal/linux"
	"cordon/platform/memfile"
	"cordon/sentry/fs/tmpfs"
	"cordon/sentry/memmap"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/vfs/vfstest"
)

// TestAgainstBytes does random things to a file and to a slice.
func TestAgainstBytes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 3))
	w := vfstest.NewWorld(t, newFS)
	c := w.Root
	d := w.Open(c, "/f", linux.O_RDWR|linux.O_CREAT, 0o600)
	defer d.DecRef()
	const most = 200_000
	var model []byte
	grow := func(n int) {
		if n > len(model) {
			model = append(model, make([]byte, n-len(model))...)
		}
	}
	for range 2000 {
		off, n := rnd.IntN(most), 1+rnd.IntN(9000)
		if rnd.IntN(4) == 0 {
			off = off &^ 4095
			n = (n + 4095) &^ 4095
		}
		switch rnd.IntN(6) {
		case 0, 1:
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(rnd.Uint32())
			}
			s := usermem.OfBytes(b)
			if k, err := d.PWrite(c, &s, int64(off)); k != n || err != nil {
				t.Fatalf("write: %d, %v", k, err)
			}
			grow(off + n)
			copy(model[off:], b)
		case 2:
			if err := d.Truncate(c, int64(off)); err != nil {
				t.Fatal(err)
			}
			model = model[:min(off, len(model))]
			grow(off)
		case 3:
			if err := d.Allocate(c, linux.FALLOC_FL_PUNCH_HOLE|linux.FALLOC_FL_KEEP_SIZE, int64(off), int64(n)); err != nil {
				t.Fatal(err)
			}
			if off < len(model) {
				clear(model[off:min(off+n, len(model))])
			}
		case 4:
			if err := d.Allocate(c, 0, int64(off), int64(n)); err != nil {
				t.Fatal(err)
			}
			grow(off + n)
		case 5:
			b := make([]byte, n)
			s := usermem.OfBytes(b)
			k, err := d.PRead(c, &s, int64(off))
			want := model[min(off, len(model)):min(off+n, len(model))]
			if err != nil || !bytes.Equal(b[:k], want) {
				t.Fatalf("read at %d: %d bytes, want %d, %v", off, k, len(want), err)
			}
		}
	}
	d.SeekTo(0, linux.SEEK_SET)
	if w.ReadAll(c, d) != string(model) {
		t.Fatal("the file differs")
	}
}

func TestPagesAreFreed(t *testing.T) {
	var mem *memfile.File
	w := vfstest.NewWorld(t, func(t *testing.T, v *vfs.VFS) vfs.FileSystem {
		mem = newMemory(t)
		fs, err := tmpfs.New(tmpfs.Options{Memory: mem, Clock: func() int64 { return 1 }, Device: 1, Total: 1 << 30})
		if err != nil {
			t.Fatal(err)
		}
		return fs
	})
	c := w.Root
	text := string(make([]byte, 300_000))
	used := func() uint64 {
		s, err := vfs.StatFS(w.Path(c, "/"))
		if err != nil {
			t.Fatal(err)
		}
		return s.Blocks - s.Bfree
	}
	w.Write(c, "/a", text)
	if used() != 74 || mem.Usage(memfile.Files) < 74*4096 {
		t.Fatalf("%d pages used, %d bytes of memory", used(), mem.Usage(memfile.Files))
	}
	w.Want(w.Unlink(c, "/a"), nil)
	if used() != 0 || mem.Usage(memfile.Files) != 0 {
		t.Fatalf("after unlink %d pages, %d bytes", used(), mem.Usage(memfile.Files))
	}
	w.Write(c, "/a", text)
	d := w.Open(c, "/a", linux.O_RDONLY, 0)
	w.Want(w.Unlink(c, "/a"), nil)
	if used() != 74 {
		t.Fatal("an open file lost its pages")
	}
	d.DecRef()
	if used() != 0 || mem.Usage(memfile.Files) != 0 {
		t.Fatalf("after close %d pages, %d bytes", used(), mem.Usage(memfile.Files))
	}
	w.Write(c, "/a", text)
	w.Write(c, "/b", "")
	w.Want(w.Rename(c, "/b", "/a"), nil)
	if used() != 0 {
		t.Fatalf("a replaced file keeps %d pages", used())
	}
	m, err := tmpfs.NewMemfd(w.VFS, w.Path(c, "/").Dentry.FileSystem().(*tmpfs.FS), c, "x", 0)
	w.Want(err, nil)
	s := usermem.OfBytes([]byte("data"))
	m.Write(c, &s)
	if used() != 1 {
		t.Fatal("a memory file has no page")
	}
	m.DecRef()
	runtime.GC()
	if used() != 0 {
		t.Fatal("a memory file left its page")
	}
}

// A file that grows is the same file in huge pages, and leaves none of them.
func TestGrowsByHugePages(t *testing.T) {
	var mem *memfile.File
	w := vfstest.NewWorld(t, func(t *testing.T, v *vfs.VFS) vfs.FileSystem {
		mem = memory(t, memfile.NewHuge)
		fs, err := tmpfs.New(tmpfs.Options{Memory: mem, Clock: func() int64 { return 1 }, Device: 1, Total: 1 << 30})
		if err != nil {
			t.Fatal(err)
		}
		return fs
	})
	c := w.Root
	d := w.Open(c, "/f", linux.O_RDWR|linux.O_CREAT, 0o600)
	const piece, size = 10_007, 13 << 20
	want := make([]byte, size)
	for i := range want {
		want[i] = byte(i / 3 * 7)
	}
	for off := 0; off < size; off += piece {
		s, before := usermem.OfBytes(want[off:min(off+piece, size)]), mem.Usage(memfile.Files)
		if _, err := d.Write(c, &s); err != nil {
			t.Fatal(err)
		}
		if by := mem.Usage(memfile.Files) - before; off > 10<<20 && by != 0 && by != linux.HugePageSize {
			t.Fatalf("at %d the memory grows by %d", off, by)
		}
	}
	d.SeekTo(0, linux.SEEK_SET)
	if w.ReadAll(c, d) != string(want) {
		t.Error("the file differs")
	}
	w.Want(d.Truncate(c, size-5*piece), nil)
	w.Want(d.Truncate(c, size), nil)
	clear(want[size-5*piece:])
	d.SeekTo(0, linux.SEEK_SET)
	if w.ReadAll(c, d) != string(want) {
		t.Error("what was cut off is not zero")
	}
	d.DecRef()
	w.Want(w.Unlink(c, "/f"), nil)
	if n := mem.Usage(memfile.Files); n != 0 {
		t.Errorf("%d bytes are left", n)
	}
}

func TestLimits(t *testing.T) {
	w := vfstest.NewWorld(t, func(t *testing.T, v *vfs.VFS) vfs.FileSystem { return with(t, v, "size=64k,nr_inodes=5") })
	c := w.Root
	d := w.Open(c, "/f", linux.O_RDWR|linux.O_CREAT, 0o600)
	defer d.DecRef()
	s := usermem.OfBytes(make([]byte, 100_000))
	n, err := d.Write(c, &s)
	if n != 65536 || err != nil {
		t.Fatalf("wrote %d, %v", n, err)
	}
	_, err = d.Write(c, &s)
	w.Want(err, linux.ENOSPC)
	w.Want(d.Allocate(c, 0, 0, 70_000), linux.ENOSPC)
	for _, p := range []string{"/1", "/2", "/3"} {
		w.Want(w.Mkdir(c, p, 0o755), nil)
	}
	w.Want(w.Mkdir(c, "/4", 0o755), linux.ENOSPC)
	w.Want(w.Rmdir(c, "/1"), nil)
	w.Want(w.Mkdir(c, "/4", 0o755), nil)
	_, err = tmpfs.New(tmpfs.Options{Data: "usrquota", Clock: func() int64 { return 0 }})
	w.Want(err, linux.EINVAL)
}

func TestHolesAndSeek(t *testing.T) {
	w := vfstest.NewWorld(t, newFS)
	c := w.Root
	d := w.Open(c, "/f", linux.O_RDWR|linux.O_CREAT, 0o600)
	defer d.DecRef()
	for _, off := range []int64{8192, 40960} {
		s := usermem.OfBytes([]byte("x"))
		d.PWrite(c, &s, off)
	}
	for _, x := range []struct {
		off    int64
		whence linux.Whence
		want   int64
	}{{0, linux.SEEK_DATA, 8192}, {8200, linux.SEEK_DATA, 8200}, {8192, linux.SEEK_HOLE, 12288}, {0, linux.SEEK_HOLE, 0},
		{12288, linux.SEEK_DATA, 40960}, {40960, linux.SEEK_HOLE, 40961}} {
		if got, err := d.SeekTo(x.off, x.whence); got != x.want || err != nil {
			t.Errorf("%v from %d: %d, %v; want %d", x.whence, x.off, got, err, x.want)
		}
	}
	if st := w.Stat(c, "/f"); st.Blocks != 16 {
		t.Errorf("%d blocks", st.Blocks)
	}
}

func TestSeals(t *testing.T) {
	w := vfstest.NewWorld(t, newFS)
	c := w.Root
	fs := w.Path(c, "/").Dentry.FileSystem().(*tmpfs.FS)
	d, err := tmpfs.NewMemfd(w.VFS, fs, c, "sealed", linux.MFD_ALLOW_SEALING)
	w.Want(err, nil)
	defer d.DecRef()
	if got := d.Path().Name(c.Root); got != "/memfd:sealed (deleted)" {
		t.Errorf("named %q", got)
	}
	w.Want(d.Truncate(c, 8192), nil)
	seal := d.File().(vfs.Sealer)
	w.Want(seal.AddSeals(linux.F_SEAL_SHRINK|linux.F_SEAL_GROW), nil)
	w.Want(d.Truncate(c, 4096), linux.EPERM)
	w.Want(d.Truncate(c, 9000), linux.EPERM)
	s := usermem.OfBytes([]byte("x"))
	_, err = d.PWrite(c, &s, 8192)
	w.Want(err, linux.EPERM)
	m, err := d.Mappable(linux.PROT_READ|linux.PROT_WRITE, true)
	w.Want(err, nil)
	r := memmap.Range{Start: 0, End: 4096}
	w.Want(m.AddMapping(nil, 4096, r, true), nil)
	w.Want(seal.AddSeals(linux.F_SEAL_WRITE), linux.EBUSY)
	m.RemoveMapping(nil, 4096, r, true)
	w.Want(seal.AddSeals(linux.F_SEAL_WRITE|linux.F_SEAL_SEAL), nil)
	_, err = d.PWrite(c, &s, 0)
	w.Want(err, linux.EPERM)
	_, err = d.Mappable(linux.PROT_READ|linux.PROT_WRITE, true)
	w.Want(err, linux.EPERM)
	w.Want(seal.AddSeals(linux.F_SEAL_EXEC), linux.EPERM)
}

// space notes what is taken from it.
type space struct{ took []memmap.Range }

func (s *space) Invalidate(_ memmap.Mappable, addr, n uint64, _ bool) {
	s.took = append(s.took, memmap.Range{Start: addr, End: addr + n})
}

func TestMappedTruncation(t *testing.T) {
	w := vfstest.NewWorld(t, newFS)
	c := w.Root
	w.Write(c, "/f", string(make([]byte, 3*4096)))
	d := w.Open(c, "/f", linux.O_RDWR, 0)
	defer d.DecRef()
	m, err := d.Mappable(linux.PROT_READ|linux.PROT_WRITE, true)
	w.Want(err, nil)
	var sp space
	whole := memmap.Range{Start: 0, End: 4 * 4096}
	w.Want(m.AddMapping(&sp, 0x10000, whole, true), nil)
	ts, err := m.Translate(memmap.Range{Start: 4096, End: 8192}, whole, true)
	if err != nil || len(ts) != 1 || ts[0].Source != (memmap.Range{Start: 0, End: 3 * 4096}) {
		t.Fatalf("%+v %v", ts, err)
	}
	if _, err := m.Translate(memmap.Range{Start: 3 * 4096, End: 4 * 4096}, whole, true); err != linux.EFAULT {
		t.Fatalf("beyond the end: %v", err)
	}
	w.Want(d.Truncate(c, 5000), nil)
	if len(sp.took) != 1 || sp.took[0] != (memmap.Range{Start: 0x10000 + 8192, End: 0x10000 + 3*4096}) {
		t.Fatalf("invalidated %x", sp.took)
	}
	m.RemoveMapping(&sp, 0x10000, whole, true)
}
