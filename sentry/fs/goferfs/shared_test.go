package goferfs

import (
	"os"
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/vfs"
)

// TestSharedWalk walks a shared mount through the VFS: in few round trips, and
// never past what the host has changed.
func TestSharedWalk(t *testing.T) {
	e := mount(t, true)
	e.write("a/b/c/d/f", "12345")
	e.write("a/b/other/f", "1234567")
	v := vfs.New(func() int64 { return 0 }, nil)
	users := cred.NewRootNamespace()
	ns, err := v.NewNamespace(users, e.fs, "share", 0)
	e.must(err)
	c := &vfs.Caller{Cred: cred.Root(users, cred.AllCaps), Root: ns.Root(), Cwd: ns.Root()}
	stat := func(path string) (linux.Stat, error) {
		t.Helper()
		p, err := vfs.Resolve(c, c.Root, path, 0)
		if err != nil {
			return linux.Stat{}, err
		}
		return vfs.Stat(c, p)
	}
	size := func(want int64) {
		t.Helper()
		st, err := stat("/a/b/c/d/f")
		e.must(err)
		if st.Size != want {
			t.Errorf("size %d, want %d", st.Size, want)
		}
	}
	size(5)
	e.trips()
	size(5)
	if n := e.trips(); n > 2 {
		t.Errorf("%d round trips to stat a path of five names", n)
	}
	e.write("a/b/c/d/f", "123")
	size(3)
	e.must(os.Chmod(e.host("a/b"), 0o700))
	if st, err := stat("/a/b"); err != nil || st.Mode.Perm() != 0o700 {
		t.Errorf("%v %v", st.Mode, err)
	}
	e.must(os.Rename(e.host("a/b/c/d"), e.host("a/b/c/e")))
	if _, err := stat("/a/b/c/d/f"); err != error(linux.ENOENT) {
		t.Errorf("a name that has gone: %v", err)
	}
	e.must(os.Rename(e.host("a/b/other"), e.host("a/b/c/d")))
	size(7)
	e.must(os.Remove(e.host("a/b/c/d/f")))
	if _, err := stat("/a/b/c/d/f"); err != error(linux.ENOENT) {
		t.Errorf("a file that has gone: %v", err)
	}
	e.write("a/b/c/d/f", "1")
	size(1)
}
