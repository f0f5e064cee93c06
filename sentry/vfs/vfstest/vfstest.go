// Package vfstest is the suite that every writable file system passes, and what
// other packages' tests need to make a world of files.
//
// # Objects
//
// A World is a mount namespace with one file system at its root and a caller in
// it. Run makes a fresh one for each test.
package vfstest

import (
	"sync/atomic"
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// A World is a root directory and somebody to use it.
type World struct {
	T    *testing.T
	VFS  *vfs.VFS
	NS   *vfs.MountNamespace
	Root *vfs.Caller // with all capabilities
	User *vfs.Caller // uid and gid 1000, none
}

// NewWorld mounts fs, made by make, as a root directory.
func NewWorld(t *testing.T, make func(t *testing.T, v *vfs.VFS) vfs.FileSystem) *World {
	t.Helper()
	var now atomic.Int64
	now.Store(1_700_000_000_000_000_000)
	v := vfs.New(func() int64 { return now.Add(1_000_000) }, nil)
	user := cred.NewRootNamespace()
	fs := make(t, v)
	ns, err := v.NewNamespace(user, fs, "test", linux.MS_RELATIME)
	if err != nil {
		t.Fatal(err)
	}
	w := &World{T: t, VFS: v, NS: ns}
	root := ns.Root()
	w.Root = &vfs.Caller{Cred: cred.Root(user, cred.AllCaps), Root: root, Cwd: root, Umask: 0o022}
	w.User = &vfs.Caller{
		Cred: &cred.Credentials{
			RUID: 1000, EUID: 1000, SUID: 1000, FSUID: 1000, RGID: 1000, EGID: 1000, SGID: 1000, FSGID: 1000, UserNS: user,
		},
		Root: root, Cwd: root, Umask: 0o022,
	}
	return w
}

// Want fails the test unless err is want (nil: no error).
func (w *World) Want(err, want error) {
	w.T.Helper()
	if err != want {
		w.T.Fatalf("got %v, want %v", err, want)
	}
}

// Open opens path for c.
func (w *World) Open(c *vfs.Caller, path string, flags linux.OpenFlags, mode linux.FileMode) *vfs.Description {
	w.T.Helper()
	d, err := vfs.Open(c, c.Cwd, path, vfs.OpenHow{Flags: flags, Mode: mode})
	if err != nil {
		w.T.Fatalf("open %s: %v", path, err)
	}
	return d
}

// OpenErr opens path and expects want.
func (w *World) OpenErr(c *vfs.Caller, path string, flags linux.OpenFlags, want error) {
	w.T.Helper()
	d, err := vfs.Open(c, c.Cwd, path, vfs.OpenHow{Flags: flags, Mode: 0o644})
	if err == nil {
		d.DecRef()
	}
	if err != want {
		w.T.Fatalf("open %s %v: %v, want %v", path, flags, err, want)
	}
}

// Write makes path a file with this text.
func (w *World) Write(c *vfs.Caller, path, text string) {
	w.T.Helper()
	d := w.Open(c, path, linux.O_WRONLY|linux.O_CREAT|linux.O_TRUNC, 0o644)
	defer d.DecRef()
	s := usermem.OfBytes([]byte(text))
	if n, err := d.Write(c, &s); n != len(text) || err != nil {
		w.T.Fatalf("write %s: %d, %v", path, n, err)
	}
}

// Read returns what is in path.
func (w *World) Read(c *vfs.Caller, path string) string {
	w.T.Helper()
	d := w.Open(c, path, linux.O_RDONLY, 0)
	defer d.DecRef()
	return w.ReadAll(c, d)
}

// ReadAll reads d from its offset to the end.
func (w *World) ReadAll(c *vfs.Caller, d *vfs.Description) string {
	w.T.Helper()
	var out []byte
	for {
		buf := make([]byte, 4096)
		s := usermem.OfBytes(buf)
		n, err := d.Read(c, &s)
		if err != nil {
			w.T.Fatal(err)
		}
		if n == 0 {
			return string(out)
		}
		out = append(out, buf[:n]...)
	}
}

// Stat returns path's attributes, not following a link.
func (w *World) Stat(c *vfs.Caller, path string) linux.Stat {
	w.T.Helper()
	st, err := w.TryStat(c, path)
	if err != nil {
		w.T.Fatalf("stat %s: %v", path, err)
	}
	return st
}

// TryStat is Stat that may fail.
func (w *World) TryStat(c *vfs.Caller, path string) (linux.Stat, error) {
	p, err := vfs.Resolve(c, c.Cwd, path, vfs.NoFollow)
	if err != nil {
		return linux.Stat{}, err
	}
	return vfs.Stat(c, p)
}

// Path resolves path.
func (w *World) Path(c *vfs.Caller, path string) vfs.Path {
	w.T.Helper()
	p, err := vfs.Resolve(c, c.Cwd, path, 0)
	if err != nil {
		w.T.Fatalf("resolve %s: %v", path, err)
	}
	return p
}

// Names lists directory path without "." and "..".
func (w *World) Names(c *vfs.Caller, path string) map[string]vfs.Dirent {
	w.T.Helper()
	d := w.Open(c, path, linux.O_RDONLY|linux.O_DIRECTORY, 0)
	defer d.DecRef()
	out := map[string]vfs.Dirent{}
	err := d.ReadDir(c, func(e vfs.Dirent) bool {
		if _, twice := out[e.Name]; twice {
			w.T.Fatalf("%s listed twice in %s", e.Name, path)
		}
		out[e.Name] = e
		return true
	})
	if err != nil {
		w.T.Fatal(err)
	}
	for _, n := range []string{".", ".."} {
		if _, ok := out[n]; !ok {
			w.T.Fatalf("%s lacks %s", path, n)
		}
		delete(out, n)
	}
	return out
}

// Mkdir, Unlink, Rmdir, Rename and Symlink do what their names say, from the
// caller's working directory.
func (w *World) Mkdir(c *vfs.Caller, path string, mode linux.FileMode) error {
	return vfs.Mkdir(c, c.Cwd, path, mode)
}

func (w *World) Unlink(c *vfs.Caller, path string) error { return vfs.Unlink(c, c.Cwd, path) }

func (w *World) Rmdir(c *vfs.Caller, path string) error { return vfs.Rmdir(c, c.Cwd, path) }

func (w *World) Rename(c *vfs.Caller, from, to string) error {
	return vfs.Rename(c, c.Cwd, from, c.Cwd, to, 0)
}

func (w *World) Symlink(c *vfs.Caller, target, path string) error {
	return vfs.MakeSymlink(c, target, c.Cwd, path)
}

func (w *World) Link(c *vfs.Caller, from, to string) error {
	return vfs.Link(c, c.Cwd, from, c.Cwd, to, 0)
}
