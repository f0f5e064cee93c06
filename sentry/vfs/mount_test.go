package vfs_test

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform/memfile"
	"cordon/sentry/fs/tmpfs"
	"cordon/sentry/vfs"
	"cordon/sentry/vfs/vfstest"
)

func newTmpfs(t *testing.T, v *vfs.VFS) vfs.FileSystem {
	t.Helper()
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	mem := memfile.New(int32(fd), 1)
	t.Cleanup(mem.Close)
	make := func(_ *vfs.Caller, _, data string) (vfs.FileSystem, error) {
		return tmpfs.New(tmpfs.Options{
			Memory: mem, Clock: func() int64 { return v.Now().ToNS() }, Device: v.NextDevice(), Total: 1 << 30, Mode: 0o755, Data: data,
		})
	}
	v.Register("tmpfs", vfs.FileSystemType{New: make, NoDev: true, UserMount: true})
	fs, err := make(nil, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

func newWorld(t *testing.T) *vfstest.World { return vfstest.NewWorld(t, newTmpfs) }

func mkdirs(w *vfstest.World, paths ...string) {
	w.T.Helper()
	for _, p := range paths {
		if err := w.Mkdir(w.Root, p, 0o755); err != nil {
			w.T.Fatalf("mkdir %s: %v", p, err)
		}
	}
}

func mount(w *vfstest.World, source, target, fsType string, flags linux.MountFlags) {
	w.T.Helper()
	if err := vfs.DoMount(w.Root, source, target, fsType, flags, ""); err != nil {
		w.T.Fatalf("mount %s %s %v: %v", source, target, flags, err)
	}
}

func TestMount(t *testing.T) {
	w := newWorld(t)
	c := w.Root
	mkdirs(w, "/m", "/m/below")
	below := w.Path(c, "/m/below")
	mount(w, "src", "/m", "tmpfs", linux.MS_NOSUID)
	if _, err := w.TryStat(c, "/m/below"); err != linux.ENOENT {
		t.Errorf("what is mounted over shows: %v", err)
	}
	mkdirs(w, "/m/in")
	in := *c
	in.Cwd = w.Path(c, "/m/in")
	if got, _ := vfs.Getcwd(&in); got != "/m/in" {
		t.Errorf("getcwd %q", got)
	}
	if st := w.Stat(&in, "../../"); st.Ino != w.Stat(c, "/").Ino {
		t.Error(".. does not leave the mount")
	}
	if got := below.Name(c.Root); got != "/m/below" {
		t.Errorf("covered place is %q", got)
	}
	in.Cwd.IncRef()
	w.Want(vfs.Umount(c, "/m", 0), linux.EBUSY)
	in.Cwd.DecRef()
	w.Want(vfs.Umount(w.User, "/m", 0), linux.EPERM)
	w.Want(vfs.Rmdir(c, c.Cwd, "/m"), linux.EBUSY)
	w.Want(vfs.Umount(c, "/m/in", 0), linux.EINVAL)
	text := string(w.NS.MountsText(c.Root))
	if !strings.Contains(text, "src /m tmpfs rw,nosuid,relatime") {
		t.Errorf("mounts:\n%s", text)
	}
	w.Want(vfs.Umount(c, "/m", 0), nil)
	w.Stat(c, "/m/below")
	w.Want(vfs.DoMount(c, "x", "/m", "nofs", 0, ""), linux.ENODEV)
	w.Want(vfs.DoMount(c, "x", "/m", "tmpfs", 0, "bogus=1"), linux.EINVAL)
}

func TestReadOnlyMount(t *testing.T) {
	w := newWorld(t)
	c := w.Root
	mkdirs(w, "/a", "/b")
	w.Write(c, "/a/f", "x")
	mount(w, "/a", "/b", "", linux.MS_BIND)
	mount(w, "", "/b", "", linux.MS_REMOUNT|linux.MS_BIND|linux.MS_RDONLY|linux.MS_NOEXEC)
	w.OpenErr(c, "/b/f", linux.O_WRONLY, linux.EROFS)
	w.OpenErr(c, "/b/g", linux.O_WRONLY|linux.O_CREAT, linux.EROFS)
	w.Want(w.Unlink(c, "/b/f"), linux.EROFS)
	w.Want(vfs.Chmod(c, w.Path(c, "/b/f"), 0o777), linux.EROFS)
	w.Want(w.Rename(c, "/b/f", "/a/f"), linux.EXDEV)
	if got := w.Read(c, "/b/f"); got != "x" {
		t.Errorf("read %q", got)
	}
	w.Write(c, "/a/f", "y")
	if got := w.Read(c, "/b/f"); got != "y" {
		t.Errorf("a bind mount shows %q", got)
	}
	w.Want(vfs.Chmod(c, w.Path(c, "/a/f"), 0o755), nil)
	if _, err := vfs.OpenExec(c, c.Cwd, "/b/f", false); err != linux.EACCES {
		t.Errorf("exec on a noexec mount: %v", err)
	}
	d, err := vfs.OpenExec(c, c.Cwd, "/a/f", false)
	if err != nil {
		t.Fatal(err)
	}
	d.DecRef()
}

func TestBindAndMove(t *testing.T) {
	w := newWorld(t)
	c := w.Root
	mkdirs(w, "/a", "/a/sub", "/one", "/all", "/to")
	mount(w, "t", "/a/sub", "tmpfs", 0)
	w.Write(c, "/a/sub/f", "inner")
	mount(w, "/a", "/one", "", linux.MS_BIND)
	mount(w, "/a", "/all", "", linux.MS_BIND|linux.MS_REC)
	w.OpenErr(c, "/one/sub/f", linux.O_RDONLY, linux.ENOENT)
	if got := w.Read(c, "/all/sub/f"); got != "inner" {
		t.Errorf("rbind reads %q", got)
	}
	mount(w, "/all", "/to", "", linux.MS_MOVE)
	if got := w.Read(c, "/to/sub/f"); got != "inner" {
		t.Errorf("after the move: %q", got)
	}
	w.OpenErr(c, "/all/sub/f", linux.O_RDONLY, linux.ENOENT)
	w.Want(vfs.DoMount(c, "/to", "/to/sub", "", linux.MS_MOVE, ""), linux.ELOOP)
	d := w.Open(c, "/to/sub/f", linux.O_RDONLY, 0)
	defer d.DecRef()
	w.Want(vfs.Umount(c, "/to", 0), linux.EBUSY)
	w.Want(vfs.Umount(c, "/to", linux.MNT_DETACH), nil)
	if got := w.ReadAll(c, d); got != "inner" {
		t.Errorf("a file of a detached mount reads %q", got)
	}
}

func TestPropagation(t *testing.T) {
	w := newWorld(t)
	c := w.Root
	mkdirs(w, "/s", "/peer", "/slave")
	mount(w, "s", "/s", "tmpfs", 0)
	mkdirs(w, "/s/x", "/s/y")
	mount(w, "", "/s", "", linux.MS_SHARED)
	mount(w, "/s", "/peer", "", linux.MS_BIND)
	mount(w, "/s", "/slave", "", linux.MS_BIND)
	mount(w, "", "/slave", "", linux.MS_SLAVE)
	mount(w, "inner", "/s/x", "tmpfs", 0)
	w.Write(c, "/s/x/f", "1")
	for _, p := range []string{"/peer/x/f", "/slave/x/f"} {
		if got := w.Read(c, p); got != "1" {
			t.Errorf("%s reads %q", p, got)
		}
	}
	mount(w, "own", "/slave/y", "tmpfs", 0)
	w.Write(c, "/slave/y/g", "2")
	w.OpenErr(c, "/s/y/g", linux.O_RDONLY, linux.ENOENT)
	info := string(w.NS.MountInfoText(c.Root))
	if !strings.Contains(info, " shared:") || !strings.Contains(info, " master:") {
		t.Errorf("mountinfo:\n%s", info)
	}
	w.Want(vfs.Umount(c, "/s/x", 0), nil)
	w.OpenErr(c, "/peer/x/f", linux.O_RDONLY, linux.ENOENT)
	w.OpenErr(c, "/slave/x/f", linux.O_RDONLY, linux.ENOENT)
}

func TestNamespaceClone(t *testing.T) {
	w := newWorld(t)
	c := w.Root
	mkdirs(w, "/m", "/m/d")
	mount(w, "t", "/m", "tmpfs", 0)
	mkdirs(w, "/m/in", "/m/in2")
	root, cwd := c.Root, w.Path(c, "/m/in")
	ns := w.NS.Clone(w.NS.UserNS(), &root, &cwd)
	other := *c
	other.Root, other.Cwd = root, cwd
	if root.Mount == c.Root.Mount {
		t.Fatal("the copy shows the same mount")
	}
	if got, _ := vfs.Getcwd(&other); got != "/m/in" {
		t.Errorf("getcwd %q", got)
	}
	w.Want(vfs.Umount(&other, "/m", 0), nil)
	w.Stat(&other, "/m/d")
	w.Stat(c, "/m/in")
	ns.DecRef()
}

func TestPivotRoot(t *testing.T) {
	w := newWorld(t)
	c := w.Root
	mkdirs(w, "/new")
	w.Write(c, "/old-file", "o")
	mount(w, "n", "/new", "tmpfs", 0)
	mkdirs(w, "/new/old")
	w.Write(c, "/new/f", "n")
	from, to, err := vfs.PivotRoot(c, "/new", "/new/old")
	w.Want(err, nil)
	if from != c.Root {
		t.Error("the old root is not the caller's")
	}
	in := *c
	in.Root, in.Cwd = to, to
	if got := w.Read(&in, "/f"); got != "n" {
		t.Errorf("new root reads %q", got)
	}
	if got := w.Read(&in, "/old/old-file"); got != "o" {
		t.Errorf("old root reads %q", got)
	}
	w.Want(vfs.Umount(&in, "/old", linux.MNT_DETACH), nil)
	if got := string(w.NS.MountsText(in.Root)); strings.Count(got, "\n") != 1 {
		t.Errorf("mounts:\n%s", got)
	}
}

// TestWaysThroughMountsFollowTheTree walks through a mount point again after each change
// of what is mounted there.
func TestWaysThroughMountsFollowTheTree(t *testing.T) {
	w := newWorld(t)
	c := w.Root
	mkdirs(w, "/m")
	w.Write(c, "/m/f", "under")
	see := func(want string) {
		t.Helper()
		for range 2 { // the second time the way is known
			if got := w.Read(c, "/m/f"); got != want {
				t.Fatalf("/m/f is %q, not %q", got, want)
			}
		}
	}
	put := func(text string) {
		t.Helper()
		mount(w, text, "/m", "tmpfs", 0)
		w.Write(c, "/m/f", text)
		see(text)
	}
	off := func() {
		t.Helper()
		w.Want(vfs.Umount(c, "/m", 0), nil)
	}
	see("under")
	put("first")
	put("second")
	off()
	see("first")
	put("third")
	off()
	off()
	see("under")
	put("fourth")
	mkdirs(w, "/n")
	w.Want(vfs.DoMount(c, "/m", "/n", "", linux.MS_MOVE, ""), nil)
	see("under")
	if got := w.Read(c, "/n/f"); got != "fourth" {
		t.Fatalf("/n/f is %q", got)
	}
}

// TestNamesLookedUpLastFollowTheDirectory looks a name up twice after each change of
// what it means.
func TestNamesLookedUpLastFollowTheDirectory(t *testing.T) {
	w := newWorld(t)
	c := w.Root
	mkdirs(w, "/d", "/e")
	see := func(path, want string) {
		t.Helper()
		for range 2 {
			if want == "" {
				_, err := w.TryStat(c, path)
				w.Want(err, linux.ENOENT)
			} else if got := w.Read(c, path); got != want {
				t.Fatalf("%s is %q, not %q", path, got, want)
			}
		}
	}
	see("/d/a", "")
	w.Write(c, "/d/a", "one")
	see("/d/a", "one")
	w.Want(w.Rename(c, "/d/a", "/e/a"), nil)
	see("/d/a", "")
	see("/e/a", "one")
	w.Write(c, "/d/a", "two")
	see("/d/a", "two")
	w.Want(vfs.Rename(c, c.Cwd, "/d/a", c.Cwd, "/e/a", linux.RENAME_EXCHANGE), nil)
	see("/d/a", "one")
	see("/e/a", "two")
	w.Want(w.Rename(c, "/e/a", "/d/a"), nil)
	see("/e/a", "")
	see("/d/a", "two")
	w.VFS.Reclaim()
	see("/d/a", "two")
	w.Want(w.Unlink(c, "/d/a"), nil)
	see("/d/a", "")
	w.Want(w.Link(c, "/e", "/d/a"), linux.EPERM)
	w.Want(w.Rename(c, "/e", "/d/a"), nil)
	see("/d/a/x", "")
	w.Write(c, "/d/a/x", "three")
	see("/d/a/x", "three")
}
