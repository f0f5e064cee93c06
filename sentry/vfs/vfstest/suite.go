package vfstest

import (
	"fmt"
	"strings"
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// Run runs the suite on file systems that make makes: empty, writable, with a
// root directory that only root may write.
func Run(t *testing.T, make func(t *testing.T, v *vfs.VFS) vfs.FileSystem) {
	for _, c := range []struct {
		name string
		test func(w *World)
	}{
		{"create_write_read", createWriteRead},
		{"open_flags", openFlags},
		{"directories", directories},
		{"links", links},
		{"walk", walk},
		{"rename", rename},
		{"rename_exchange", exchange},
		{"permissions", permissions},
		{"attributes", attributes},
		{"sparse", sparse},
		{"unlinked_file_lives", unlinkedLives},
		{"readdir_is_stable", readdirStable},
		{"append_and_truncate", appendTruncate},
		{"xattrs", xattrs},
		{"special_files", specials},
		{"random_against_model", model},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(NewWorld(t, make)) })
	}
}

func createWriteRead(w *World) {
	c := w.Root
	w.Write(c, "/a", "hello")
	if got := w.Read(c, "/a"); got != "hello" {
		w.T.Fatalf("read %q", got)
	}
	w.Write(c, "/a", "bye")
	if got := w.Read(c, "/a"); got != "bye" {
		w.T.Fatalf("read %q after O_TRUNC", got)
	}
	st := w.Stat(c, "/a")
	if st.Mode != linux.S_IFREG|0o644 || st.Size != 3 || st.Nlink != 1 {
		w.T.Fatalf("stat %+v", st)
	}
	big := strings.Repeat("0123456789abcdef", 20_000)
	w.Write(c, "/big", big)
	if w.Read(c, "/big") != big {
		w.T.Fatal("a large file came back different")
	}
}

func openFlags(w *World) {
	c := w.Root
	w.OpenErr(c, "/none", linux.O_RDONLY, linux.ENOENT)
	w.Write(c, "/f", "x")
	w.OpenErr(c, "/f", linux.O_WRONLY|linux.O_CREAT|linux.O_EXCL, linux.EEXIST)
	w.OpenErr(c, "/f", linux.O_RDONLY|linux.O_DIRECTORY, linux.ENOTDIR)
	w.OpenErr(c, "/f/", linux.O_RDONLY, linux.ENOTDIR)
	w.OpenErr(c, "/f/x", linux.O_RDONLY, linux.ENOTDIR)
	w.OpenErr(c, "/new/", linux.O_WRONLY|linux.O_CREAT, linux.EISDIR)
	w.OpenErr(c, "/", linux.O_WRONLY, linux.EISDIR)
	w.OpenErr(c, "", linux.O_RDONLY, linux.ENOENT)
	w.Want(w.Symlink(c, "f", "/l"), nil)
	w.OpenErr(c, "/l", linux.O_RDONLY|linux.O_NOFOLLOW, linux.ELOOP)
	w.OpenErr(c, "/l", linux.O_WRONLY|linux.O_CREAT|linux.O_EXCL, linux.EEXIST)
	w.Want(w.Symlink(c, "made", "/dangling"), nil)
	w.Open(c, "/dangling", linux.O_WRONLY|linux.O_CREAT, 0o600).DecRef()
	if st := w.Stat(c, "/made"); st.Mode.Perm() != 0o600 {
		w.T.Fatalf("mode %v", st.Mode)
	}
	d := w.Open(c, "/l", linux.O_PATH|linux.O_NOFOLLOW, 0)
	defer d.DecRef()
	if d.Path().Dentry.Kind() != linux.S_IFLNK {
		w.T.Fatal("O_PATH|O_NOFOLLOW followed the link")
	}
	s := usermem.OfBytes(make([]byte, 1))
	_, err := d.Read(c, &s)
	w.Want(err, linux.EBADF)
}

func directories(w *World) {
	c := w.Root
	w.Want(w.Mkdir(c, "/d", 0o755), nil)
	w.Want(w.Mkdir(c, "/d", 0o755), linux.EEXIST)
	w.Want(w.Mkdir(c, "/d/e/", 0o777), nil)
	w.Want(w.Mkdir(c, "/no/e", 0o777), linux.ENOENT)
	if st := w.Stat(c, "/d"); st.Nlink < 1 || st.Mode != linux.S_IFDIR|0o755 {
		w.T.Fatalf("stat %+v", st)
	}
	w.Want(w.Rmdir(c, "/d"), linux.ENOTEMPTY)
	w.Want(w.Unlink(c, "/d/e"), linux.EISDIR)
	w.Want(w.Rmdir(c, "/d/e/."), linux.EINVAL)
	w.Want(w.Rmdir(c, "/d/e"), nil)
	w.Want(w.Rmdir(c, "/d/e"), linux.ENOENT)
	d := w.Path(c, "/d")
	w.Want(w.Rmdir(c, "/d"), nil)
	// A deleted directory takes no names.
	w.Want(vfs.Mkdir(c, d, "x", 0o777), linux.ENOENT)
	w.Write(c, "/f", "")
	w.Want(w.Rmdir(c, "/f"), linux.ENOTDIR)
}

func links(w *World) {
	c := w.Root
	w.Write(c, "/a", "1")
	w.Want(w.Link(c, "/a", "/b"), nil)
	w.Want(w.Link(c, "/a", "/b"), linux.EEXIST)
	w.Write(c, "/b", "22")
	if got := w.Read(c, "/a"); got != "22" {
		w.T.Fatalf("the other name reads %q", got)
	}
	a, b := w.Stat(c, "/a"), w.Stat(c, "/b")
	if a.Ino != b.Ino || a.Nlink != 2 {
		w.T.Fatalf("%+v %+v", a, b)
	}
	w.Want(w.Unlink(c, "/a"), nil)
	if st := w.Stat(c, "/b"); st.Nlink != 1 {
		w.T.Fatalf("nlink %d", st.Nlink)
	}
	w.Want(w.Mkdir(c, "/d", 0o755), nil)
	w.Want(w.Link(c, "/d", "/e"), linux.EPERM)
	w.Want(w.Symlink(c, "b", "/s"), nil)
	w.Want(w.Link(c, "/s", "/t"), nil)
	if st := w.Stat(c, "/t"); !st.Mode.IsSymlink() {
		w.T.Fatal("link followed the symbolic link")
	}
	target, err := vfs.Readlink(c, c.Cwd, "/s")
	w.Want(err, nil)
	if target != "b" {
		w.T.Fatalf("readlink %q", target)
	}
}

func walk(w *World) {
	c := w.Root
	w.Want(w.Mkdir(c, "/a", 0o755), nil)
	w.Want(w.Mkdir(c, "/a/b", 0o755), nil)
	w.Write(c, "/a/b/f", "deep")
	w.Want(w.Symlink(c, "/a", "/abs"), nil)
	w.Want(w.Symlink(c, "../b/f", "/a/b/rel"), nil)
	w.Want(w.Symlink(c, "loop", "/loop"), nil)
	w.Want(w.Symlink(c, "b", "/a/dir"), nil)
	for _, p := range []string{
		"/a/b/f", "a/b/f", "//a//b///f", "/a/./b/../b/f", "/abs/b/f", "/a/b/rel", "/abs/b/../b/rel",
		"/a/dir/f", "/a/dir/../b/f", "/../../a/b/f",
	} {
		if got := w.Read(c, p); got != "deep" {
			w.T.Errorf("%s reads %q", p, got)
		}
	}
	w.OpenErr(c, "/loop", linux.O_RDONLY, linux.ELOOP)
	w.OpenErr(c, "/a/b/f/..", linux.O_RDONLY, linux.ENOTDIR)
	w.OpenErr(c, "/"+strings.Repeat("n", 256), linux.O_RDONLY, linux.ENAMETOOLONG)
	w.OpenErr(c, strings.Repeat("/a", 2048), linux.O_RDONLY, linux.ENAMETOOLONG)
	if st, err := w.TryStat(c, "/a/dir/"); err != nil || !st.Mode.IsDir() {
		w.T.Errorf("a trailing slash did not follow the link: %v %v", st.Mode, err)
	}
	_, err := vfs.ResolveHow(c, w.Path(c, "/a"), "b/../../x", 0, linux.RESOLVE_BENEATH)
	w.Want(err, linux.EXDEV)
	_, err = vfs.ResolveHow(c, w.Path(c, "/a"), "/b/f", 0, linux.RESOLVE_IN_ROOT)
	w.Want(err, nil)
	_, err = vfs.ResolveHow(c, w.Path(c, "/a"), "dir/f", 0, linux.RESOLVE_NO_SYMLINKS)
	w.Want(err, linux.ELOOP)
	inner := *c
	inner.Root, inner.Cwd = w.Path(c, "/a"), w.Path(c, "/a/b")
	if got := w.Read(&inner, "/b/f"); got != "deep" {
		w.T.Errorf("in a changed root: %q", got)
	}
	if got, _ := vfs.Getcwd(&inner); got != "/b" {
		w.T.Errorf("getcwd %q", got)
	}
	if st := w.Stat(&inner, "/.."); st.Ino != w.Stat(c, "/a").Ino {
		w.T.Error(".. left the root")
	}
}

func rename(w *World) {
	c := w.Root
	w.Write(c, "/a", "a")
	w.Write(c, "/b", "b")
	w.Want(w.Rename(c, "/a", "/c"), nil)
	w.OpenErr(c, "/a", linux.O_RDONLY, linux.ENOENT)
	w.Want(w.Rename(c, "/c", "/b"), nil)
	if got := w.Read(c, "/b"); got != "a" {
		w.T.Fatalf("reads %q", got)
	}
	w.Want(w.Mkdir(c, "/d", 0o755), nil)
	w.Want(w.Mkdir(c, "/d/e", 0o755), nil)
	w.Want(w.Rename(c, "/d", "/d/e/x"), linux.EINVAL)
	w.Want(w.Rename(c, "/d/e", "/d"), linux.ENOTEMPTY)
	w.Want(w.Rename(c, "/b", "/d"), linux.EISDIR)
	w.Want(w.Rename(c, "/d", "/b"), linux.ENOTDIR)
	w.Want(w.Rename(c, "/none", "/x"), linux.ENOENT)
	w.Want(w.Mkdir(c, "/empty", 0o755), nil)
	w.Want(w.Rename(c, "/d", "/empty"), nil)
	if st := w.Stat(c, "/empty/e"); !st.Mode.IsDir() {
		w.T.Fatal("the contents did not move")
	}
	w.Want(w.Rename(c, "/b", "/empty/e/b"), nil)
	if got := w.Read(c, "/empty/e/b"); got != "a" {
		w.T.Fatalf("reads %q", got)
	}
	w.Write(c, "/k", "")
	w.Want(vfs.Rename(c, c.Cwd, "/k", c.Cwd, "/empty", linux.RENAME_NOREPLACE), linux.EEXIST)
	d := w.Open(c, "/empty/e", linux.O_RDONLY, 0)
	defer d.DecRef()
	w.Want(w.Rename(c, "/empty", "/full"), nil)
	if got := d.Path().Name(c.Root); got != "/full/e" {
		w.T.Fatalf("an open directory is now %q", got)
	}
	w.Want(w.Link(c, "/k", "/k2"), nil)
	w.Want(w.Rename(c, "/k", "/k2"), nil)
	w.Stat(c, "/k") // two names of one file: nothing happens
}

func exchange(w *World) {
	c := w.Root
	w.Write(c, "/a", "a")
	w.Want(w.Mkdir(c, "/d", 0o755), nil)
	w.Write(c, "/d/f", "f")
	err := vfs.Rename(c, c.Cwd, "/a", c.Cwd, "/d", linux.RENAME_EXCHANGE)
	if err == linux.EINVAL {
		w.T.Skip("the file system cannot exchange")
	}
	w.Want(err, nil)
	if w.Read(c, "/d") != "a" || w.Read(c, "/a/f") != "f" {
		w.T.Fatal("not exchanged")
	}
}

func permissions(w *World) {
	r, u := w.Root, w.User
	w.Write(r, "/secret", "s")
	w.Want(vfs.Chmod(r, w.Path(r, "/secret"), 0o600), nil)
	w.OpenErr(u, "/secret", linux.O_RDONLY, linux.EACCES)
	w.OpenErr(u, "/mine", linux.O_WRONLY|linux.O_CREAT, linux.EACCES)
	w.Want(w.Mkdir(r, "/tmp", 0o777), nil)
	w.Want(vfs.Chmod(r, w.Path(r, "/tmp"), 0o1777), nil)
	w.Write(u, "/tmp/u", "mine")
	if st := w.Stat(u, "/tmp/u"); st.UID != 1000 || st.GID != 1000 {
		w.T.Fatalf("owned by %d:%d", st.UID, st.GID)
	}
	w.Write(r, "/tmp/r", "roots")
	w.Want(w.Unlink(u, "/tmp/r"), linux.EPERM)
	w.Want(w.Rename(u, "/tmp/r", "/tmp/x"), linux.EPERM)
	w.Want(w.Unlink(u, "/tmp/u"), nil)
	w.Want(vfs.Chmod(u, w.Path(u, "/tmp/r"), 0o777), linux.EPERM)
	w.Want(vfs.Chown(u, w.Path(u, "/tmp/r"), 1000, ^uint32(0)), linux.EPERM)
	w.Want(w.Mkdir(r, "/closed", 0o700), nil)
	w.Write(r, "/closed/f", "")
	_, err := w.TryStat(u, "/closed/f")
	w.Want(err, linux.EACCES)
	w.Want(vfs.AccessPath(u, u.Cwd, "/tmp/r", linux.R_OK, 0), nil)
	w.Want(vfs.AccessPath(u, u.Cwd, "/tmp/r", linux.W_OK, 0), linux.EACCES)
	w.Want(vfs.AccessPath(r, r.Cwd, "/tmp/r", linux.X_OK, 0), linux.EACCES)
	// A setgid directory gives its group.
	w.Want(vfs.Chown(r, w.Path(r, "/tmp"), ^uint32(0), 77), nil)
	w.Want(vfs.Chmod(r, w.Path(r, "/tmp"), 0o2777), nil)
	w.Want(w.Mkdir(u, "/tmp/sub", 0o755), nil)
	if st := w.Stat(u, "/tmp/sub"); st.GID != 77 || st.Mode&linux.S_ISGID == 0 {
		w.T.Fatalf("not inherited: gid %d mode %v", st.GID, st.Mode)
	}
	// A write by another takes the set-id bits.
	w.Write(u, "/tmp/suid", "x")
	w.Want(vfs.Chmod(u, w.Path(u, "/tmp/suid"), 0o4777), nil)
	d := w.Open(u, "/tmp/suid", linux.O_WRONLY, 0)
	defer d.DecRef()
	s := usermem.OfBytes([]byte("y"))
	_, err = d.Write(u, &s)
	w.Want(err, nil)
	if st := w.Stat(u, "/tmp/suid"); st.Mode&linux.S_ISUID != 0 {
		w.T.Fatal("S_ISUID survived a write")
	}
}

func attributes(w *World) {
	c := w.Root
	w.Write(c, "/f", "x")
	p := w.Path(c, "/f")
	w.Want(vfs.Chmod(c, p, 0o4755), nil)
	w.Want(vfs.Chown(c, p, 5, 6), nil)
	st := w.Stat(c, "/f")
	if st.UID != 5 || st.GID != 6 || st.Mode.PermAndSticky() != 0o755 {
		w.T.Fatalf("%+v", st)
	}
	times := [2]linux.Timespec{{Sec: 100, Nsec: 5}, {Nsec: linux.UTIME_OMIT}}
	before := st.Mtim
	w.Want(vfs.Utimens(c, p, &times), nil)
	st = w.Stat(c, "/f")
	if st.Atim != times[0] || st.Mtim != before {
		w.T.Fatalf("times %v %v", st.Atim, st.Mtim)
	}
	x, err := vfs.Statx(c, p, linux.STATX_ALL)
	w.Want(err, nil)
	if x.Mask&linux.STATX_BASIC_STATS != linux.STATX_BASIC_STATS || x.Size != 1 {
		w.T.Fatalf("statx %+v", x)
	}
	_, err = vfs.StatFS(p)
	w.Want(err, nil)
}

func sparse(w *World) {
	c := w.Root
	d := w.Open(c, "/s", linux.O_RDWR|linux.O_CREAT, 0o644)
	defer d.DecRef()
	s := usermem.OfBytes([]byte("end"))
	_, err := d.PWrite(c, &s, 1<<20)
	w.Want(err, nil)
	buf := []byte("dirty")
	s = usermem.OfBytes(buf)
	_, err = d.PRead(c, &s, 5000)
	w.Want(err, nil)
	if string(buf) != "\x00\x00\x00\x00\x00" {
		w.T.Fatalf("a hole reads %q", buf)
	}
	w.Want(d.Truncate(c, 1<<20+1), nil)
	w.Want(d.Truncate(c, 1<<20+3), nil)
	buf = make([]byte, 3)
	s = usermem.OfBytes(buf)
	n, err := d.PRead(c, &s, 1<<20)
	if n != 3 || err != nil || string(buf) != "e\x00\x00" {
		w.T.Fatalf("after truncation up and down: %q %v", buf[:n], err)
	}
	if off, err := d.SeekTo(0, linux.SEEK_END); off != 1<<20+3 || err != nil {
		w.T.Fatalf("SEEK_END %d %v", off, err)
	}
	_, err = d.SeekTo(-1, linux.SEEK_SET)
	w.Want(err, linux.EINVAL)
	_, err = d.SeekTo(1<<30, linux.SEEK_DATA)
	w.Want(err, linux.ENXIO)
}

func unlinkedLives(w *World) {
	c := w.Root
	w.Write(c, "/f", "still here")
	d := w.Open(c, "/f", linux.O_RDWR, 0)
	w.Want(w.Unlink(c, "/f"), nil)
	if got := w.ReadAll(c, d); got != "still here" {
		w.T.Fatalf("reads %q", got)
	}
	if got := d.Path().Name(c.Root); got != "/f (deleted)" {
		w.T.Fatalf("named %q", got)
	}
	a, err := d.Attr()
	if err != nil || a.Nlink != 0 {
		w.T.Fatalf("nlink %d, %v", a.Nlink, err)
	}
	w.Write(c, "/f", "another")
	d.DecRef()
	if got := w.Read(c, "/f"); got != "another" {
		w.T.Fatalf("reads %q", got)
	}
}

func readdirStable(w *World) {
	c := w.Root
	w.Want(w.Mkdir(c, "/d", 0o755), nil)
	const n = 300
	for i := range n {
		w.Write(c, fmt.Sprintf("/d/f%d", i), "")
	}
	if got := len(w.Names(c, "/d")); got != n {
		w.T.Fatalf("%d names of %d", got, n)
	}
	d := w.Open(c, "/d", linux.O_RDONLY, 0)
	defer d.DecRef()
	seen := map[string]int{}
	for {
		count := 0
		w.Want(d.ReadDir(c, func(e vfs.Dirent) bool {
			if count == 10 {
				return false
			}
			count++
			seen[e.Name]++
			return true
		}), nil)
		if count == 0 {
			break
		}
		// What has been listed goes; what has not must still come, once.
		for name := range seen {
			if name != "." && name != ".." {
				vfs.Unlink(c, c.Cwd, "/d/"+name)
			}
		}
	}
	if len(seen) != n+2 {
		w.T.Fatalf("%d names seen of %d", len(seen), n+2)
	}
	for name, k := range seen {
		if k != 1 {
			w.T.Fatalf("%s seen %d times", name, k)
		}
	}
}

func appendTruncate(w *World) {
	c := w.Root
	w.Write(c, "/log", "one\n")
	d := w.Open(c, "/log", linux.O_WRONLY|linux.O_APPEND, 0)
	defer d.DecRef()
	s := usermem.OfBytes([]byte("two\n"))
	_, err := d.Write(c, &s)
	w.Want(err, nil)
	if got := w.Read(c, "/log"); got != "one\ntwo\n" {
		w.T.Fatalf("%q", got)
	}
	w.Want(vfs.Truncate(c, w.Path(c, "/log"), 2), nil)
	if got := w.Read(c, "/log"); got != "on" {
		w.T.Fatalf("%q", got)
	}
	w.Want(vfs.Truncate(c, w.Path(c, "/"), 2), linux.EISDIR)
	lim := *c
	lim.FileSizeLimit = 4
	s = usermem.OfBytes([]byte("abcdef"))
	n, err := d.Write(&lim, &s)
	if n != 2 || err != nil {
		w.T.Fatalf("write across RLIMIT_FSIZE: %d, %v", n, err)
	}
	_, err = d.Write(&lim, &s)
	w.Want(err, linux.EFBIG)
	if !lim.FileSizeHit {
		w.T.Fatal("no SIGXFSZ asked for")
	}
}

func xattrs(w *World) {
	c := w.Root
	w.Write(c, "/f", "")
	p := w.Path(c, "/f")
	if err := vfs.SetXattr(c, p, "user.a", []byte("1"), 0); err == linux.EOPNOTSUPP {
		w.T.Skip("no user attributes here")
	} else if err != nil {
		w.T.Fatal(err)
	}
	w.Want(vfs.SetXattr(c, p, "user.a", nil, linux.XATTR_CREATE), linux.EEXIST)
	w.Want(vfs.SetXattr(c, p, "user.b", nil, linux.XATTR_REPLACE), linux.ENODATA)
	v, err := vfs.GetXattr(c, p, "user.a")
	if err != nil || string(v) != "1" {
		w.T.Fatalf("%q %v", v, err)
	}
	_, err = vfs.GetXattr(c, p, "user.b")
	w.Want(err, linux.ENODATA)
	w.Want(vfs.SetXattr(c, p, "system.posix_acl_access", nil, 0), linux.EOPNOTSUPP)
	w.Want(vfs.SetXattr(w.User, p, "trusted.x", nil, 0), linux.EPERM)
	w.Want(vfs.SetXattr(w.User, p, "user.x", nil, 0), linux.EACCES)
	names, err := vfs.ListXattr(c, p)
	w.Want(err, nil)
	if len(names) != 1 || names[0] != "user.a" {
		w.T.Fatalf("%q", names)
	}
	w.Want(vfs.RemoveXattr(c, p, "user.a"), nil)
	w.Want(vfs.RemoveXattr(c, p, "user.a"), linux.ENODATA)
}

func specials(w *World) {
	c := w.Root
	w.Want(vfs.Mknod(c, c.Cwd, "/fifo", linux.S_IFIFO|0o600, 0), nil)
	if st := w.Stat(c, "/fifo"); !st.Mode.IsFIFO() {
		w.T.Fatalf("mode %v", st.Mode)
	}
	w.Want(vfs.Mknod(w.User, c.Cwd, "/dev", linux.S_IFCHR|0o600, linux.MakeDev(1, 3)), linux.EACCES)
	w.Want(vfs.Mknod(c, c.Cwd, "/sock", linux.S_IFSOCK|0o600, 0), nil)
	w.OpenErr(c, "/sock", linux.O_RDONLY, linux.ENXIO)
	err := vfs.Mknod(c, c.Cwd, "/null", linux.S_IFCHR|0o600, linux.MakeDev(1, 3))
	if err == linux.EPERM {
		return // a file system without devices
	}
	w.Want(err, nil)
	if st := w.Stat(c, "/null"); st.Rdev != linux.MakeDev(1, 3) {
		w.T.Fatalf("rdev %x", st.Rdev)
	}
}
