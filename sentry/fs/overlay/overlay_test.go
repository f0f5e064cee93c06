package overlay

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/memmap"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

type env struct {
	*testing.T
	fs    *FS
	upper *memFS
	lower *memFS
}

func newEnv(t *testing.T, lowers ...*memFS) *env {
	t.Helper()
	e := &env{T: t, upper: newMemFS(), lower: newMemFS()}
	layers := []vfs.FileSystem{e.lower}
	if len(lowers) > 0 {
		layers = nil
		for _, l := range lowers {
			layers = append(layers, l)
		}
	}
	var now int64
	fs, err := New(Options{Lowers: layers, Upper: e.upper, Device: 9, Clock: func() int64 { now += 1e9; return now }})
	if err != nil {
		t.Fatal(err)
	}
	e.fs = fs
	return e
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

func (e *env) find(p string) (vfs.Inode, error) {
	in := e.fs.Root()
	for name := range strings.SplitSeq(p, "/") {
		if name == "" || name == "." {
			continue
		}
		d, ok := in.(vfs.Directory)
		if !ok {
			return nil, linux.ENOTDIR
		}
		var err error
		if in, err = d.Lookup(name); err != nil {
			return nil, err
		}
	}
	return in, nil
}

func (e *env) get(p string) vfs.Inode {
	e.Helper()
	in, err := e.find(p)
	if err != nil {
		e.Fatalf("%s: %v", p, err)
	}
	return in
}

func (e *env) dirOf(p string) (vfs.Directory, string) {
	e.Helper()
	return e.get(path.Dir(p)).(vfs.Directory), path.Base(p)
}

func (e *env) open(in vfs.Inode, flags linux.OpenFlags) vfs.File {
	e.Helper()
	f, err := in.Open(nil, vfs.Path{}, flags)
	e.must(err)
	return f
}

func (e *env) readFile(f vfs.File) string {
	e.Helper()
	b := make([]byte, 1<<16)
	seq := usermem.OfBytes(b)
	n, err := f.(vfs.ReaderAt).ReadAt(&seq, 0)
	e.must(err)
	return string(b[:n])
}

func (e *env) read(p string) string { return e.readFile(e.open(e.get(p), linux.O_RDONLY)) }

func (e *env) write(in vfs.Inode, s string) {
	e.Helper()
	f := e.open(in, linux.O_WRONLY|linux.O_TRUNC)
	e.must(in.SetAttr(&vfs.SetAttr{Mask: vfs.SetSize}))
	seq := usermem.OfBytes([]byte(s))
	_, err := f.(vfs.WriterAt).WriteAt(&seq, 0)
	e.must(err)
	f.Release()
}

func (e *env) create(p string, mode linux.FileMode) (vfs.Inode, error) {
	d, name := e.dirOf(p)
	return d.Create(name, &vfs.NewInode{Mode: mode})
}

func (e *env) unlink(p string) error {
	d, name := e.dirOf(p)
	in, err := d.Lookup(name)
	if err != nil {
		return err
	}
	_, isDir := in.(vfs.Directory)
	return d.Unlink(name, in, isDir)
}

func (e *env) rename(p, q string, flags linux.RenameFlags) error {
	d, name := e.dirOf(p)
	nd, newName := e.dirOf(q)
	in, err := d.Lookup(name)
	if err != nil {
		return err
	}
	r, err := nd.Lookup(newName)
	if err != nil {
		r = nil
	}
	return d.Rename(name, in, nd, newName, r, flags)
}

func (e *env) list(p string) []string {
	e.Helper()
	var out []string
	f := e.open(e.get(p), linux.O_RDONLY|linux.O_DIRECTORY)
	e.must(f.(vfs.DirReader).ReadDir(0, func(d vfs.Dirent) bool {
		in, err := e.find(p + "/" + d.Name)
		if d.Name[0] != '.' {
			out = append(out, d.Name)
			if err != nil {
				e.Errorf("%s/%s is listed, but %v", p, d.Name, err)
			} else if a, _ := in.Attr(); a.Ino != d.Ino || uint8(a.Mode.DirentType()) != d.Type {
				e.Errorf("%s/%s is listed as %+v, attributes %+v", p, d.Name, d, a)
			}
		}
		return true
	}))
	slices.Sort(out)
	return out
}

func TestCopyUp(t *testing.T) {
	e := newEnv(t)
	low := e.lower.root.dir("d").file("f", "lower")
	low.x["user.k"] = []byte("v")
	low.a.UID, low.a.MTime.Sec = 5, 77
	in := e.get("d/f")
	before, _ := in.Attr()
	old := e.open(in, linux.O_RDONLY)
	if got := e.readFile(old); got != "lower" {
		t.Fatalf("read %q", got)
	}
	w := e.open(in, linux.O_RDWR)
	if a, _ := in.Attr(); a.MTime.Sec != 77 || a.UID != 5 || a.Ino != before.Ino || a.Size != 5 {
		t.Errorf("after the copy %+v, before %+v", a, before)
	}
	seq := usermem.OfBytes([]byte("UPPER"))
	_, err := w.(vfs.WriterAt).WriteAt(&seq, 0)
	e.must(err)
	if got := e.readFile(old); got != "UPPER" {
		t.Errorf("a descriptor from before the copy reads %q", got)
	}
	if string(low.data) != "lower" {
		t.Errorf("the lower file is %q", low.data)
	}
	if v, err := in.(vfs.XattrStore).GetXattr("user.k"); string(v) != "v" || err != nil {
		t.Errorf("attribute %q, %v", v, err)
	}
	if e.get("d/f") != in || e.read("d/f") != "UPPER" {
		t.Error("the name means something else now")
	}
	// Eviction does not lose what was written.
	in.(vfs.Evicter).Evict()
	e.get("d").(vfs.Evicter).Evict()
	if e.read("d/f") != "UPPER" {
		t.Error("lost by eviction")
	}
}

func TestMetadataDoesNotCopyData(t *testing.T) {
	e := newEnv(t)
	e.lower.root.file("f", "lower")
	n := e.upper.lastIno
	in := e.get("f")
	e.must(in.SetAttr(&vfs.SetAttr{Mask: vfs.SetMode | vfs.SetUID, Mode: 0o4711, UID: 3}))
	e.must(in.(vfs.XattrStore).SetXattr("user.a", []byte("b"), linux.XATTR_CREATE))
	if e.upper.lastIno != n {
		t.Error("the data was copied")
	}
	in.(vfs.Evicter).Evict()
	a, _ := e.get("f").Attr()
	if a.Mode != linux.S_IFREG|0o4711 || a.UID != 3 || a.Size != 5 {
		t.Errorf("%+v", a)
	}
	e.open(in, linux.O_WRONLY)
	a, _ = e.get("f").Attr()
	if a.Mode != linux.S_IFREG|0o4711 || a.UID != 3 || a.Size != 5 {
		t.Errorf("after the copy %+v", a)
	}
	if v, _ := in.(vfs.XattrStore).GetXattr("user.a"); string(v) != "b" {
		t.Errorf("attribute %q", v)
	}
}

func TestHardLinks(t *testing.T) {
	e := newEnv(t)
	f := e.lower.root.file("a", "one")
	f.a.Nlink = 2
	e.lower.root.kids["b"] = f
	e.write(e.get("a"), "two")
	if got := e.read("b"); got != "two" {
		t.Errorf("the other name reads %q", got)
	}
	d := e.fs.Root().(vfs.Directory)
	e.must(d.Link("c", e.get("b")))
	if a, _ := e.get("c").Attr(); a.Nlink != 3 || e.get("c") != e.get("a") {
		t.Errorf("%+v", a)
	}
	e.must(e.unlink("a"))
	e.must(e.unlink("b"))
	if a, _ := e.get("c").Attr(); a.Nlink != 1 {
		t.Errorf("%+v", a)
	}
	if e.read("c") != "two" {
		t.Error("lost by unlinking another name")
	}
}

func TestRenameOfMergedDirectory(t *testing.T) {
	e := newEnv(t)
	d := e.lower.root.dir("d")
	d.dir("sub").file("deep", "deep")
	d.file("f", "lower")
	_, err := e.create("d/new", linux.S_IFREG|0o600)
	e.must(err)
	e.must(e.unlink("d/f"))
	e.must(e.rename("d", "moved", 0))
	_, err = e.find("d")
	e.want(err, linux.ENOENT)
	if got := e.list("moved"); !slices.Equal(got, []string{"new", "sub"}) {
		t.Errorf("names %v", got)
	}
	if e.read("moved/sub/deep") != "deep" {
		t.Error("a lower file was lost by the rename")
	}
	// A directory made in its place shows nothing of the old one.
	_, err = e.create("d", linux.S_IFDIR|0o755)
	e.must(err)
	if got := e.list("d"); len(got) != 0 {
		t.Errorf("names %v", got)
	}
	e.want(e.rename("d", "moved", 0), linux.ENOTEMPTY)
	e.must(e.rename("d", "moved", linux.RENAME_EXCHANGE))
	if got := e.list("d"); !slices.Equal(got, []string{"new", "sub"}) {
		t.Errorf("after the exchange %v", got)
	}
	e.want(e.rename("d", "moved", linux.RENAME_NOREPLACE), linux.EEXIST)
}

func TestWhiteoutsDoNotPileUp(t *testing.T) {
	e := newEnv(t)
	e.lower.root.file("f", "")
	for i := range 100 {
		p := fmt.Sprint("tmp", i)
		_, err := e.create(p, linux.S_IFREG|0o600)
		e.must(err)
		e.must(e.unlink(p))
	}
	e.must(e.unlink("f"))
	if n := len(e.fs.root.changes); n != 1 {
		t.Errorf("%d changes", n)
	}
	if n := e.fs.made.Load(); n != 0 {
		t.Errorf("%d objects counted", n)
	}
	_, err := e.create("f", linux.S_IFREG|0o600)
	e.must(err)
	e.must(e.unlink("f"))
	_, err = e.find("f")
	e.want(err, linux.ENOENT)
}

func TestUnlinkedFileKeepsWorking(t *testing.T) {
	e := newEnv(t)
	low := e.lower.root.file("f", "lower")
	in := e.get("f")
	f := e.open(in, linux.O_RDONLY)
	e.must(e.unlink("f"))
	if e.readFile(f) != "lower" {
		t.Error("an open lower file was lost")
	}
	w := e.open(in, linux.O_RDWR)
	seq := usermem.OfBytes([]byte("more!"))
	_, err := w.(vfs.WriterAt).WriteAt(&seq, 0)
	e.must(err)
	if e.readFile(f) != "more!" || string(low.data) != "lower" {
		t.Error("a write after the unlink went wrong")
	}
	if a, _ := in.Attr(); a.Nlink != 0 {
		t.Errorf("%+v", a)
	}
	u := in.(*Inode).upper.Load().Inode.(*memInode)
	in.(vfs.Evicter).Evict()
	if !u.evicted {
		t.Error("the upper file outlives its last name and user")
	}
}

func TestTempFile(t *testing.T) {
	e := newEnv(t)
	d := e.fs.Root().(vfs.Directory)
	in, err := d.(vfs.TempCreator).CreateTemp(&vfs.NewInode{Mode: linux.S_IFREG | 0o600})
	e.must(err)
	e.write(in, "data")
	if a, _ := in.Attr(); a.Nlink != 0 {
		t.Errorf("%+v", a)
	}
	e.must(d.Link("named", in))
	if a, _ := in.Attr(); a.Nlink != 1 || e.read("named") != "data" {
		t.Errorf("%+v", a)
	}
}

func TestLayers(t *testing.T) {
	top, bottom := newMemFS(), newMemFS()
	bottom.root.dir("d").file("both", "bottom")
	bottom.root.kids["d"].(*memDir).file("below", "bottom")
	bottom.root.kids["d"].(*memDir).file("hidden", "bottom")
	bottom.root.dir("o").file("x", "")
	d := top.root.dir("d")
	d.file("both", "top")
	d.kids["hidden"] = top.inode(linux.S_IFCHR)
	o := top.root.dir("o")
	o.x["trusted.overlay.opaque"] = []byte("y")
	e := newEnv(t, top, bottom)
	if e.read("d/both") != "top" || e.read("d/below") != "bottom" {
		t.Error("layers in the wrong order")
	}
	if got := e.list("d"); !slices.Equal(got, []string{"below", "both"}) {
		t.Errorf("names %v", got)
	}
	_, err := e.find("d/hidden")
	e.want(err, linux.ENOENT)
	if got := e.list("o"); len(got) != 0 {
		t.Errorf("an opaque directory has %v", got)
	}
}

type fakeSpace struct{ got []memmap.Range }

func (s *fakeSpace) Invalidate(_ memmap.Mappable, addr, n uint64, _ bool) {
	s.got = append(s.got, memmap.Range{Start: addr, End: addr + n})
}

func TestMappingsSwitch(t *testing.T) {
	e := newEnv(t)
	low := e.lower.root.file("f", "lower")
	in := e.get("f")
	m := in.(vfs.Mapped).Mappable()
	ms := &fakeSpace{}
	r := memmap.Range{Start: 4096, End: 12288}
	e.must(m.AddMapping(ms, 1<<20, r, false))
	page := memmap.Range{Start: 4096, End: 8192}
	ts, err := m.Translate(page, r, false)
	e.must(err)
	if ts[0].Offset != low.a.Ino<<32 {
		t.Error("not the lower file's page")
	}
	e.open(in, linux.O_WRONLY)
	if in.(vfs.Mapped).Mappable() != m {
		t.Error("another Mappable after the copy")
	}
	if len(ms.got) != 1 || ms.got[0] != (memmap.Range{Start: 1 << 20, End: 1<<20 + 8192}) {
		t.Errorf("invalidated %+v", ms.got)
	}
	u := in.(*Inode).upper.Load().Inode.(*memInode)
	if len(low.spaces) != 0 || !slices.Equal(u.spaces, []memmap.Range{r}) {
		t.Errorf("lower is mapped %v, upper %v", low.spaces, u.spaces)
	}
	ts, err = m.Translate(page, r, false)
	e.must(err)
	if ts[0].Offset != u.a.Ino<<32 {
		t.Error("not the upper file's page")
	}
	proxy{in.(*Inode), &in.(*Inode).content}.Invalidate(nil, 8192, 4096, true)
	if len(ms.got) != 2 || ms.got[1] != (memmap.Range{Start: 1<<20 + 4096, End: 1<<20 + 8192}) {
		t.Errorf("invalidated %+v", ms.got)
	}
	m.RemoveMapping(ms, 1<<20, r, false)
	if len(u.spaces) != 0 {
		t.Error("still mapped")
	}
}
