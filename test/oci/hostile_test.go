package oci

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// A hostile bundle, or a hostile place for state, changes nothing outside, never
// hangs, and where it is refused, one line names what is wrong.

// outside makes a directory that no container may change, and a check of it.
func (w *world) outside() (dir string, check func(name string)) {
	w.Helper()
	dir = filepath.Join(w.dir, "outside")
	w.check(os.MkdirAll(filepath.Join(dir, "sub"), 0o755))
	w.check(os.WriteFile(filepath.Join(dir, "file"), []byte("mine\n"), 0o644))
	return dir, func(name string) {
		w.Helper()
		var got []string
		w.check(filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
			got = append(got, strings.TrimPrefix(path, dir)+" "+info.Mode().String())
			return err
		}))
		data, _ := os.ReadFile(filepath.Join(dir, "file"))
		if s := strings.Join(got, ","); s != " drwxr-xr-x,/file -rw-r--r--,/sub drwxr-xr-x" || string(data) != "mine\n" {
			w.Errorf("%s: outside there is now %s, %q", name, s, data)
		}
		var st unix.Statfs_t
		w.check(unix.Statfs(dir, &st))
		if mounts, _ := os.ReadFile("/proc/self/mountinfo"); strings.Contains(string(mounts), " "+w.dir) {
			w.Errorf("%s: something is mounted outside", name)
		}
	}
}

// refused runs what has to fail with one line that holds one of the texts.
func (w *world) refused(name, texts string, args ...string) {
	w.Helper()
	r := w.run(args...)
	line := strings.TrimSpace(r.errors)
	named := false
	for text := range strings.SplitSeq(texts, "|") {
		named = named || strings.Contains(line, text)
	}
	if r.code == 0 || !named || strings.Contains(line, "\n") || strings.Contains(line, "goroutine") {
		w.Errorf("%s: %s, want %q", name, r, texts)
	}
}

func (w *world) isRunc() bool { return strings.Contains(w.must("--version"), "runc version") }

func TestHostileConfigurations(t *testing.T) {
	w := newWorld(t)
	if w.isRunc() {
		t.Skip("runc waits for a FIFO")
	}
	for name, put := range map[string]func(path string) error{
		"FIFO":      func(p string) error { return unix.Mkfifo(p, 0o644) },
		"directory": func(p string) error { return os.Mkdir(p, 0o755) },
		"socket": func(p string) error {
			return unix.Mknod(p, unix.S_IFSOCK|0o644, 0)
		},
		"device":    func(p string) error { return unix.Mknod(p, unix.S_IFCHR|0o644, int(unix.Mkdev(1, 5))) },
		"link":      func(p string) error { return os.Symlink("/dev/zero", p) },
		"loop":      func(p string) error { return os.Symlink("config.json", p) },
		"empty":     func(p string) error { return os.WriteFile(p, nil, 0o644) },
		"long":      func(p string) error { return os.WriteFile(p, repeated(20<<20, " "), 0o644) },
		"deep":      func(p string) error { return os.WriteFile(p, repeated(1<<20, "["), 0o644) },
		"deep maps": func(p string) error { return os.WriteFile(p, repeated(1<<20, `{"a":`), 0o644) },
		"a number":  func(p string) error { return os.WriteFile(p, []byte("7"), 0o644) },
		"null":      func(p string) error { return os.WriteFile(p, []byte("null"), 0o644) },
		"twice":     func(p string) error { return os.WriteFile(p, []byte("{}{}"), 0o644) },
		"binary":    func(p string) error { return os.WriteFile(p, []byte("\x00\xff\xfe"), 0o644) },
		"bad type": func(p string) error {
			return os.WriteFile(p, []byte(`{"ociVersion":"1.0.0","process":{"args":7}}`), 0o644)
		},
	} {
		b := w.bundle("true", nil)
		path := filepath.Join(b, "config.json")
		w.check(os.Remove(path))
		w.check(put(path))
		id := w.id()
		w.refused(name, "config.json", "create", "--bundle", b, id)
		w.refused(name, "does not exist", "state", id)
	}
	if out := w.must("list", "-q"); out != "" {
		t.Errorf("left: %q", out)
	}
}

func repeated(size int, of string) []byte { return []byte(strings.Repeat(of, size/len(of))) }

// TestHostileInputs: what commands read beside the configuration.
func TestHostileInputs(t *testing.T) {
	w := newWorld(t)
	if w.isRunc() {
		t.Skip("runc waits for a FIFO")
	}
	id := w.start(w.bundle(idle, nil))
	fifo := filepath.Join(w.dir, "fifo")
	w.check(unix.Mkfifo(fifo, 0o644))
	deep := filepath.Join(w.dir, "deep")
	w.check(os.WriteFile(deep, repeated(1<<20, "["), 0o644))
	for _, path := range []string{fifo, deep, "/dev/zero", w.dir, filepath.Join(w.dir, "nothing")} {
		w.refused("exec --process "+path, path, "exec", "--process", path, id)
		w.refused("update --resources "+path, path+"|--resources", "update", "--resources", path, id)
		if path != deep && path != "/dev/zero" && path != filepath.Join(w.dir, "nothing") {
			w.refused("--log "+path, path, "--log", path, "state", id)
		}
	}
	w.refused("a FIFO as an image", "checkpoint.img", "restore", "--image-path", w.dir, "-b", w.bundle("true", nil), w.id())
	w.check(os.Rename(fifo, filepath.Join(w.dir, "checkpoint.img")))
	w.refused("a FIFO as an image", "checkpoint.img: not a regular file", "restore", "--image-path", w.dir, "-b", w.bundle("true", nil), w.id())
	w.refused("a console socket that is none", "console|socket|connect", "create", "--console-socket", deep, "-b", w.bundle("true", func(s *specs.Spec) { s.Process.Terminal = true }), w.id())
	w.refused("a pid file in no directory", "nothing", "create", "--pid-file", filepath.Join(w.dir, "nothing/pid"), "-b", w.bundle("true", nil), w.id())
}

// TestHostileRoots: what lies in a root file system leads nowhere else.
func TestHostileRoots(t *testing.T) {
	w := newWorld(t)
	outside, check := w.outside()
	runc := w.isRunc()
	link := func(target string, names ...string) func(root string) {
		return func(root string) {
			for _, n := range names {
				os.RemoveAll(filepath.Join(root, n))
				w.check(os.Symlink(target, filepath.Join(root, n)))
			}
		}
	}
	up := strings.Repeat("../", 20) + strings.TrimPrefix(outside, "/")
	mounted := func(to, typ, source string, options ...string) func(s *specs.Spec) {
		return func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: to, Type: typ, Source: source, Options: options})
		}
	}
	for name, c := range map[string]struct {
		prepare func(root string)
		change  func(s *specs.Spec)
	}{
		"proc is a link":           {link("/", "proc"), nil},
		"proc leads outside":       {link(outside, "proc"), nil},
		"dev is a link":            {link(outside, "dev"), nil},
		"dev leads outside":        {link(up, "dev"), nil},
		"sys leads outside":        {link(outside, "sys"), nil},
		"etc leads outside":        {link(outside, "etc"), nil},
		"tmpfs below a link":       {link(outside, "x"), mounted("/x/new", "tmpfs", "tmpfs")},
		"tmpfs on a link":          {link(up, "x"), mounted("/x", "tmpfs", "tmpfs")},
		"bind below a link":        {link(up, "x"), mounted("/x/new/deep", "bind", outside, "rbind", "ro")},
		"file below a link":        {link(outside, "x"), mounted("/x/new", "bind", filepath.Join(outside, "file"), "bind", "ro")},
		"dots in a target":         {func(string) {}, mounted("/../../../.."+outside+"/new", "tmpfs", "tmpfs")},
		"copied up through a link": {link(outside, "x"), mounted("/x", "tmpfs", "tmpfs", "tmpcopyup")},
		"masked through a link":    {link(outside, "x"), func(s *specs.Spec) { s.Linux.MaskedPaths = []string{"/x/file", "/x"} }},
		"device below a link":      {link(outside, "x"), withDeviceAt("/x/null")},
		"directory below a link":   {link(outside, "x"), func(s *specs.Spec) { s.Process.Cwd = "/x/new/cwd" }},
		"accounts are a FIFO":      {func(root string) { w.check(unix.Mkfifo(filepath.Join(root, "etc/passwd"), 0o644)) }, nil},
		"accounts lead outside":    {func(root string) { w.check(os.Symlink(up+"/file", filepath.Join(root, "etc/passwd"))) }, nil},
	} {
		if runc && (strings.HasPrefix(name, "dev") || strings.Contains(name, "accounts are")) {
			continue // runc 1.1 makes the links of /dev on the host
		}
		b := w.bundle("echo x > /etc/new; echo y > /dev/new; echo z > /x/new; cat /proc/uptime; true", c.change)
		c.prepare(filepath.Join(b, "rootfs"))
		begin := time.Now()
		// It runs in a tree of its own, or it is refused.
		if r := w.run("run", "--bundle", b, w.id()); r.code == 0 && strings.Contains(r.out, "mine") {
			t.Errorf("%s: %s", name, r)
		} else if r.code != 0 && len(strings.Split(strings.TrimSpace(r.errors), "\n")) > 6 {
			t.Errorf("%s: a refusal of many lines: %s", name, r)
		}
		if d := time.Since(begin); d > timeout/2 {
			t.Errorf("%s: took %v", name, d)
		}
		check(name)
	}
}

func withDeviceAt(path string) func(s *specs.Spec) {
	return func(s *specs.Spec) {
		s.Linux.Devices = []specs.LinuxDevice{{Path: path, Type: "c", Major: 1, Minor: 3}}
	}
}

// TestNodesOfARoot: devices and FIFOs of a root file system are no way to the host's.
func TestNodesOfARoot(t *testing.T) {
	w := newWorld(t)
	b := w.bundle("for f in /kmsg /mem /disk; do head -c 1 $f >/dev/null 2>&1 && echo $f opened; done; head -c 1 /null; echo end", func(s *specs.Spec) {
		s.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Access: "rwm"}}
	})
	for name, n := range map[string]struct {
		kind         uint32
		major, minor uint32
	}{"kmsg": {unix.S_IFCHR, 1, 11}, "mem": {unix.S_IFCHR, 1, 1}, "disk": {unix.S_IFBLK, 254, 0}, "null": {unix.S_IFCHR, 1, 3}} {
		w.check(unix.Mknod(filepath.Join(b, "rootfs", name), n.kind|0o666, int(unix.Mkdev(n.major, n.minor))))
	}
	if got := w.must("run", "-b", b, w.id()); got != "end\n" {
		t.Errorf("nodes of the root: %q", got)
	}
	// What is bound may be anything; nothing hangs.
	fifo, socket := filepath.Join(w.dir, "fifo"), filepath.Join(w.dir, "socket")
	w.check(unix.Mkfifo(fifo, 0o666))
	w.check(unix.Mknod(socket, unix.S_IFSOCK|0o666, 0))
	for _, source := range []string{fifo, socket, "/dev/null", "/dev/full"} {
		b := w.bundle("test -e /x; (head -c 1 /x >/dev/null 2>&1 <&- & p=$!; sleep 0.3; kill -9 $p) 2>/dev/null; echo end", func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/x", Type: "bind", Source: source, Options: []string{"bind"}})
		})
		if r := w.run("run", "-b", b, w.id()); r.out != "end\n" && (r.code == 0 || !strings.Contains(r.errors, "mounts[4]")) {
			t.Errorf("a bind of %s: %s", source, r)
		}
	}
}

func TestHostileNames(t *testing.T) {
	w := newWorld(t)
	outside, check := w.outside()
	b := w.bundle("true", nil)
	for _, id := range []string{"a/b", "../x", "..", ".", "", "/", "a b", "a\nb", "a\x01b", strings.Repeat("x", 5000), "../../" + outside, "é"} {
		for _, command := range [][]string{{"create", "-b", b}, {"run", "-b", b}, {"state"}, {"delete", "--force"}, {"kill"}, {"ps"}, {"exec"}} {
			args := append(append([]string{}, command...), id)
			if command[0] == "exec" {
				args = append(args, "true")
			}
			if r := w.run(args...); r.code == 0 {
				t.Errorf("%v: %s", args, r)
			}
		}
	}
	check("names")
	if out := w.must("list", "-q"); out != "" {
		t.Errorf("left: %q", out)
	}
}

// TestHostilePlaces: state directories and files that others have prepared.
func TestHostilePlaces(t *testing.T) {
	w := newWorld(t)
	outside, check := w.outside()
	b := w.bundle("true", nil)
	// A pid file takes a link's place, as a rename does, or is written as a file.
	pid := filepath.Join(w.dir, "pid")
	w.check(os.Symlink(filepath.Join(outside, "file"), pid))
	id := w.create(b, "--pid-file", pid)
	check("a link as the pid file")
	w.must("delete", "--force", id)
	// A root that is a link is the directory behind it; a file is none.
	other := filepath.Join(w.dir, "state-link")
	w.check(os.Symlink(w.state, other))
	id = w.create(b)
	if r := w.run("--root", other, "state", id); r.code != 0 {
		t.Errorf("through a link: %s", r)
	}
	w.must("delete", "--force", id)
	file := filepath.Join(outside, "file")
	w.refused("a file as the root", file, "--root", file, "create", "-b", b, "x")
	check("a file as the root")
	if w.isRunc() {
		return
	}
	// What a crash, or somebody else, left under a name.
	for name, content := range map[string]string{"half": `{"id": "half", "bun`, "empty": "", "other": `{"id": "another"}`} {
		w.check(os.Mkdir(filepath.Join(w.state, name), 0o700))
		w.check(os.WriteFile(filepath.Join(w.state, name, "state.json"), []byte(content), 0o600))
	}
	w.check(os.Mkdir(filepath.Join(w.state, "bare"), 0o700))
	w.check(os.WriteFile(filepath.Join(w.state, "file"), nil, 0o600))
	id = w.create(b)
	if r := w.run("list", "-q"); r.out != id+"\n" || !strings.Contains(r.errors, "half/state.json") {
		t.Errorf("list beside damaged states: %s", r)
	}
	for _, name := range []string{"half", "empty", "other"} {
		w.refused(name, filepath.Join(w.state, name, "state.json"), "state", name)
		w.refused(name, "state.json|already exists", "create", "-b", b, name)
		w.refused(name, "state.json", "delete", name)
		w.must("delete", "--force", name)
	}
	w.refused("bare", "does not exist", "state", "bare")
	w.refused("bare", "already exists", "create", "-b", b, "bare")
	w.must("delete", "--force", "bare")
	w.refused("file", "does not exist", "state", "file")
	w.must("delete", "--force", "file")
	w.check(os.Remove(filepath.Join(w.state, "file")))
	w.must("delete", "--force", id)
	if left, _ := os.ReadDir(w.state); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	check("damaged states")
}
