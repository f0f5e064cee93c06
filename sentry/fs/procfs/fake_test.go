package procfs

import (
	"io"
	"os"
	"testing"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
	"cordon/platform/memfile"
	"cordon/sentry/cred"
	"cordon/sentry/futex"
	"cordon/sentry/ipc"
	"cordon/sentry/ktime"
	"cordon/sentry/limit"
	"cordon/sentry/mm"
	"cordon/sentry/socket"
	"cordon/sentry/task"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"

	"golang.org/x/sys/unix"
)

// A fakePlatform has address spaces and threads in which nothing runs.
type fakePlatform struct{}

func (fakePlatform) Name() string { return "fake" }
func (fakePlatform) NewAddressSpace() (platform.AddressSpace, linux.Errno) {
	return fakeSpace{}, 0
}
func (fakePlatform) NewContext() platform.Context { return fakeContext{} }
func (fakePlatform) Bounds() (uint64, uint64)     { return 0x10000, linux.TASK_SIZE }
func (fakePlatform) ForgetFile(platform.HostFile) {}
func (fakePlatform) Release()                     {}

type fakeSpace struct{}

func (fakeSpace) Apply(platform.Context, []platform.Op) linux.Errno { return 0 }
func (fakeSpace) Release()                                          {}

type fakeContext struct{}

func (fakeContext) Switch(platform.AddressSpace, *arch.Registers, bool) platform.Event {
	return platform.Event{Kind: platform.EventInterrupt}
}
func (fakeContext) FPU() []byte               { return nil }
func (fakeContext) SetFPU([]byte) linux.Errno { return 0 }
func (fakeContext) Interrupt()                {}
func (fakeContext) Release()                  {}

// A fakeLoader makes a space with one page of arguments and environment.
type fakeLoader struct {
	mem *memfile.File
	exe *vfs.Description
}

const argPage = 0x7000_0000

func (l *fakeLoader) Load(t *task.Task, a *task.ExecArgs) (*task.Image, error) {
	m := mm.New(mm.Config{Platform: fakePlatform{}, Memory: l.mem, Limits: t.Group().Limits()})
	at, err := m.MMap(nil, mm.MMapOpts{Addr: argPage, Len: 2 * pageSize, Prot: linux.PROT_READ | linux.PROT_WRITE,
		Flags: linux.MAP_PRIVATE | linux.MAP_ANONYMOUS | linux.MAP_FIXED})
	if err != nil {
		return nil, err
	}
	var args, env []byte
	for _, s := range a.Argv {
		args = append(append(args, s...), 0)
	}
	for _, s := range a.Envv {
		env = append(append(env, s...), 0)
	}
	if _, err := m.CopyOut(at, append(args, env...)); err != nil {
		return nil, err
	}
	m.SetLayout(func(y *mm.Layout) {
		y.ArgStart, y.ArgEnd = at, at+uint64(len(args))
		y.EnvStart, y.EnvEnd = y.ArgEnd, y.ArgEnd+uint64(len(env))
		y.StartCode, y.EndCode, y.StartStack = 0x400000, 0x401000, at+pageSize
		y.Auxv = []uint64{6, pageSize, 0, 0}
		if l.exe != nil {
			y.Exe = l.exe
		}
	})
	return &task.Image{MM: m, Name: a.Path, Cred: t.Cred(), Readable: true}, nil
}

// A world is a system whose root directory is /proc.
type world struct {
	t      *testing.T
	sys    *task.System
	fs     *FileSystem
	ns     *vfs.MountNamespace
	loader *fakeLoader
}

func newWorld(t *testing.T, opts Options) *world {
	t.Helper()
	fd, err := unix.MemfdCreate("memory", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	mem := memfile.New(int32(fd), 1)
	clocks := ktime.NewHost()
	w := &world{t: t, loader: &fakeLoader{mem: mem}}
	next := byte(0)
	w.sys = &task.System{
		Platform: fakePlatform{}, Memory: mem, VFS: vfs.New(clocks.Realtime.Now, nil), Clocks: clocks,
		Futexes: futex.NewTable(func(int32) bool { return true }), Loader: w.loader, UserNS: cred.NewRootNamespace(),
		Random: func(p []byte) { next++; p[0] = next },
		NumCPU: 3, MemoryLimit: 1 << 30,
	}
	w.sys.Init()
	w.fs = New(w.sys, opts)
	w.fs.Register(w.sys.VFS)
	if w.ns, err = w.sys.VFS.NewNamespace(w.sys.UserNS, w.fs, "proc", 0); err != nil {
		t.Fatal(err)
	}
	return w
}

// process makes a process of user uid that does not run.
func (w *world) process(uid uint32, args ...string) *task.Task {
	w.t.Helper()
	caps := cred.AllCaps
	if uid != 0 {
		caps = 0
	}
	c := cred.Root(w.sys.UserNS, caps)
	c.RUID, c.EUID, c.SUID, c.FSUID = uid, uid, uid, uid
	c.RGID, c.EGID, c.SGID, c.FSGID = uid, uid, uid, uid
	var limits [linux.RLIM_NLIMITS]linux.Rlimit
	for i := range limits {
		limits[i] = linux.Rlimit{Cur: limit.Infinity, Max: limit.Infinity}
	}
	g, err := w.sys.NewProcess(&task.InitArgs{
		Cred: c, FDs: vfs.NewFDTable(), FS: task.NewFSContext(w.ns.Root(), w.ns.Root(), 0o022),
		Namespaces: &task.Namespaces{Mount: w.ns, UTS: task.NewUTS("host", "(none)"), Net: socket.NewNamespace(nil, w.sys.UserNS), IPC: ipc.New(nil)}, Limits: limit.NewSet(limits),
		Exec: task.ExecArgs{Path: args[0], Argv: args, Envv: []string{"HOME=/", "X=y"}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return g.Leader()
}

// end kills every process and takes away what is left of them.
func (w *world) end() {
	w.sys.KillAll()
	all := w.sys.Processes()
	for _, g := range all {
		w.sys.StartProcess(g)
	}
	<-w.sys.Gone()
	for _, g := range all {
		w.sys.Reap(g)
	}
}

func (w *world) open(t *task.Task, path string, flags linux.OpenFlags) (*vfs.Description, error) {
	c := t.Caller()
	return vfs.Open(c, c.Cwd, path, vfs.OpenHow{Flags: flags})
}

// read returns what a file holds, read n bytes at a time.
func (w *world) readBy(t *task.Task, path string, n int) (string, error) {
	d, err := w.open(t, path, linux.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer d.DecRef()
	var all []byte
	buf := make([]byte, n)
	for len(all) < 16<<20 {
		dst := usermem.OfBytes(buf)
		k, err := d.Read(t.Caller(), &dst)
		if err != nil {
			return string(all), err
		}
		if k == 0 {
			return string(all), nil
		}
		all = append(all, buf[:k]...)
	}
	return string(all), io.ErrShortBuffer
}

func (w *world) read(t *task.Task, path string) string {
	w.t.Helper()
	s, err := w.readBy(t, path, 64<<10)
	if err != nil {
		w.t.Fatalf("reading %s: %v", path, err)
	}
	return s
}

func (w *world) write(t *task.Task, path, s string) error {
	d, err := w.open(t, path, linux.O_WRONLY|linux.O_TRUNC)
	if err != nil {
		return err
	}
	defer d.DecRef()
	src := usermem.OfBytes([]byte(s))
	_, err = d.Write(t.Caller(), &src)
	return err
}

func (w *world) readlink(t *task.Task, path string) (string, error) {
	c := t.Caller()
	p, err := vfs.Resolve(c, c.Cwd, path, vfs.NoFollow)
	if err != nil {
		return "", err
	}
	l, ok := p.Inode().(vfs.Symlink)
	if !ok {
		return "", linux.EINVAL
	}
	return l.Readlink(c)
}

// list returns the names in a directory and their types.
func (w *world) list(t *task.Task, path string) map[string]uint8 {
	w.t.Helper()
	d, err := w.open(t, path, linux.O_RDONLY|linux.O_DIRECTORY)
	if err != nil {
		w.t.Fatalf("opening %s: %v", path, err)
	}
	defer d.DecRef()
	out := map[string]uint8{}
	for {
		n := 0
		// A few at a time, as getdents with a small buffer.
		err := d.ReadDir(t.Caller(), func(e vfs.Dirent) bool {
			if n == 3 {
				return false
			}
			n++
			if _, ok := out[e.Name]; ok {
				w.t.Errorf("%s lists %s twice", path, e.Name)
			}
			out[e.Name] = e.Type
			return true
		})
		if err != nil {
			w.t.Fatalf("listing %s: %v", path, err)
		}
		if n == 0 {
			return out
		}
	}
}

func hostFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("the host has no %s: %v", path, err)
	}
	return string(b)
}
