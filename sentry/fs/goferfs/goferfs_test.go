package goferfs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"cordon/gofer/client"
	"cordon/gofer/donate"
	"cordon/gofer/gofertest"
	"cordon/gofer/hostfs"
	"cordon/internal/linux"
	"cordon/platform"
	"cordon/sentry/memmap"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

type hosts struct {
	ids       atomic.Uint64
	forgotten atomic.Int64
}

func (h *hosts) NewHostFileID() uint64          { return h.ids.Add(1) }
func (h *hosts) Descriptors() int               { return 20000 }
func (h *hosts) ForgetFile(_ platform.HostFile) { h.forgotten.Add(1) }

// env is a mount of a fresh host directory.
type env struct {
	*testing.T
	dir   string
	fs    vfs.FileSystem
	root  vfs.Directory
	hosts *hosts
	trips func() int64 // calls to the gofer since the last time
	kill  func()
}

func mount(t *testing.T, shared bool) *env {
	t.Helper()
	return mountAs(t, shared, hostfs.Mount{})
}

func mountAs(t *testing.T, shared bool, m hostfs.Mount) *env {
	t.Helper()
	dir := t.TempDir()
	m.Name, m.Root, m.Path = "m", -1, dir
	c, kill := gofertest.Local(t, hostfs.Config{ProcFD: -1, Mounts: []hostfs.Mount{m}})
	ct := &counting{}
	c = client.Wrap(c, func(t client.Transport) client.Transport { ct.Transport = t; return ct })
	h := &hosts{}
	fs, err := New(Options{Client: c, Attach: "m", Shared: shared, Device: 42, Hosts: h})
	if err != nil {
		t.Fatal(err)
	}
	e := &env{T: t, dir: dir, fs: fs, root: fs.Root().(vfs.Directory), hosts: h, kill: kill}
	e.trips = func() int64 { return ct.n.Swap(0) }
	return e
}

// counting counts round trips.
type counting struct {
	client.Transport
	n atomic.Int64
}

func (c *counting) Do(q *donate.Request, r *donate.Reply) {
	c.n.Add(1)
	c.Transport.Do(q, r)
}

func (c *counting) Begin(q *donate.Request, r *donate.Reply) func() {
	c.n.Add(1)
	return c.Transport.Begin(q, r)
}

func (e *env) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

func (e *env) want(err error, errno linux.Errno) {
	e.Helper()
	if err != error(errno) {
		e.Errorf("got %v, want %v", err, errno)
	}
}

func (e *env) host(name string) string { return filepath.Join(e.dir, name) }

func (e *env) write(name, data string) {
	e.Helper()
	e.must(os.MkdirAll(filepath.Dir(e.host(name)), 0o755))
	e.must(os.WriteFile(e.host(name), []byte(data), 0o644))
}

func (e *env) lookup(path string) vfs.Inode {
	e.Helper()
	var in vfs.Inode = e.root
	for name := range strings.SplitSeq(path, "/") {
		var err error
		in, err = in.(vfs.Directory).Lookup(name)
		e.must(err)
	}
	return in
}

func (e *env) open(in vfs.Inode, flags linux.OpenFlags) vfs.File {
	e.Helper()
	f, err := in.Open(nil, vfs.Path{}, flags)
	e.must(err)
	e.Cleanup(f.Release)
	return f
}

func (e *env) read(f vfs.File, off int64, n int) string {
	e.Helper()
	b := make([]byte, n)
	seq := usermem.OfBytes(b)
	k, err := f.(vfs.ReaderAt).ReadAt(&seq, off)
	e.must(err)
	return string(b[:k])
}

func (e *env) put(f vfs.File, off int64, s string) {
	e.Helper()
	seq := usermem.OfBytes([]byte(s))
	k, err := f.(vfs.WriterAt).WriteAt(&seq, off)
	e.must(err)
	if k != len(s) {
		e.Fatalf("wrote %d of %d", k, len(s))
	}
}

func (e *env) attr(in vfs.Inode) vfs.Attr {
	e.Helper()
	a, err := in.Attr()
	e.must(err)
	return a
}

func (e *env) names(d vfs.Inode) []string {
	e.Helper()
	var out []string
	f := e.open(d, linux.O_RDONLY|linux.O_DIRECTORY)
	e.must(f.(vfs.DirReader).ReadDir(0, func(d vfs.Dirent) bool {
		out = append(out, d.Name)
		return true
	}))
	return out[2:]
}

func both(t *testing.T, f func(e *env)) {
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprintf("shared=%v", shared), func(t *testing.T) { f(mount(t, shared)) })
	}
}

var reg = &vfs.NewInode{Mode: linux.S_IFREG | 0o644, UID: client.NoID, GID: client.NoID}
var dir = &vfs.NewInode{Mode: linux.S_IFDIR | 0o755, UID: client.NoID, GID: client.NoID}

func TestReadWrite(t *testing.T) {
	both(t, func(e *env) {
		e.write("d/f", "hello")
		in := e.lookup("d/f")
		f := e.open(in, linux.O_RDWR)
		if got := e.read(f, 1, 10); got != "ello" {
			e.Errorf("read %q", got)
		}
		e.put(f, 3, "p me up")
		if a := e.attr(in); a.Size != 10 || a.Mode != linux.S_IFREG|0o644 {
			e.Errorf("%+v", a)
		}
		seq := usermem.OfBytes([]byte("!!"))
		n, off, err := f.(vfs.Appender).Append(&seq)
		e.must(err)
		if n != 2 || off != 10 {
			e.Errorf("appended %d at %d", n, off)
		}
		if b, _ := os.ReadFile(e.host("d/f")); string(b) != "help me up!!" {
			e.Errorf("host has %q", b)
		}
		e.must(in.SetAttr(&vfs.SetAttr{Mask: vfs.SetSize, Size: 4}))
		if a := e.attr(in); a.Size != 4 || e.read(f, 0, 10) != "help" {
			e.Errorf("after truncation %+v", a)
		}
		e.must(f.(vfs.Allocator).Allocate(0, 0, 8192))
		if a := e.attr(in); a.Size != 8192 {
			e.Errorf("after fallocate %+v", a)
		}
		e.must(f.(vfs.Syncer).Sync(true))
	})
}

func TestNames(t *testing.T) {
	both(t, func(e *env) {
		d, err := e.root.Create("d", dir)
		e.must(err)
		f, err := d.(vfs.Directory).Create("f", reg)
		e.must(err)
		e.put(e.open(f, linux.O_WRONLY), 0, "x")
		_, err = d.(vfs.Directory).Create("f", reg)
		e.want(err, linux.EEXIST)
		e.must(e.root.Link("hard", f))
		if a := e.attr(f); a.Nlink != 2 {
			e.Errorf("%d links", a.Nlink)
		}
		if e.lookup("hard") != f {
			e.Error("another inode for the second name")
		}
		if got := e.names(e.root); !slices.Equal(sorted(got), []string{"d", "hard"}) {
			e.Errorf("names %v", got)
		}
		e.want(e.root.Unlink("d", d, true), linux.ENOTEMPTY)
		e.must(d.(vfs.Directory).Rename("f", f, e.root, "moved", nil, linux.RENAME_NOREPLACE))
		if e.lookup("moved") != f {
			e.Error("another inode after the rename")
		}
		_, err = d.(vfs.Directory).Lookup("f")
		e.want(err, linux.ENOENT)
		e.must(e.root.Unlink("d", d, true))
		if got := e.names(e.root); !slices.Equal(sorted(got), []string{"hard", "moved"}) {
			e.Errorf("names %v", got)
		}
		e.must(e.root.Unlink("hard", f, false))
		l, err := e.root.Create("l", &vfs.NewInode{Mode: linux.S_IFLNK, Target: "moved", UID: client.NoID, GID: client.NoID})
		e.must(err)
		if s, err := l.(vfs.Symlink).Readlink(nil); s != "moved" || err != nil {
			e.Errorf("link to %q, %v", s, err)
		}
	})
}

func sorted(s []string) []string { slices.Sort(s); return s }

func TestUnlinkedFileKeepsWorking(t *testing.T) {
	both(t, func(e *env) {
		e.write("f", "still")
		in := e.lookup("f")
		f := e.open(in, linux.O_RDWR)
		e.must(e.root.Unlink("f", in, false))
		e.put(f, 5, " here")
		if got := e.read(f, 0, 20); got != "still here" {
			e.Errorf("read %q", got)
		}
		e.must(in.SetAttr(&vfs.SetAttr{Mask: vfs.SetMode, Mode: 0o600}))
		if a := e.attr(in); a.Nlink != 0 || a.Size != 10 || a.Mode != linux.S_IFREG|0o600 {
			e.Errorf("%+v", a)
		}
		n, err := e.root.Create("f", reg)
		e.must(err)
		if n == in {
			e.Error("the new file is the old one")
		}
	})
}

func TestTempFile(t *testing.T) {
	e := mount(t, false)
	in, err := e.root.(vfs.TempCreator).CreateTemp(reg)
	if err == error(linux.EOPNOTSUPP) {
		t.Skip("no O_TMPFILE here")
	}
	e.must(err)
	e.put(e.open(in, linux.O_RDWR), 0, "temp")
	e.must(e.root.Link("named", in))
	if b, _ := os.ReadFile(e.host("named")); string(b) != "temp" {
		e.Errorf("host has %q", b)
	}
	if e.lookup("named") != in {
		e.Error("another inode")
	}
}

// TestRoundTrips states what an exclusive mount costs.
func TestRoundTrips(t *testing.T) {
	e := mount(t, false)
	for i := range 200 {
		e.write(fmt.Sprintf("a/b/c/f%d", i), "x")
	}
	e.write("a/lone/file", "x")
	e.write("z/y/opened", "x")
	e.trips()
	e.root.(*Dir).Prefetch([]string{"z", "y", "opened"}, true)
	e.open(e.lookup("z/y/opened"), linux.O_RDONLY)
	if n := e.trips(); n != 1 {
		t.Errorf("the open of a deep path cost %d", n)
	}
	e.root.(*Dir).Prefetch([]string{"z", "absent", "file"}, false)
	if _, err := e.lookup("z").(*Dir).Lookup("absent"); err != error(linux.ENOENT) {
		t.Errorf("a name that is absent: %v", err)
	}
	if n := e.trips(); n != 1 {
		t.Errorf("a deep path that is absent cost %d", n)
	}
	e.root.(*Dir).Prefetch([]string{"a", "lone", "file"}, false)
	in := e.lookup("a/lone/file")
	e.attr(in)
	if n := e.trips(); n != 1 {
		t.Errorf("a first stat of a deep path cost %d", n)
	}
	e.open(in, linux.O_RDONLY)
	if n := e.trips(); n != 1 {
		t.Errorf("the open cost %d", n)
	}
	e.open(in, linux.O_RDONLY)
	if n := e.trips(); n != 0 {
		t.Errorf("a second open cost %d", n)
	}
	d := e.lookup("a/b/c").(vfs.Directory)
	e.trips()
	if got := len(e.names(d)); got != 200 {
		t.Errorf("%d names", got)
	}
	for i := range 200 {
		in, err := d.Lookup(fmt.Sprintf("f%d", i))
		e.must(err)
		e.attr(in)
		_, err = d.Lookup(fmt.Sprintf("g%d", i))
		e.want(err, linux.ENOENT)
	}
	if n := e.trips(); n > 2 {
		t.Errorf("a scan with every stat cost %d", n)
	}
}

func TestSharedMountSeesTheHost(t *testing.T) {
	e := mount(t, true)
	r := e.fs.(vfs.Revalidator)
	e.write("f", "one")
	in := e.lookup("f")
	e.write("f", "three")
	if a := e.attr(in); a.Size != 5 {
		t.Errorf("size %d", a.Size)
	}
	if !r.Revalidate(e.root, "f", in) || !r.Revalidate(e.root, "none", nil) {
		t.Error("what is so was denied")
	}
	e.must(os.Rename(e.host("f"), e.host("g")))
	e.write("f", "new")
	if r.Revalidate(e.root, "f", in) || !r.Revalidate(e.root, "g", in) || r.Revalidate(e.root, "f", nil) {
		t.Error("a host's rename was not seen")
	}
}

// fakeSpace notes invalidations.
type fakeSpace struct{ got []memmap.Range }

func (s *fakeSpace) Invalidate(_ memmap.Mappable, addr, n uint64, _ bool) {
	s.got = append(s.got, memmap.Range{Start: addr, End: addr + n})
}

func TestMapping(t *testing.T) {
	both(t, func(e *env) {
		e.write("f", strings.Repeat("x", 10000))
		in := e.lookup("f")
		e.open(in, linux.O_RDWR)
		m := in.(vfs.Mapped).Mappable()
		ms := &fakeSpace{}
		e.must(m.AddMapping(ms, 1<<30, memmap.Range{Start: 0, End: 16384}, true))
		ts, err := m.Translate(memmap.Range{Start: 4096, End: 8192}, memmap.Range{Start: 0, End: 1 << 20}, true)
		e.must(err)
		if len(ts) != 1 || ts[0].Source != (memmap.Range{Start: 0, End: 12288}) || !ts[0].Writable {
			e.Fatalf("%+v", ts)
		}
		back := ts[0].File
		pages := memmap.Range{Start: 0, End: 12288}
		back.IncRef(pages)
		_, err = back.WriteAt([]byte("yy"), 0)
		e.must(err)
		if b, _ := os.ReadFile(e.host("f")); string(b[:3]) != "yyx" {
			e.Errorf("host has %q", b[:3])
		}
		if w := back.Window(pages); e.fs.(interface{ MountOptions() string }) != nil && w != nil && string(w[:3]) != "yyx" {
			e.Errorf("window has %q", w[:3])
		}
		_, err = m.Translate(memmap.Range{Start: 12288, End: 16384}, memmap.Range{Start: 12288, End: 16384}, false)
		e.want(err, linux.EFAULT)
		e.must(in.SetAttr(&vfs.SetAttr{Mask: vfs.SetSize, Size: 100}))
		if len(ms.got) != 1 || ms.got[0] != (memmap.Range{Start: 1<<30 + 4096, End: 1<<30 + 12288}) {
			e.Errorf("invalidated %+v", ms.got)
		}
		m.RemoveMapping(ms, 1<<30, memmap.Range{Start: 0, End: 16384}, true)
		back.DecRef(memmap.Range{Start: 0, End: 4096})
		back.DecRef(memmap.Range{Start: 4096, End: 12288})
	})
}

func TestDescriptorsAreReleased(t *testing.T) {
	e := mount(t, false)
	e.write("f", "x")
	in := e.lookup("f")
	f, err := in.Open(nil, vfs.Path{}, linux.O_RDONLY)
	e.must(err)
	in.(vfs.Evicter).Evict() // still open: the descriptor stays
	if e.read(f, 0, 5) != "x" || e.hosts.forgotten.Load() != 0 {
		t.Error("an open file lost its descriptor")
	}
	f.Release()
	in.(vfs.Evicter).Evict()
	if n := e.hosts.forgotten.Load(); n != 1 {
		t.Errorf("%d descriptors closed", n)
	}
	// Used again all the same, it finds its way back.
	f, err = in.Open(nil, vfs.Path{}, linux.O_RDWR)
	e.must(err)
	e.put(f, 0, "y")
	f.Release()
}

// TestManyFiles: a mount holds no descriptor of the gofer's for every file.
func TestManyFiles(t *testing.T) {
	both(t, func(e *env) {
		const n = maxNodes + 500
		before, err := os.ReadDir("/proc/self/fd")
		e.must(err)
		var files []vfs.Inode
		for i := range n {
			in, err := e.root.Create(fmt.Sprint("f", i), reg)
			e.must(err)
			files = append(files, in)
		}
		e.must(e.root.Link("other", files[0]))
		e.must(e.root.Unlink("f0", files[0], false))
		fds, err := os.ReadDir("/proc/self/fd")
		e.must(err)
		if got := len(fds) - len(before); got > maxNodes+maxIdle+100 {
			e.Errorf("%d descriptors are open", got)
		}
		for _, i := range []int{0, 1, n / 2, n - 1} {
			e.must(files[i].SetAttr(&vfs.SetAttr{Mask: vfs.SetMode, Mode: 0o640}))
			f := e.open(files[i], linux.O_RDWR)
			e.put(f, 0, "x")
			f.Release()
		}
	})
}

func TestXattr(t *testing.T) {
	both(t, func(e *env) {
		e.write("f", "")
		x := e.lookup("f").(vfs.XattrStore)
		_, err := x.GetXattr("user.a")
		if err == error(linux.EOPNOTSUPP) {
			e.Skip("no xattrs here")
		}
		e.want(err, linux.ENODATA)
		e.want(x.RemoveXattr("user.a"), linux.ENODATA)
		e.must(x.SetXattr("user.a", []byte("v"), 0))
		v, err := x.GetXattr("user.a")
		e.must(err)
		l, err := x.ListXattr()
		e.must(err)
		if string(v) != "v" || !slices.Equal(l, []string{"user.a"}) {
			e.Errorf("%q %v", v, l)
		}
	})
}

func TestDeadGofer(t *testing.T) {
	e := mount(t, false)
	e.write("d/f", "kept")
	in := e.lookup("d/f")
	f := e.open(in, linux.O_RDONLY)
	e.kill()
	_, err := e.root.Lookup("other")
	e.want(err, linux.EIO)
	_, err = e.root.Create("new", reg)
	e.want(err, linux.EIO)
	if got := e.read(f, 0, 10); got != "kept" {
		t.Errorf("an open file reads %q", got)
	}
}
