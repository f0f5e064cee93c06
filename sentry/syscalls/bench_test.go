package syscalls

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"cordon/gofer/gofertest"
	"cordon/gofer/hostfs"
	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/memfile"
	"cordon/platform/sim"
	"cordon/sentry/arg"
	"cordon/sentry/cred"
	"cordon/sentry/file/pipe"
	"cordon/sentry/fs/goferfs"
	"cordon/sentry/fs/overlay"
	"cordon/sentry/fs/tmpfs"
	"cordon/sentry/futex"
	"cordon/sentry/ktime"
	"cordon/sentry/limit"
	"cordon/sentry/mm"
	"cordon/sentry/socket"
	"cordon/sentry/task"
	"cordon/sentry/vfs"

	"golang.org/x/sys/unix"
)

// A bench is a task whose root is an overlay over a gofer's directory, with a
// tmpfs on /tmp. Handlers are called without a platform between.
type bench struct {
	*testing.B
	t    *task.Task
	mem  uint64 // pages of the task's
	host string // the directory below the root
}

const benchAt = 0x400000

// pagesLoader makes programs of two pages without contents.
type pagesLoader struct{ mem *memfile.File }

func (l *pagesLoader) Load(t *task.Task, a *task.ExecArgs) (*task.Image, error) {
	m := mm.New(mm.Config{Platform: t.System().Platform, Memory: l.mem, Limits: t.Group().Limits()})
	if _, err := m.MMap(nil, mm.MMapOpts{
		Addr: benchAt, Len: 4 * linux.PageSize, Prot: linux.PROT_READ | linux.PROT_WRITE,
		Flags: linux.MAP_PRIVATE | linux.MAP_ANONYMOUS | linux.MAP_FIXED,
	}); err != nil {
		return nil, err
	}
	return &task.Image{MM: m, Name: a.Path, Cred: t.Cred(), Readable: true, Entry: benchAt, Stack: benchAt + linux.PageSize}, nil
}

type benchHosts struct{ ids atomic.Uint64 }

func (h *benchHosts) NewHostFileID() uint64          { return h.ids.Add(1) }
func (h *benchHosts) Descriptors() int               { return 20000 }
func (h *benchHosts) ForgetFile(_ platform.HostFile) {}

func newBench(b *testing.B) *bench {
	b.Helper()
	host := b.TempDir()
	for _, err := range []error{
		os.MkdirAll(filepath.Join(host, "usr/share/doc"), 0o755),
		os.Mkdir(filepath.Join(host, "tmp"), 0o777),
		os.WriteFile(filepath.Join(host, "usr/share/doc/file"), make([]byte, 64<<10), 0o644),
	} {
		if err != nil {
			b.Fatal(err)
		}
	}
	bb := newBenchOf(b, host)
	if err := vfs.DoMount(bb.t.Caller(), "tmpfs", "/tmp", "tmpfs", 0, ""); err != nil {
		b.Fatal(err)
	}
	return bb
}

// newBenchOf is newBench over a directory that is there.
func newBenchOf(b *testing.B, host string) *bench {
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	fd, err := unix.MemfdCreate("memory", unix.MFD_CLOEXEC)
	must(err)
	mem := memfile.New(int32(fd), 1)
	b.Cleanup(mem.Close)
	clocks, _ := ktime.NewVirtual(1e18)
	v := vfs.New(clocks.Realtime.Now, pipe.FIFOs{})
	sys := &task.System{
		Platform: sim.New(sim.Config{}), Memory: mem, VFS: v, Clocks: clocks, Loader: &pagesLoader{mem},
		UserNS: cred.NewRootNamespace(), Random: func(p []byte) { clear(p) }, NumCPU: 2, MemoryLimit: 1 << 30,
		Futexes: futex.NewTable(func(int32) bool { return true }),
	}
	sys.Init()
	newTmpfs := func() *tmpfs.FS {
		fs, err := tmpfs.New(tmpfs.Options{Memory: mem, Clock: clocks.Realtime.Now, Device: v.NextDevice(), Total: 1 << 30})
		must(err)
		return fs
	}
	sys.Memfds = newTmpfs()
	v.Register("tmpfs", vfs.FileSystemType{New: func(*vfs.Caller, string, string) (vfs.FileSystem, error) { return newTmpfs(), nil }})
	gofer, _ := gofertest.Local(b, hostfs.Config{ProcFD: -1, Mounts: []hostfs.Mount{{Name: "m", Root: -1, Path: host}}})
	lower, err := goferfs.New(goferfs.Options{Client: gofer, Attach: "m", Device: v.NextDevice(), Hosts: &benchHosts{}})
	must(err)
	root, err := overlay.New(overlay.Options{
		Lowers: []vfs.FileSystem{lower}, Upper: newTmpfs(), Device: v.NextDevice(), Clock: clocks.Realtime.Now,
	})
	must(err)
	ns, err := v.NewNamespace(sys.UserNS, root, "overlay", 0)
	must(err)
	var limits [linux.RLIM_NLIMITS]linux.Rlimit
	for i := range limits {
		limits[i] = linux.Rlimit{Cur: limit.Infinity, Max: limit.Infinity}
	}
	g, err := sys.NewProcess(&task.InitArgs{
		Cred: cred.Root(sys.UserNS, cred.AllCaps), FDs: vfs.NewFDTable(), FS: task.NewFSContext(ns.Root(), ns.Root(), 0o022),
		Namespaces: &task.Namespaces{Mount: ns, UTS: task.NewUTS("host", "(none)"), Net: socket.NewNamespace(nil, sys.UserNS)},
		Limits:     limit.NewSet(limits), Exec: task.ExecArgs{Path: "prog"},
	})
	must(err)
	t := g.Leader()
	return &bench{B: b, t: t, mem: benchAt, host: host}
}

func (b *bench) path(s string) arg.Path {
	b.Helper()
	if _, err := b.t.MM().CopyOut(b.mem, append([]byte(s), 0)); err != nil {
		b.Fatal(err)
	}
	return arg.Path(b.mem)
}

// buf is a page and a bit that the path does not lie in.
func (b *bench) buf() uint64 { return b.mem + linux.PageSize }

func (b *bench) open(path string, flags linux.OpenFlags) linux.FD {
	b.Helper()
	fd, err := sysOpen(b.t, b.path(path), flags, 0o644)
	if err != nil {
		b.Fatal(err)
	}
	return linux.FD(fd)
}

// run measures call, which is to return no error.
func (b *bench) run(call func() (uintptr, error)) {
	b.Helper()
	if _, err := call(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := call(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStat(bb *testing.B) {
	b := newBench(bb)
	p, out := b.path("/usr/share/doc/file"), arg.Out[linux.Stat](b.buf())
	b.run(func() (uintptr, error) { return sysStat(b.t, p, out) })
}

func BenchmarkStatAbsent(bb *testing.B) {
	b := newBench(bb)
	p, out := b.path("/usr/share/doc/absent"), arg.Out[linux.Stat](b.buf())
	b.run(func() (uintptr, error) {
		if _, err := sysStat(b.t, p, out); err != error(linux.ENOENT) {
			return 0, err
		}
		return 0, nil
	})
}

func BenchmarkFstat(bb *testing.B) {
	b := newBench(bb)
	fd := b.open("/usr/share/doc/file", linux.O_RDONLY)
	b.run(func() (uintptr, error) { return sysFstat(b.t, fd, arg.Out[linux.Stat](b.buf())) })
}

func benchOpenClose(bb *testing.B, path string, flags linux.OpenFlags) {
	b := newBench(bb)
	p := b.path(path)
	b.run(func() (uintptr, error) {
		fd, err := sysOpenat(b.t, linux.AT_FDCWD, p, flags, 0o644)
		if err != nil {
			return 0, err
		}
		return sysClose(b.t, linux.FD(fd))
	})
}

func BenchmarkOpenClose(bb *testing.B) { benchOpenClose(bb, "/usr/share/doc/file", linux.O_RDONLY) }

func BenchmarkOpenCloseTmpfs(bb *testing.B) {
	benchOpenClose(bb, "/tmp/file", linux.O_RDWR|linux.O_CREAT)
}

func benchPread(bb *testing.B, path string, n arg.Size) {
	b := newBench(bb)
	fd := b.open(path, linux.O_RDWR|linux.O_CREAT)
	for range 20 {
		if _, err := sysWrite(b.t, fd, arg.InBytes(b.buf()), 4096); err != nil {
			b.Fatal(err)
		}
	}
	b.run(func() (uintptr, error) { return sysPread64(b.t, fd, arg.OutBytes(b.buf()), n, 0) })
}

func BenchmarkRead64(bb *testing.B) {
	b := newBench(bb)
	fd := b.open("/usr/share/doc/file", linux.O_RDONLY)
	b.run(func() (uintptr, error) {
		if _, err := sysLseek(b.t, fd, 0, linux.SEEK_SET); err != nil {
			return 0, err
		}
		return sysRead(b.t, fd, arg.OutBytes(b.buf()), 64)
	})
}

func BenchmarkRead64Tmpfs(bb *testing.B) { benchPread(bb, "/tmp/file", 64) }

func BenchmarkRead4KTmpfs(bb *testing.B) { benchPread(bb, "/tmp/file", 4096) }

func benchWrite(bb *testing.B, path string, n arg.Size) {
	b := newBench(bb)
	fd := b.open(path, linux.O_RDWR|linux.O_CREAT)
	b.run(func() (uintptr, error) { return sysPwrite64(b.t, fd, arg.InBytes(b.buf()), n, 0) })
}

func BenchmarkWrite4KTmpfs(bb *testing.B) { benchWrite(bb, "/tmp/file", 4096) }

func BenchmarkWrite4KRoot(bb *testing.B) { benchWrite(bb, "/usr/written", 4096) }

func BenchmarkGetdents(bb *testing.B) {
	b := newBench(bb)
	fd := b.open("/usr/share", linux.O_RDONLY|linux.O_DIRECTORY)
	b.run(func() (uintptr, error) {
		if _, err := sysLseek(b.t, fd, 0, linux.SEEK_SET); err != nil {
			return 0, err
		}
		return sysGetdents64(b.t, fd, arg.OutBytes(b.buf()), 4096)
	})
}

func BenchmarkAccess(bb *testing.B) {
	b := newBench(bb)
	p := b.path("/usr/share/doc/file")
	b.run(func() (uintptr, error) { return sysAccess(b.t, p, linux.R_OK) })
}

// BenchmarkCachedFile measures what a name costs that was looked up: the bytes
// of the Sentry's heap (and of the gofer's, which is in this process).
func BenchmarkCachedFile(bb *testing.B) {
	const dirs, files = 100, 200
	b := newBench(bb)
	for d := range dirs {
		dir := filepath.Join(b.host, "usr", strconv.Itoa(d))
		if err := os.Mkdir(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		for f := range files {
			if err := os.WriteFile(filepath.Join(dir, "name-"+strconv.Itoa(f)), nil, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		for d := range dirs {
			for f := range files {
				p := b.path("/usr/" + strconv.Itoa(d) + "/name-" + strconv.Itoa(f))
				if _, err := sysStat(b.t, p, arg.Out[linux.Stat](b.buf())); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(dirs*files), "heap-B/file")
	b.ReportMetric(float64(after.Sys-before.Sys)/(dirs*files), "sys-B/file")
}
