package sentry

import (
	"bytes"
	"fmt"
	"testing"

	"cordon/internal/linux"
	"cordon/platform/memfile"
	"cordon/platform/sim"
	"cordon/sentry/cred"
	"cordon/sentry/file/epoll"
	"cordon/sentry/file/eventfd"
	"cordon/sentry/file/inotify"
	"cordon/sentry/file/pipe"
	"cordon/sentry/file/signalfd"
	"cordon/sentry/file/timerfd"
	"cordon/sentry/fs/devfs"
	"cordon/sentry/fs/overlay"
	"cordon/sentry/fs/procfs"
	"cordon/sentry/fs/tmpfs"
	"cordon/sentry/futex"
	"cordon/sentry/ktime"
	"cordon/sentry/limit"
	"cordon/sentry/mm"
	"cordon/sentry/socket"
	"cordon/sentry/task"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"

	"golang.org/x/sys/unix"
)

// plainLoader makes programs of two pages without contents.
type plainLoader struct{ mem *memfile.File }

const programAt = 0x400000

func (l *plainLoader) Load(t *task.Task, a *task.ExecArgs) (*task.Image, error) {
	m := mm.New(mm.Config{Platform: t.System().Platform, Memory: l.mem, Limits: t.Group().Limits()})
	if _, err := m.MMap(nil, mm.MMapOpts{
		Addr: programAt, Len: 2 * linux.PageSize, Prot: linux.PROT_READ | linux.PROT_WRITE,
		Flags: linux.MAP_PRIVATE | linux.MAP_ANONYMOUS | linux.MAP_FIXED,
	}); err != nil {
		return nil, err
	}
	return &task.Image{MM: m, Name: a.Path, Cred: t.Cred(), Readable: true, Entry: programAt, Stack: programAt + linux.PageSize}, nil
}

// A world is a system without programs that run.
type world struct {
	*testing.T
	sys    *task.System
	clocks *ktime.Clocks
	time   *ktime.Virtual
	ns     *vfs.MountNamespace
	spaces *task.Namespaces
}

func testMemory(t *testing.T) *memfile.File {
	t.Helper()
	fd, err := unix.MemfdCreate("memory", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := memfile.New(int32(fd), 1)
	t.Cleanup(f.Close)
	return f
}

func newWorld(t *testing.T) *world {
	t.Helper()
	clocks, virtual := ktime.NewVirtual(1e18)
	mem := testMemory(t)
	v := vfs.New(clocks.Realtime.Now, pipe.FIFOs{})
	w := &world{T: t, clocks: clocks, time: virtual}
	w.sys = &task.System{
		Platform: sim.New(sim.Config{}), Memory: mem, VFS: v, Clocks: clocks, Loader: &plainLoader{mem},
		UserNS: cred.NewRootNamespace(), Random: func(p []byte) { clear(p) }, NumCPU: 2, MemoryLimit: 1 << 30,
		Futexes: futex.NewTable(func(int32) bool { return true }),
	}
	w.sys.Init()
	w.sys.Memfds = w.tmpfs()
	assembleTest(w.sys)
	root := w.tmpfs()
	var err error
	if w.ns, err = v.NewNamespace(w.sys.UserNS, root, "tmpfs", 0); err != nil {
		t.Fatal(err)
	}
	w.spaces = &task.Namespaces{Mount: w.ns, UTS: task.NewUTS("host", "(none)"), Net: socket.NewNamespace(nil, w.sys.UserNS)}
	return w
}

// assembleTest registers what the worlds of these tests have.
func assembleTest(s *task.System) error {
	procfs.New(s, procfs.Options{}).Register(s.VFS)
	devfs.Register(s.VFS, devfs.Options{Random: s.Random, Memory: s.Memfds})
	return nil
}

func (w *world) tmpfs() *tmpfs.FS {
	fs, err := tmpfs.New(tmpfs.Options{
		Memory: w.sys.Memory, Clock: w.clocks.Realtime.Now, Device: w.sys.VFS.NextDevice(), Total: 1 << 30,
	})
	w.ok(err)
	return fs
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) process() *task.Task {
	w.Helper()
	var limits [linux.RLIM_NLIMITS]linux.Rlimit
	for i := range limits {
		limits[i] = linux.Rlimit{Cur: limit.Infinity, Max: limit.Infinity}
	}
	g, err := w.sys.NewProcess(&task.InitArgs{
		Cred: cred.Root(w.sys.UserNS, cred.AllCaps), FDs: vfs.NewFDTable(), FS: task.NewFSContext(w.ns.Root(), w.ns.Root(), 0o022),
		Namespaces: w.spaces, Limits: limit.NewSet(limits), Exec: task.ExecArgs{Path: "prog"},
	})
	w.ok(err)
	return g.Leader()
}

func (w *world) open(t *task.Task, path string, flags linux.OpenFlags) *vfs.Description {
	w.Helper()
	c := t.Caller()
	d, err := vfs.Open(c, c.Cwd, path, vfs.OpenHow{Flags: flags, Mode: 0o644})
	if err != nil {
		w.Fatalf("opening %s: %v", path, err)
	}
	return d
}

// install gives d the next descriptor of t, which takes over the reference.
func (w *world) install(t *task.Task, d *vfs.Description) linux.FD {
	w.Helper()
	fd, err := t.FDs().Install(d, 0, 100, 0)
	w.ok(err)
	return fd
}

func (w *world) write(t *task.Task, d *vfs.Description, s string) {
	w.Helper()
	src := usermem.OfBytes([]byte(s))
	if n, err := d.Write(t.Caller(), &src); n != len(s) || err != nil {
		w.Fatalf("writing: %d %v", n, err)
	}
}

func readAll(t *testing.T, k *task.Task, d *vfs.Description) string {
	t.Helper()
	buf := make([]byte, 4096)
	dst := usermem.OfBytes(buf)
	n, err := d.Read(k.Caller(), &dst)
	if err != nil {
		t.Fatalf("reading: %v", err)
	}
	return string(buf[:n])
}

// reload saves the system and loads it again, twice, and compares.
func (w *world) reload() *task.System {
	w.Helper()
	var first, second bytes.Buffer
	w.ok(SavePlain(&first, w.sys))
	want := bytes.Clone(first.Bytes())
	sys := w.load(&first)
	w.ok(SavePlain(&second, sys))
	if !bytes.Equal(want, second.Bytes()) {
		w.Errorf("the second image differs from the first: %s", difference(w.T, want, second.Bytes()))
	}
	return sys
}

func (w *world) load(r *bytes.Buffer) *task.System {
	w.Helper()
	mem := testMemory(w.T)
	sys, err := Load(r, &Outside{
		Platform: sim.New(sim.Config{}), Memory: mem, Clocks: w.clocks,
		Parts: task.Parts{Loader: &plainLoader{mem}, Random: func(p []byte) { clear(p) }, Assemble: assembleTest},
	})
	w.ok(err)
	return sys
}

func TestSaveFilesAndSignals(t *testing.T) {
	w := newWorld(t)
	a, b := w.process(), w.process()
	c := a.Caller()
	w.ok(vfs.Mkdir(c, c.Cwd, "dir", 0o755))
	w.ok(vfs.Mkdir(c, c.Cwd, "proc", 0o755))
	w.ok(vfs.DoMount(c, "proc", "/proc", "proc", 0, ""))
	w.ok(vfs.Mknod(c, c.Cwd, "null", linux.S_IFCHR|0o666, linux.MakeDev(1, 3)))

	file := w.open(a, "dir/file", linux.O_CREAT|linux.O_RDWR)
	w.write(a, file, "hello, world")
	gone := w.open(a, "dir/gone", linux.O_CREAT|linux.O_RDWR)
	w.write(a, gone, "unlinked")
	w.ok(vfs.Unlink(c, c.Cwd, "dir/gone"))
	fd := w.install(a, file)
	w.install(a, gone)
	file.IncRef()
	w.ok(b.FDs().Replace(fd, file, 100, linux.FD_CLOEXEC))
	w.ok(file.Flock(linux.LOCK_EX, 1))
	w.ok(gone.SetLock(a.FDs(), vfs.LockRequest{Type: linux.F_WRLCK, Start: 1, End: 5, PID: 1}))

	r, wr := pipe.New(0)
	v := w.sys.VFS
	in := v.NewAnonInode(c, linux.S_IFIFO|0o600, r.OpenAgain)
	pr := v.NewPseudoFile(c, r, "pipe", in, linux.O_RDONLY)
	pw := v.NewPseudoFile(c, wr, "pipe", in, linux.O_WRONLY)
	w.write(a, pw, "in the pipe")
	prFD, _ := w.install(a, pr), w.install(a, pw)

	ep := epoll.New(&w.sys.Epoll)
	w.ok(ep.Control(linux.EPOLL_CTL_ADD, prFD, pr, &linux.EpollEvent{Events: linux.EPOLLIN}, false))
	ev := v.NewAnonFile(c, eventfd.New(7, 0), "[eventfd]", linux.O_RDWR)
	w.install(a, v.NewAnonFile(c, ep, "[eventpoll]", linux.O_RDWR))
	w.install(a, ev)
	tf, err := timerfd.New(w.clocks, linux.CLOCK_MONOTONIC)
	w.ok(err)
	_, err = tf.Set(0, &linux.Itimerspec{Value: linux.Timespec{Sec: 5}})
	w.ok(err)
	w.install(b, v.NewAnonFile(c, tf, "[timerfd]", linux.O_RDWR))
	w.install(b, v.NewAnonFile(c, signalfd.New(b, linux.SigSetOf(linux.SIGUSR1)), "[signalfd]", linux.O_RDWR))
	watch, err := inotify.New(&w.sys.Inotify)
	w.ok(err)
	dir, err := vfs.Resolve(c, c.Cwd, "dir", 0)
	w.ok(err)
	_, err = watch.AddWatch(dir, linux.IN_CREATE)
	w.ok(err)
	w.install(b, v.NewAnonFile(c, watch, "inotify", linux.O_RDONLY))
	memfd, err := tmpfs.NewMemfd(v, w.sys.Memfds, c, "m", 0)
	w.ok(err)
	w.write(a, memfd, "memory file")
	w.install(a, memfd)
	w.install(a, w.open(a, "null", linux.O_RDWR))
	stat := w.open(a, "proc/2/stat", linux.O_RDONLY)
	w.install(a, stat)
	w.install(a, w.open(a, "proc/self/fd", linux.O_RDONLY|linux.O_DIRECTORY))
	w.install(a, w.open(a, "dir", linux.O_RDONLY|linux.O_DIRECTORY))
	w.install(a, w.open(a, "dir", linux.O_PATH))

	if _, err := a.MM().CopyOut(programAt+100, []byte("guest memory")); err != nil {
		t.Fatal(err)
	}
	b.SetMask(linux.SigSetOf(linux.SIGUSR1))
	if e := b.Group().Send(&linux.SigInfo{Signo: linux.SIGUSR1, Code: linux.SI_USER}); e != 0 {
		t.Fatal(e)
	}
	id, e := b.CreateTimer(w.clocks.Monotonic, linux.Sigevent{Signo: linux.SIGUSR2}, true)
	if e != 0 {
		t.Fatal(e)
	}
	if _, e := b.SetTimer(id, linux.Itimerspec{Value: linux.Timespec{Sec: 9}}, false); e != 0 {
		t.Fatal(e)
	}
	b.Group().SetITimer(0, 3e9, 0)

	sys := w.reload()
	checkReloaded(t, sys, w.time)
}

func TestSaveOverlay(t *testing.T) {
	w := newWorld(t)
	lower, upper := w.tmpfs(), w.tmpfs()
	low := lower.Root().(vfs.Directory)
	for _, name := range []string{"kept", "changed", "removed"} {
		_, err := low.Create(name, &vfs.NewInode{Mode: linux.S_IFREG | 0o644})
		w.ok(err)
	}
	sub, err := low.Create("sub", &vfs.NewInode{Mode: linux.S_IFDIR | 0o755})
	w.ok(err)
	_, err = sub.(vfs.Directory).Create("deep", &vfs.NewInode{Mode: linux.S_IFREG | 0o600})
	w.ok(err)
	fs, err := overlay.New(overlay.Options{
		Lowers: []vfs.FileSystem{lower}, Upper: upper, Device: w.sys.VFS.NextDevice(), Clock: w.clocks.Realtime.Now,
	})
	w.ok(err)
	a := w.process()
	c := a.Caller()
	w.ok(vfs.Mkdir(c, c.Cwd, "over", 0o755))
	at, err := vfs.Resolve(c, c.Cwd, "over", 0)
	w.ok(err)
	w.ok(w.sys.VFS.Mount(fs, at, "overlay", 0))
	w.write(a, w.open(a, "over/changed", linux.O_RDWR), "above")
	w.write(a, w.open(a, "over/new", linux.O_CREAT|linux.O_RDWR), "new")
	w.ok(vfs.Unlink(c, c.Cwd, "over/removed"))
	w.install(a, w.open(a, "over/kept", linux.O_RDONLY))
	w.install(a, w.open(a, "over/sub", linux.O_RDONLY|linux.O_DIRECTORY))
	w.install(a, w.open(a, "over/changed", linux.O_RDONLY))

	sys := w.reload()
	b := sys.Task(1)
	c = b.Caller()
	if s := readAll(t, b, b.FDs().Get(2)); s != "above" {
		t.Errorf("the changed file holds %q", s)
	}
	d, err := vfs.Open(c, c.Cwd, "over/new", vfs.OpenHow{Flags: linux.O_RDONLY})
	w.ok(err)
	if s := readAll(t, b, d); s != "new" {
		t.Errorf("the new file holds %q", s)
	}
	for path, want := range map[string]error{"over/removed": linux.ENOENT, "over/kept": nil, "over/sub/deep": nil} {
		if _, err := vfs.Resolve(c, c.Cwd, path, 0); err != want {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
}

func checkReloaded(t *testing.T, sys *task.System, virtual *ktime.Virtual) {
	t.Helper()
	a, b := sys.Task(1), sys.Task(2)
	get := func(k *task.Task, fd linux.FD) *vfs.Description {
		d := k.FDs().Get(fd)
		if d == nil {
			t.Fatalf("descriptor %d is missing", fd)
		}
		return d
	}
	file, gone, pr := get(a, 0), get(a, 1), get(a, 2)
	if off := file.Offset(); off != 12 {
		t.Errorf("the offset is %d", off)
	}
	if get(b, 0) != file {
		t.Error("the processes share their file no longer")
	}
	c := a.Caller()
	other, err := vfs.Open(c, c.Cwd, "/dir/file", vfs.OpenHow{Flags: linux.O_RDWR})
	if err != nil {
		t.Fatal(err)
	}
	if s := readAll(t, a, other); s != "hello, world" {
		t.Errorf("the file holds %q", s)
	}
	if err := other.Flock(linux.LOCK_EX|linux.LOCK_NB, 1); err != error(linux.EAGAIN) {
		t.Errorf("locking what is locked: %v", err)
	}
	if l := gone.GetLock(b.FDs(), vfs.LockRequest{Type: linux.F_RDLCK, Start: 0, End: 10}); l.Type != linux.F_WRLCK || l.Start != 1 {
		t.Errorf("the record lock is %+v", l)
	}
	if name, deleted := gone.MapName(); !deleted {
		t.Errorf("%s is not deleted", name)
	}
	if _, err := vfs.Resolve(c, c.Cwd, "/dir/gone", 0); err != error(linux.ENOENT) {
		t.Errorf("the unlinked file is found: %v", err)
	}
	ep := get(a, 4).File().(*epoll.Instance)
	if n := ep.Collect(make([]linux.EpollEvent, 4)); n != 1 {
		t.Errorf("epoll tells of %d files", n)
	}
	if s := readAll(t, a, pr); s != "in the pipe" {
		t.Errorf("the pipe held %q", s)
	}
	buf := make([]byte, 12)
	if _, err := a.MM().CopyIn(programAt+100, buf); err != nil || string(buf) != "guest memory" {
		t.Errorf("guest memory is %q, %v", buf, err)
	}
	if _, shared := b.PendingSets(); shared != linux.SigSetOf(linux.SIGUSR1) {
		t.Errorf("pending: %v", shared)
	}
	if err := vfs.Mkdir(c, c.Cwd, "/dir/new", 0o755); err != nil {
		t.Error(err)
	}
	virtual.Advance(4e9)
	if _, shared := b.PendingSets(); !shared.Has(linux.SIGALRM) {
		t.Errorf("the interval timer has not gone off: %v", shared)
	}
	virtual.Advance(6e9)
	if _, shared := b.PendingSets(); !shared.Has(linux.SIGUSR2) {
		t.Errorf("the POSIX timer has not gone off: %v", shared)
	}
}

// difference says where two images differ: in which kinds, as far as they can
// be read.
func difference(t *testing.T, a, b []byte) string {
	t.Helper()
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			from := max(0, i-200)
			return fmt.Sprintf("at byte %d of %d and %d: %q and %q", i, len(a), len(b), a[from:min(len(a), i+40)], b[from:min(len(b), i+40)])
		}
	}
	return fmt.Sprintf("lengths %d and %d", len(a), len(b))
}
