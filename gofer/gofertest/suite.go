package gofertest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"cordon/gofer/client"
	"cordon/gofer/hostfs"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// env is a gofer that serves a fresh directory.
type env struct {
	*testing.T
	dir  string
	c    *client.Client
	root *client.Node
	kill func()
}

func start(t *testing.T, dial Dialer, m hostfs.Mount) *env {
	t.Helper()
	dir := m.Path
	if dir == "" {
		dir = t.TempDir()
	}
	m.Name, m.Root, m.Path = "root", -1, dir
	c, kill := dial(t, hostfs.Config{Mounts: []hostfs.Mount{m}, ProcFD: -1})
	root, a, err := c.Attach("root")
	if err != nil {
		t.Fatalf("attach: %v", err)
	}
	if a.Mode.Type() != linux.S_IFDIR {
		t.Fatalf("root has mode %v", a.Mode)
	}
	return &env{T: t, dir: dir, c: c, root: root, kill: kill}
}

func (e *env) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

// want checks an errno; the Sentry compares with ==.
func (e *env) want(err error, errno linux.Errno) {
	e.Helper()
	if err != error(errno) {
		e.Errorf("got error %v, want %v", err, errno)
	}
}

func (e *env) host(name string) string { return filepath.Join(e.dir, name) }

func (e *env) write(name, data string) {
	e.Helper()
	e.must(os.MkdirAll(filepath.Dir(e.host(name)), 0o755))
	e.must(os.WriteFile(e.host(name), []byte(data), 0o644))
}

// walk returns the node of a path.
func (e *env) walk(names ...string) *client.Node {
	e.Helper()
	steps, _, err := e.root.Walk(names, client.WalkOption{Node: true})
	e.must(err)
	if len(steps) != len(names) {
		e.Fatalf("walk of %v made %d steps", names, len(steps))
	}
	return steps[len(steps)-1].Node
}

func readFD(t testing.TB, fd int) string {
	t.Helper()
	b := make([]byte, 1<<16)
	n, err := unix.Pread(fd, b, 0)
	if err != nil {
		t.Fatalf("pread: %v", err)
	}
	return string(b[:n])
}

// Run checks a gofer's behaviour.
func Run(t *testing.T, dial Dialer) {
	for _, c := range []struct {
		name string
		m    hostfs.Mount
		f    func(*env)
	}{
		{"walk returns every component", hostfs.Mount{}, walkAll},
		{"walk without handles", hostfs.Mount{}, walkBare},
		{"walk stops at what is missing or in the way", hostfs.Mount{}, walkStops},
		{"open donates what can be read, written and mapped", hostfs.Mount{}, openDonates},
		{"create", hostfs.Mount{}, createAll},
		{"link, rename and unlink", hostfs.Mount{}, names},
		{"unnamed files", hostfs.Mount{}, tmpfiles},
		{"attributes", hostfs.Mount{}, attributes},
		{"listing has attributes", hostfs.Mount{}, listing},
		{"scan", hostfs.Mount{}, scans},
		{"many opens at once", hostfs.Mount{}, opensMany},
		{"many reads at once", hostfs.Mount{ReadOnly: true}, readsMany},
		{"many opens at once, read-only", hostfs.Mount{ReadOnly: true}, opensMany},
		{"many opens in a tree", hostfs.Mount{}, opensTree},
		{"many opens in a tree, read-only", hostfs.Mount{ReadOnly: true}, opensTree},
		{"extended attributes", hostfs.Mount{}, xattrs},
		{"locks", hostfs.Mount{}, locks},
		{"fallocate, fsync and statfs", hostfs.Mount{}, space},
		{"read-only mounts", hostfs.Mount{ReadOnly: true}, readOnly},
		{"connect", hostfs.Mount{Connect: true}, connects},
		{"connect where it is not allowed", hostfs.Mount{}, refusesConnect},
		{"many callers at once", hostfs.Mount{}, concurrent},
		{"handles are used again", hostfs.Mount{}, reuse},
		{"death is EIO", hostfs.Mount{}, death},
		{"unlinked inode stays", hostfs.Mount{}, unlinked},
		{"unknown mount", hostfs.Mount{}, unknownMount},
	} {
		t.Run(c.name, func(t *testing.T) { c.f(start(t, dial, c.m)) })
	}
	t.Run("file as mount", func(t *testing.T) { fileMount(t, dial) })
}

func walkAll(e *env) {
	e.write("a/b/c/f", "hello")
	steps, fd, err := e.root.Walk([]string{"a", "b", "c", "f"}, client.WalkOption{Open: true})
	e.must(err)
	if len(steps) != 4 || fd < 0 {
		e.Fatalf("%d steps, fd %d", len(steps), fd)
	}
	defer unix.Close(fd)
	if got := readFD(e, fd); got != "hello" {
		e.Errorf("read %q", got)
	}
	for i, s := range steps[:3] {
		if !s.Attr.Mode.IsDir() || s.Node == nil {
			e.Errorf("step %d is %v, node %v", i, s.Attr.Mode, s.Node)
		}
	}
	var st unix.Stat_t
	e.must(unix.Stat(e.host("a/b/c/f"), &st))
	a := steps[3].Attr
	if a.Ino != st.Ino || a.Dev != st.Dev || a.Size != 5 || a.Mode != linux.S_IFREG|0o644 || a.Mtime.NS() != st.Mtim.Nano() {
		e.Errorf("attributes %+v, host %+v", a, st)
	}
	if steps[3].Node != nil {
		e.Error("a node that nobody asked for")
	}
}

func walkStops(e *env) {
	e.write("a/f", "")
	e.must(os.Symlink("../x", e.host("a/l")))
	steps, _, err := e.root.Walk([]string{"a", "nope", "c"}, client.WalkOption{})
	e.want(err, linux.ENOENT)
	if len(steps) != 1 {
		e.Errorf("%d steps before the missing one", len(steps))
	}
	steps, _, err = e.root.Walk([]string{"a", "l", "c"}, client.WalkOption{})
	e.must(err)
	if len(steps) != 2 || steps[1].Target != "../x" {
		e.Errorf("steps %+v", steps)
	}
	steps, _, err = e.root.Walk([]string{"a", "f", "c"}, client.WalkOption{})
	e.must(err)
	if len(steps) != 2 || !steps[1].Attr.Mode.IsRegular() {
		e.Errorf("steps %+v", steps)
	}
}

func openDonates(e *env) {
	e.write("f", "old")
	fd, _, err := e.walk("f").Open(linux.O_RDWR)
	e.must(err)
	defer unix.Close(fd)
	m, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	e.must(err)
	copy(m, "new")
	e.must(unix.Munmap(m))
	if b, _ := os.ReadFile(e.host("f")); string(b) != "new" {
		e.Errorf("host reads %q", b)
	}
	ro, _, err := e.walk("f").Open(linux.O_RDONLY)
	e.must(err)
	defer unix.Close(ro)
	if _, err := unix.Write(ro, []byte("x")); err != unix.EBADF {
		e.Errorf("write to a read-only donation: %v", err)
	}
	e.must(os.Mkdir(e.host("d"), 0o755))
	_, _, err = e.walk("d").Open(linux.O_RDONLY)
	e.want(err, linux.EINVAL)
}

func createAll(e *env) {
	own := client.Perm{Mode: linux.S_ISUID | 0o751, UID: client.NoID, GID: client.NoID}
	_, a, fd, err := e.root.Create("f", linux.O_RDWR, own)
	e.must(err)
	unix.Close(fd)
	if a.Mode != linux.S_IFREG|linux.S_ISUID|0o751 {
		e.Errorf("mode %v", a.Mode)
	}
	_, _, _, err = e.root.Create("f", linux.O_RDWR, own)
	e.want(err, linux.EEXIST)
	own.Mode = linux.S_ISGID | linux.S_ISVTX | 0o777
	if os.Geteuid() == 0 {
		own.UID, own.GID = 1234, 4321
	}
	d, a, err := e.root.Mkdir("d", own)
	e.must(err)
	if a.Mode != linux.S_IFDIR|own.Mode || os.Geteuid() == 0 && (a.UID != 1234 || a.GID != 4321) {
		e.Errorf("directory %+v", a)
	}
	_, a, err = d.Symlink("l", "/etc/passwd", own)
	e.must(err)
	if got, _ := os.Readlink(e.host("d/l")); got != "/etc/passwd" || !a.Mode.IsSymlink() {
		e.Errorf("link to %q, %v", got, a.Mode)
	}
	own.Mode = 0o600
	for _, typ := range []linux.FileMode{linux.S_IFIFO, linux.S_IFSOCK, linux.S_IFREG} {
		_, a, err = d.Mknod(typ.String(), typ, 0, own)
		e.must(err)
		if a.Mode != typ|0o600 {
			e.Errorf("mknod made %v", a.Mode)
		}
	}
	_, _, err = d.Mknod("dev", linux.S_IFCHR, linux.MakeDev(1, 3), own)
	e.want(err, linux.EPERM)
	if os.Geteuid() == 0 {
		_, a, err = d.Mknod("whiteout", linux.S_IFCHR, 0, own)
		e.must(err)
		if !a.Mode.IsChar() || a.Rdev != 0 {
			e.Errorf("whiteout %+v", a)
		}
	}
}

func names(e *env) {
	e.write("a/f", "one")
	e.write("g", "two")
	a, f := e.walk("a"), e.walk("a", "f")
	at, err := a.Link("h", f)
	e.must(err)
	if at.Nlink != 2 {
		e.Errorf("%d links", at.Nlink)
	}
	e.want(e.root.Rename("g", a, "f", linux.RENAME_NOREPLACE), linux.EEXIST)
	e.must(e.root.Rename("g", a, "f", linux.RENAME_EXCHANGE))
	if b, _ := os.ReadFile(e.host("g")); string(b) != "one" {
		e.Errorf("after the exchange g is %q", b)
	}
	e.must(a.Rename("f", e.root, "g", 0))
	if b, _ := os.ReadFile(e.host("g")); string(b) != "two" {
		e.Errorf("after the rename g is %q", b)
	}
	e.want(e.root.Unlink("a", linux.AT_REMOVEDIR), linux.ENOTEMPTY)
	e.want(e.root.Unlink("a", 0), linux.EISDIR)
	e.want(e.root.Unlink("g", linux.AT_REMOVEDIR), linux.ENOTDIR)
	e.must(a.Unlink("h", 0))
	e.must(e.root.Unlink("a", linux.AT_REMOVEDIR))
	e.want(e.root.Unlink("a", linux.AT_REMOVEDIR), linux.ENOENT)
}

func tmpfiles(e *env) {
	own := client.Perm{Mode: 0o640, UID: client.NoID, GID: client.NoID}
	n, a, fd, err := e.root.Tmpfile(0, own)
	if err == error(linux.EOPNOTSUPP) {
		e.Skip("the file system has no O_TMPFILE")
	}
	e.must(err)
	defer unix.Close(fd)
	if a.Nlink != 0 || a.Mode != linux.S_IFREG|0o640 {
		e.Errorf("%+v", a)
	}
	_, err = unix.Write(fd, []byte("kept"))
	e.must(err)
	_, err = e.root.Link("named", n)
	e.must(err)
	if b, _ := os.ReadFile(e.host("named")); string(b) != "kept" {
		e.Errorf("read %q", b)
	}
}

func attributes(e *env) {
	e.write("f", "12345")
	n := e.walk("f")
	s := client.SetAttr{Mask: client.SetMode | client.SetSize | client.SetAtime | client.SetMtime,
		Mode: 0o4710, Size: 3, Atime: client.Time{Sec: -5, Nsec: 7}, Mtime: client.Time{Sec: 1 << 33}}
	a, err := n.SetAttr(s)
	e.must(err)
	if a.Mode != linux.S_IFREG|0o4710 || a.Size != 3 || a.Atime != s.Atime || a.Mtime != s.Mtime {
		e.Errorf("%+v", a)
	}
	if again, err := n.GetAttr(); err != nil || again != a {
		e.Errorf("%+v, %v", again, err)
	}
	e.must(os.Symlink("f", e.host("l")))
	l := e.walk("l")
	a, err = l.SetAttr(client.SetAttr{Mask: client.SetMtime, Mtime: client.Time{Sec: 99}})
	e.must(err)
	if !a.Mode.IsSymlink() || a.Mtime.Sec != 99 {
		e.Errorf("link %+v", a)
	}
	_, err = l.SetAttr(client.SetAttr{Mask: client.SetMode, Mode: 0o600})
	e.want(err, linux.EOPNOTSUPP)
}

func xattrs(e *env) {
	e.write("f", "")
	n := e.walk("f")
	big := bytes.Repeat([]byte("x"), 1000)
	if err := n.SetXattr("user.big", big, linux.XATTR_CREATE); err == error(linux.EOPNOTSUPP) {
		e.Skip("the file system has no user xattrs")
	} else {
		e.must(err)
	}
	e.want(n.SetXattr("user.big", big, linux.XATTR_CREATE), linux.EEXIST)
	e.want(n.SetXattr("user.none", big, linux.XATTR_REPLACE), linux.ENODATA)
	got, err := n.GetXattr("user.big")
	e.must(err)
	if !bytes.Equal(got, big) {
		e.Errorf("%d bytes", len(got))
	}
	list, err := n.ListXattr()
	e.must(err)
	if !slices.Contains(list, "user.big") {
		e.Errorf("list %v", list)
	}
	e.must(n.RemoveXattr("user.big"))
	_, err = n.GetXattr("user.big")
	e.want(err, linux.ENODATA)
	e.want(n.SetXattr("security.selinux", big, 0), linux.EOPNOTSUPP)
	e.want(n.SetXattr("", big, 0), linux.ERANGE)
}

func locks(e *env) {
	e.write("f", "0123456789")
	// Two handles of one inode: an owner is the same on both.
	n, m := e.walk("f"), e.walk("f")
	w := client.RangeLock{Type: unix.F_WRLCK, Start: 2, Length: 4}
	e.must(n.LockRange(1, w))
	e.must(m.LockRange(1, w))
	e.want(m.LockRange(2, w), linux.EAGAIN)
	got, err := m.GetLock(2, client.RangeLock{Type: unix.F_RDLCK})
	e.must(err)
	if got != w {
		e.Errorf("conflict %+v", got)
	}
	// A host process sees it too.
	fd, err := unix.Open(e.host("f"), unix.O_RDWR, 0)
	e.must(err)
	defer unix.Close(fd)
	if err := unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: 3, Len: 1}); err != unix.EAGAIN {
		e.Errorf("host lock: %v", err)
	}
	e.must(n.LockRange(1, client.RangeLock{Type: unix.F_UNLCK}))
	e.must(m.LockRange(2, w))
	e.must(n.Flock(1, unix.F_WRLCK))
	e.want(n.Flock(2, unix.F_RDLCK), linux.EAGAIN)
	e.must(n.UnlockAll(1))
	e.must(n.Flock(2, unix.F_RDLCK))
	e.want(n.LockRange(2, client.RangeLock{Type: 77}), linux.EINVAL)
}

func space(e *env) {
	e.write("f", "x")
	n := e.walk("f")
	a, err := n.Fallocate(0, 0, 1<<16)
	e.must(err)
	if a.Size != 1<<16 {
		e.Errorf("size %d", a.Size)
	}
	e.must(n.Fsync(false))
	e.must(n.Fsync(true))
	e.must(e.root.Fsync(false))
	s, err := n.StatFS()
	e.must(err)
	var st unix.Statfs_t
	e.must(unix.Statfs(e.dir, &st))
	if s.Type != uint64(st.Type) || s.Bsize != uint32(st.Bsize) || s.Namelen != 255 {
		e.Errorf("%+v, host %+v", s, st)
	}
}

func readOnly(e *env) {
	e.write("d/f", "data")
	own := client.Perm{Mode: 0o600}
	d, f := e.walk("d"), e.walk("d", "f")
	_, _, _, err := d.Create("new", linux.O_RDWR, own)
	e.want(err, linux.EROFS)
	_, _, err = d.Mkdir("new", own)
	e.want(err, linux.EROFS)
	e.want(d.Unlink("f", 0), linux.EROFS)
	e.want(d.Rename("f", d, "g", 0), linux.EROFS)
	_, err = f.SetAttr(client.SetAttr{Mask: client.SetMode})
	e.want(err, linux.EROFS)
	e.want(f.SetXattr("user.x", nil, 0), linux.EROFS)
	_, err = f.Fallocate(0, 0, 10)
	e.want(err, linux.EROFS)
	_, err = d.Link("g", f)
	e.want(err, linux.EROFS)
	_, _, err = f.Open(linux.O_RDWR)
	e.want(err, linux.EROFS)
	_, _, err = f.Open(linux.O_WRONLY)
	e.want(err, linux.EROFS)
	fd, _, err := f.Open(linux.O_RDONLY)
	e.must(err)
	unix.Close(fd)
}

func bindSocket(e *env, name string) int {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	e.must(err)
	e.Cleanup(func() { unix.Close(s) })
	e.must(unix.Bind(s, &unix.SockaddrUnix{Name: e.host(name)}))
	e.must(unix.Listen(s, 1))
	return s
}

func connects(e *env) {
	s := bindSocket(e, "sock")
	fd, err := e.walk("sock").Connect(unix.SOCK_STREAM)
	e.must(err)
	defer unix.Close(fd)
	peer, _, err := unix.Accept(s)
	e.must(err)
	defer unix.Close(peer)
	_, err = unix.Write(peer, []byte("hi"))
	e.must(err)
	b := make([]byte, 8)
	if n, err := unix.Read(fd, b); err != nil || string(b[:n]) != "hi" {
		e.Errorf("read %q, %v", b[:max(n, 0)], err)
	}
	e.write("f", "")
	_, err = e.walk("f").Connect(unix.SOCK_STREAM)
	e.want(err, linux.ECONNREFUSED)
}

func refusesConnect(e *env) {
	bindSocket(e, "sock")
	_, err := e.walk("sock").Connect(unix.SOCK_STREAM)
	e.want(err, linux.ECONNREFUSED)
}

func concurrent(e *env) {
	var wg sync.WaitGroup
	errs := make(chan error, 16)
	for g := range 16 {
		wg.Go(func() {
			own := client.Perm{Mode: 0o755, UID: client.NoID, GID: client.NoID}
			d, _, err := e.root.Mkdir(fmt.Sprint("d", g), own)
			for i := 0; err == nil && i < 100; i++ {
				var fd int
				var n *client.Node
				name := fmt.Sprint("f", i)
				if n, _, fd, err = d.Create(name, linux.O_RDWR, own); err != nil {
					break
				}
				unix.Write(fd, []byte(name))
				var a client.Attr
				if a, err = n.GetAttr(); err == nil && a.Size != uint64(len(name)) {
					err = fmt.Errorf("%s has size %d", name, a.Size)
				}
				unix.Close(fd)
				n.Clunk()
				if i%2 == 0 && err == nil {
					err = d.Unlink(name, 0)
				}
			}
			if err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		e.Error(err)
	default:
	}
}

func reuse(e *env) {
	e.write("d/f", "x")
	for range 500 {
		steps, _, err := e.root.Walk([]string{"d", "f"}, client.WalkOption{Node: true})
		e.must(err)
		a, err := steps[1].Node.GetAttr()
		e.must(err)
		if a.Ino != steps[1].Attr.Ino {
			e.Fatal("another inode")
		}
		// The fid that 9P has of it goes with the handle.
		_, err = steps[0].Node.StatFS()
		e.must(err)
		steps[0].Node.Clunk()
		steps[1].Node.Clunk()
	}
	e.c.Flush()
}

func death(e *env) {
	e.write("d/f", "x")
	d := e.walk("d")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				if _, err := d.GetAttr(); err != nil {
					e.want(err, linux.EIO)
					return
				}
				if _, err := d.StatFS(); err != nil {
					e.want(err, linux.EIO)
					return
				}
			}
		})
	}
	e.kill()
	wg.Wait()
	<-e.c.Dead()
	_, _, err := d.Walk([]string{"f"}, client.WalkOption{})
	e.want(err, linux.EIO)
	e.want(d.Unlink("f", 0), linux.EIO)
	d.Clunk()
	e.c.Flush()
}

func unlinked(e *env) {
	e.write("f", "still here")
	n := e.walk("f")
	e.must(e.root.Unlink("f", 0))
	fd, a, err := n.Open(linux.O_RDWR)
	e.must(err)
	defer unix.Close(fd)
	if a.Nlink != 0 || readFD(e, fd) != "still here" {
		e.Errorf("%+v", a)
	}
	a, err = n.SetAttr(client.SetAttr{Mask: client.SetMode | client.SetSize, Mode: 0o600})
	e.must(err)
	if a.Mode != linux.S_IFREG|0o600 || a.Size != 0 {
		e.Errorf("%+v", a)
	}
}

func fileMount(t *testing.T, dial Dialer) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("alone"), 0o644); err != nil {
		t.Fatal(err)
	}
	c, _ := dial(t, hostfs.Config{ProcFD: -1, Mounts: []hostfs.Mount{{Name: "f", Root: -1, Path: path}}})
	n, a, err := c.Attach("f")
	if err != nil || !a.Mode.IsRegular() {
		t.Fatal(a, err)
	}
	fd, _, err := n.Open(linux.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if got := readFD(t, fd); got != "alone" {
		t.Errorf("read %q", got)
	}
	if _, _, err := n.Walk([]string{"x"}, client.WalkOption{}); !errors.Is(err, linux.ENOTDIR) {
		t.Errorf("walk from a file: %v", err)
	}
}
