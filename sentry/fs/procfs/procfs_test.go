package procfs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/task"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// fields returns the names before the colon of each line.
func fields(s string) []string {
	var out []string
	for l := range strings.Lines(s) {
		name, _, ok := strings.Cut(l, ":")
		if ok {
			out = append(out, strings.TrimSpace(name))
		}
	}
	return out
}

// compareFields wants ours to be the host's but for what one has and the other
// may lack.
func compareFields(t *testing.T, what, ours, host string, optional ...string) {
	t.Helper()
	skip := func(l []string) []string {
		return slices.DeleteFunc(l, func(s string) bool { return slices.Contains(optional, s) })
	}
	a, b := skip(fields(ours)), skip(fields(host))
	if !slices.Equal(a, b) {
		t.Errorf("%s has the fields\n%q\nthe host's has\n%q", what, a, b)
	}
}

func TestStatusHasTheHostsFields(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.process(0, "prog")
	compareFields(t, "status", w.read(p, "/self/status"), hostFile(t, "/proc/self/status"),
		"x86_Thread_features", "x86_Thread_features_locked", "Speculation_Store_Bypass", "SpeculationIndirectBranch")
}

func TestStatHas52Fields(t *testing.T) {
	w := newWorld(t, Options{})
	w.process(0, "init")
	p := w.process(0, "a b) c")
	s := w.read(p, "/self/stat")
	head, rest, ok := strings.Cut(s, ") R ")
	if want := fmt.Sprintf("%d (a b) c", p.PID()); !ok || head != want {
		t.Fatalf("stat begins with %q, want %q", head, want)
	}
	host := hostFile(t, "/proc/self/stat")
	if a, b := len(strings.Fields(rest)), len(strings.Fields(host[strings.LastIndex(host, ")"):]))-2; a != b || a != 49 {
		t.Errorf("stat has %d fields after the state, the host's %d", a, b)
	}
	f := strings.Fields(rest)
	if f[0] != "0" || f[1] != fmt.Sprint(p.PID()) || f[2] != fmt.Sprint(p.PID()) || f[3] != "0" || f[4] != "-1" || f[34] != "17" {
		t.Errorf("parent, group, session, terminal, its group, exit signal: %v", f)
	}
}

func TestLimitsLookAsOnTheHost(t *testing.T) {
	w := newWorld(t, Options{})
	cut := func(s string) (out []string) {
		for l := range strings.Lines(s) {
			out = append(out, strings.TrimSpace(l[:25])+"|"+strings.TrimRight(l[67:], "\n"))
		}
		return out
	}
	if a, b := cut(w.read(w.process(0, "p"), "/self/limits")), cut(hostFile(t, "/proc/self/limits")); !slices.Equal(a, b) {
		t.Errorf("limits are\n%q\nthe host's\n%q", a, b)
	}
}

func TestMeminfoHasTheHostsFields(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.process(0, "p")
	compareFields(t, "meminfo", w.read(p, "/meminfo"), hostFile(t, "/proc/meminfo"),
		"CmaTotal", "CmaFree", "Balloon", "DirectMap4k", "DirectMap2M", "DirectMap1G", "HardwareCorrupted", "Unaccepted", "GPUActive", "GPUReclaim",
		"NFS_Unstable", "Zswap", "Zswapped")
	if s := w.read(p, "/meminfo"); !strings.Contains(s, "MemTotal:        1048576 kB\n") {
		t.Errorf("meminfo is %q", s)
	}
}

func TestCPUInfoShowsTheGuestsProcessors(t *testing.T) {
	host := "processor\t: 0\nmodel name\t: X\nsiblings\t: 64\ncore id\t\t: 9\n\nprocessor\t: 1\nmodel name\t: X\nsiblings\t: 64\ncore id\t\t: 10\n\n"
	w := newWorld(t, Options{CPUInfo: []byte(host)})
	want := ""
	for i := range 3 {
		want += fmt.Sprintf("processor\t: %d\nmodel name\t: X\nsiblings\t: 3\ncore id\t\t: %d\n\n", i, i)
	}
	p := w.process(0, "p")
	if got := w.read(p, "/cpuinfo"); got != want {
		t.Errorf("cpuinfo is\n%s\nwant\n%s", got, want)
	}
	if s := w.read(p, "/stat"); strings.Count(s, "cpu") != 4 {
		t.Errorf("stat has other than a line for all and for each of 3 processors:\n%s", s)
	}
}

// walk calls fn for everything below path.
func (w *world) walk(p *task.Task, path string, fn func(path string, kind uint8)) {
	for name, kind := range w.list(p, path) {
		if name == "." || name == ".." {
			continue
		}
		at := strings.TrimSuffix(path, "/") + "/" + name
		fn(at, kind)
		if kind == uint8(linux.DT_DIR) {
			w.walk(p, at, fn)
		}
	}
}

func TestEverythingCanBeRead(t *testing.T) {
	w := newWorld(t, Options{CommandLine: "x"})
	p := w.process(0, "prog", "arg")
	w.process(7, "other")
	d, err := w.open(p, "/version", linux.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.FDs().Install(d, 3, 100, 0); err != nil {
		t.Fatal(err)
	}
	seen := 0
	w.walk(p, "/", func(path string, kind uint8) {
		seen++
		c := p.Caller()
		at, err := vfs.Resolve(c, c.Cwd, path, vfs.NoFollow)
		if err != nil {
			t.Errorf("%s is listed: %v", path, err)
			return
		}
		a, err := at.Inode().Attr()
		if err != nil || uint8(a.Mode.DirentType()) != kind {
			t.Errorf("%s has mode %o, listed as %d, %v", path, a.Mode, kind, err)
		}
		switch {
		case kind == uint8(linux.DT_LNK):
			if _, err := w.readlink(p, path); err != nil && !strings.HasSuffix(path, "/exe") {
				t.Errorf("readlink %s: %v", path, err)
			}
		case kind == uint8(linux.DT_REG) && a.Mode&0o400 != 0 && !strings.HasSuffix(path, "/mem") && !strings.HasSuffix(path, "/pagemap"):
			whole, err := w.readBy(p, path, 64<<10)
			if err != nil {
				t.Errorf("reading %s: %v", path, err)
			}
			if strings.HasSuffix(whole, "\n\n\n") {
				t.Errorf("%s ends in empty lines", path)
			}
		}
	})
	if seen < 400 {
		t.Errorf("there are %d things in /proc", seen)
	}
}

func TestTextReadInPiecesIsWhole(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.process(0, "prog", "a", "bc")
	for _, path := range []string{"/self/status", "/self/maps", "/self/cmdline", "/self/environ", "/self/auxv", "/self/limits", "/filesystems", "/self/mountinfo"} {
		whole := w.read(p, path)
		pieces, err := w.readBy(p, path, 7)
		if err != nil || pieces != whole || whole == "" {
			t.Errorf("%s in pieces is %q, %v; whole %q", path, pieces, err, whole)
		}
	}
}

func TestCommandLineAndEnvironment(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.process(0, "prog", "a", "bc")
	if s := w.read(p, "/self/cmdline"); s != "prog\x00a\x00bc\x00" {
		t.Errorf("cmdline is %q", s)
	}
	if s := w.read(p, "/self/environ"); s != "HOME=/\x00X=y\x00" {
		t.Errorf("environ is %q", s)
	}
	// A program that writes its title over the arguments and on.
	if _, err := p.MM().CopyOut(argPage, []byte("a title longer than args\x00")); err != nil {
		t.Fatal(err)
	}
	if s := w.read(p, "/self/cmdline"); s != "a title longer than args\x00" {
		t.Errorf("cmdline of a changed title is %q", s)
	}
}

func TestMemoryIsReadAndWritten(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.process(0, "prog")
	d, err := w.open(p, "/self/mem", linux.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	defer d.DecRef()
	src := usermem.OfBytes([]byte("PR"))
	if n, err := d.PWrite(p.Caller(), &src, argPage); n != 2 || err != nil {
		t.Fatalf("writing: %d, %v", n, err)
	}
	buf := make([]byte, 4)
	dst := usermem.OfBytes(buf)
	if n, err := d.PRead(p.Caller(), &dst, argPage); n != 4 || err != nil || string(buf) != "PRog" {
		t.Errorf("reading: %d, %v, %q", n, err, buf)
	}
	dst = usermem.OfBytes(buf)
	if _, err := d.PRead(p.Caller(), &dst, 0x1000); err != error(linux.EIO) {
		t.Errorf("reading unmapped memory: %v, want EIO", err)
	}
}

func TestDeadProcess(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.process(0, "prog")
	c := *p.Caller()
	dir := fmt.Sprintf("/%d", p.PID())
	d, err := w.open(p, dir+"/status", linux.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer d.DecRef()
	at, err := vfs.Resolve(&c, c.Cwd, dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.end()
	dst := usermem.OfBytes(make([]byte, 10))
	if _, err := d.Read(&c, &dst); err != error(linux.ESRCH) {
		t.Errorf("reading status of the dead: %v, want ESRCH", err)
	}
	for _, path := range []string{dir, dir + "/status"} {
		if _, err := vfs.Resolve(&c, c.Root, path, 0); err != error(linux.ENOENT) {
			t.Errorf("walking to %s: %v, want ENOENT", path, err)
		}
	}
	// Readers that found the task before it was reaped see nothing strange.
	o := &opening{fs: w.fs, p: &proc{fs: w.fs, group: p.Group(), id: p.TID()}, cred: c.Cred}
	if pgid, sid := job(p); pgid != 0 || sid != 0 {
		t.Errorf("the dead are in group %d, session %d", pgid, sid)
	}
	if b := identity(nil, o, p); !strings.Contains(string(b), "NSpgid:\t0\n") {
		t.Errorf("status of the dead is %q", b)
	}
	if _, err := vfs.Resolve(&c, at, "status", 0); err != error(linux.ENOENT) {
		t.Errorf("walking from the directory of the dead: %v, want ENOENT", err)
	}
	if _, err := vfs.Resolve(&c, c.Root, "/self", 0); err == nil {
		t.Error("self leads somewhere for the dead")
	}
}

func TestDescriptors(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.process(0, "prog")
	d, err := w.open(p, "/meminfo", linux.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.FDs().Install(d, 5, 100, linux.FD_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	if s, err := w.readlink(p, "/self/fd/5"); s != "/meminfo" || err != nil {
		t.Errorf("fd/5 leads to %q, %v", s, err)
	}
	c := p.Caller()
	at, err := vfs.Resolve(c, c.Cwd, "/self/fd/5", vfs.NoFollow)
	if err != nil {
		t.Fatal(err)
	}
	if a, _ := at.Inode().Attr(); a.Mode != linux.S_IFLNK|0o500 {
		t.Errorf("fd/5 has mode %o", a.Mode)
	}
	if l := w.list(p, "/self/fd"); len(l) != 3 || l["5"] != uint8(linux.DT_LNK) {
		t.Errorf("fd lists %v", l)
	}
	if s := w.read(p, "/self/fdinfo/5"); !strings.HasPrefix(s, "pos:\t0\nflags:\t02100000\nmnt_id:\t") {
		t.Errorf("fdinfo is %q", s)
	}
	compareFields(t, "fdinfo", w.read(p, "/self/fdinfo/5"), hostFile(t, "/proc/self/fdinfo/0"))
	if _, err := w.open(p, "/self/fd/6", linux.O_RDONLY); err != error(linux.ENOENT) {
		t.Errorf("fd/6: %v, want ENOENT", err)
	}
	if !strings.Contains(w.read(p, "/self/fd/5"), "MemTotal") {
		t.Error("opening fd/5 does not open meminfo")
	}
}

func TestOthersProcessesAreClosed(t *testing.T) {
	w := newWorld(t, Options{})
	root := w.process(0, "root")
	user := w.process(5, "user")
	peer := w.process(5, "peer")
	of := func(p *task.Task, name string) string { return fmt.Sprintf("/%d/%s", p.PID(), name) }
	for _, name := range []string{"environ", "maps", "mem", "auxv", "smaps"} {
		if _, err := w.open(user, of(root, name), linux.O_RDONLY); err != error(linux.EACCES) {
			t.Errorf("a user opens root's %s: %v, want EACCES", name, err)
		}
		for who, p := range map[string]*task.Task{"root": root, "a peer": peer} {
			d, err := w.open(p, of(user, name), linux.O_RDONLY)
			if err != nil {
				t.Errorf("%s opens a user's %s: %v", who, name, err)
				continue
			}
			d.DecRef()
		}
	}
	if _, err := w.readlink(user, of(root, "cwd")); err != error(linux.EACCES) {
		t.Errorf("a user reads root's cwd: %v, want EACCES", err)
	}
	if s := w.read(user, of(root, "stat")); strings.Contains(s, fmt.Sprint(uint64(argPage))) {
		t.Errorf("a user sees root's addresses: %s", s)
	}
	peer.SetDumpable(false)
	if _, err := w.open(user, of(peer, "environ"), linux.O_RDONLY); err != error(linux.EACCES) {
		t.Errorf("a user opens an undumpable peer's environ: %v, want EACCES", err)
	}
	c := root.Caller()
	at, err := vfs.Resolve(c, c.Cwd, of(peer, "environ"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if a, _ := at.Inode().Attr(); a.UID != 0 {
		t.Errorf("an undumpable process's files belong to %d, want root", a.UID)
	}
}

func TestWrites(t *testing.T) {
	w := newWorld(t, Options{})
	root, user := w.process(0, "root"), w.process(5, "user")
	for _, x := range []struct {
		p          *task.Task
		path, text string
		want       error
		now        string
	}{
		{user, "/self/comm", "a name that is too long\n", nil, "a name that is \n"},
		{root, fmt.Sprintf("/%d/comm", user.PID()), "x", linux.EINVAL, "a name that is \n"},
		{user, "/self/oom_score_adj", "500\n", nil, "500\n"},
		{user, "/self/oom_score_adj", "0\n", nil, "0\n"},
		{user, "/self/oom_score_adj", "-1\n", linux.EACCES, "0\n"},
		{root, fmt.Sprintf("/%d/oom_score_adj", user.PID()), "300", nil, "300\n"},
		{user, "/self/oom_score_adj", "400", nil, "400\n"},
		{user, "/self/oom_score_adj", "299", linux.EACCES, "400\n"},
		{user, "/self/oom_score_adj", "300", nil, "300\n"},
		{root, "/self/oom_score_adj", "-1000", nil, "-1000\n"},
		{root, "/self/oom_score_adj", "-999\x00", nil, "-999\n"},
		{root, "/self/oom_adj", "15", nil, "15\n"},
		{root, "/self/oom_score_adj", "1001", linux.EINVAL, "1000\n"},
		{root, "/self/oom_score_adj", "x", linux.EINVAL, "1000\n"},
		{root, "/sys/kernel/hostname", "new\n", nil, "new\n"},
		{user, "/sys/kernel/hostname", "mine\n", linux.EACCES, "host\n"},
		{root, "/sys/fs/protected_fifos", "2\n", nil, "2\n"},
		{root, "/sys/fs/protected_fifos", "3\n", linux.EINVAL, "2\n"},
		{root, "/sys/vm/swappiness", "60\n", nil, "60\n"},
		{root, "/sys/vm/swappiness", "10\n", linux.EINVAL, "60\n"},
		{root, "/sys/kernel/osrelease", "5.0\n", linux.EACCES, linux.Release + "\n"},
		{root, "/self/timerslack_ns", "7", nil, "7\n"},
	} {
		if err := w.write(x.p, x.path, x.text); err != x.want {
			t.Errorf("writing %q to %s: %v, want %v", x.text, x.path, err, x.want)
		}
		if got := w.read(x.p, x.path); got != x.now {
			t.Errorf("%s is %q after writing %q, want %q", x.path, got, x.text, x.now)
		}
	}
	if e := w.fs.SetSysctl("fs.protected_regular", "0"); e != 0 || w.read(root, "/sys/fs/protected_regular") != "0\n" {
		t.Errorf("SetSysctl: %v", e)
	}
	if e := w.fs.SetSysctl("no.such", "0"); e != linux.ENOENT {
		t.Errorf("SetSysctl of nothing: %v", e)
	}
}

func TestOnlyRowsOfTheTableReplaceSysctls(t *testing.T) {
	got := ""
	w := newWorld(t, Options{Sysctls: []Sysctl{{
		Path: "net/core/somaxconn", Mode: 0o644,
		Get: func(*task.Task) string { return "77" },
		Set: func(_ *task.Task, v string) linux.Errno { got = v; return 0 },
	}}})
	p := w.process(0, "p")
	if s := w.read(p, "/sys/net/core/somaxconn"); s != "77\n" {
		t.Errorf("somaxconn is %q", s)
	}
	if err := w.write(p, "/sys/net/core/somaxconn", "5\n"); err != nil || got != "5" {
		t.Errorf("writing: %v, %q", err, got)
	}
	if l := w.list(p, "/sys/net/ipv6/conf"); len(l) != 5 {
		t.Errorf("conf lists %v", l)
	}
	if a, b := w.read(p, "/sys/kernel/random/uuid"), w.read(p, "/sys/kernel/random/uuid"); a == b || len(a) != 37 {
		t.Errorf("uuid is %q, then %q", a, b)
	}
	if a, b := w.read(p, "/sys/kernel/random/boot_id"), w.read(p, "/sys/kernel/random/boot_id"); a != b {
		t.Errorf("boot_id is %q, then %q", a, b)
	}
}

func TestSelfAndNamespaces(t *testing.T) {
	w := newWorld(t, Options{})
	w.process(0, "init")
	p := w.process(0, "p")
	q := w.process(0, "q")
	for path, want := range map[string]string{
		"/self":        fmt.Sprint(p.PID()),
		"/thread-self": fmt.Sprintf("%d/task/%d", p.PID(), p.TID()),
		"/self/root":   "/",
		"/self/ns/mnt": "mnt:[4026531841]",
		"/self/ns/pid": "pid:[4026531836]",
	} {
		if s, err := w.readlink(p, path); s != want || err != nil {
			t.Errorf("%s leads to %q, %v; want %q", path, s, err, want)
		}
	}
	a, _ := w.readlink(p, "/self/ns/uts")
	b, _ := w.readlink(p, "/self/ns/uts")
	c, _ := w.readlink(q, "/self/ns/uts")
	if a != b || a == c {
		t.Errorf("numbers of UTS namespaces: %s, again %s; of another %s", a, b, c)
	}
	d, err := w.open(p, "/self/ns/uts", linux.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer d.DecRef()
	if n, ok := d.File().(*Namespace); !ok || n.Object != any(p.Namespaces().UTS) || n.Kind != linux.CLONE_NEWUTS {
		t.Errorf("ns/uts opens %v", d.File())
	}
}

func TestChangeOfMountsIsReported(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.process(0, "p")
	d, err := w.open(p, "/self/mountinfo", linux.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer d.DecRef()
	if r := d.Readiness(wait.Pri | wait.In); r != wait.In {
		t.Errorf("ready for %x before a change", r)
	}
	c := p.Caller()
	if err := vfs.DoMount(c, "proc", "/sys", "proc", 0, "gid=5,hidepid=0"); err != nil {
		t.Fatal(err)
	}
	if r := d.Readiness(wait.Pri | wait.In); r != wait.In|wait.Pri|wait.Err {
		t.Errorf("ready for %x after a change", r)
	}
	if r := d.Readiness(wait.Pri | wait.In); r != wait.In {
		t.Errorf("ready for %x once the change is known", r)
	}
	if s := w.read(p, "/mounts"); !strings.HasSuffix(s, "proc /sys proc rw,relatime,gid=5 0 0\n") {
		t.Errorf("mounts are %q", s)
	}
	if err := vfs.DoMount(c, "proc", "/sysvipc", "proc", 0, "hidepid=2"); err != error(linux.EINVAL) {
		t.Errorf("hidepid=2: %v, want EINVAL", err)
	}
}

func TestSubsetShowsProcessesOnly(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.process(0, "p")
	if err := vfs.DoMount(p.Caller(), "proc", "/sys", "proc", 0, "subset=pid"); err != nil {
		t.Fatal(err)
	}
	if l := w.list(p, "/sys"); len(l) != 5 || l[fmt.Sprint(p.PID())] != uint8(linux.DT_DIR) {
		t.Errorf("subset=pid lists %v", l)
	}
}

func TestNamesCannotBeChanged(t *testing.T) {
	w := newWorld(t, Options{})
	c := w.process(0, "p").Caller()
	if err := vfs.Mkdir(c, c.Cwd, "/dir", 0o755); err != error(linux.ENOENT) {
		t.Errorf("mkdir: %v, want ENOENT", err)
	}
	if _, err := vfs.Open(c, c.Cwd, "/file", vfs.OpenHow{Flags: linux.O_CREAT | linux.O_WRONLY}); err != error(linux.ENOENT) {
		t.Errorf("creating: %v, want ENOENT", err)
	}
	if err := vfs.Unlink(c, c.Cwd, "/version"); err != error(linux.EPERM) {
		t.Errorf("unlink: %v, want EPERM", err)
	}
}
