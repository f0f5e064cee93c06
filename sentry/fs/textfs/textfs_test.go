package textfs_test

import (
	"fmt"
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/fs/textfs"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/vfs/vfstest"
)

// A world has a counter, a switch and a directory of what exists now.
func newWorld(t *testing.T) (w *vfstest.World, exists map[string]bool, taken *string) {
	exists, taken = map[string]bool{"1": true, "7": true}, new(string)
	w = vfstest.NewWorld(t, func(t *testing.T, v *vfs.VFS) vfs.FileSystem {
		fs := textfs.New(textfs.Options{Type: "proc", Magic: linux.PROC_SUPER_MAGIC, Device: v.NextDevice(), Clock: func() int64 { return 1 }})
		root := fs.NewDir(0o555)
		passes := 0
		root.Add("count", fs.NewFile(0o444, func(*cred.Credentials) ([]byte, error) {
			passes++
			return fmt.Appendf(nil, "pass %d of this file\n", passes), nil
		}))
		root.Add("switch", fs.NewWritable(0o644, nil, func(_ *vfs.Caller, text []byte) error {
			*taken = string(text)
			return nil
		}))
		root.Sub("sub", 0o555).Add("up", fs.NewLinkTo("../count"))
		lookup := func(name string) (vfs.Inode, error) {
			if !exists[name] {
				return nil, linux.ENOENT
			}
			f := fs.NewText(name + "\n")
			f.IsValid = func() bool { return exists[name] }
			return f, nil
		}
		root.Add("now", fs.NewDynamic(0o555, lookup, func(off int64, emit func(vfs.Dirent) bool) error {
			for i := off - textfs.FirstName; i < 10; i++ {
				if n := fmt.Sprint(i); exists[n] && !emit(vfs.Dirent{Name: n, Ino: 100 + uint64(i), Next: textfs.FirstName + i + 1}) {
					break
				}
			}
			return nil
		}))
		fs.SetRoot(root)
		return fs
	})
	return w, exists, taken
}

func TestFile(t *testing.T) {
	w, _, taken := newWorld(t)
	c := w.Root
	d := w.Open(c, "/sub/up", linux.O_RDONLY, 0)
	defer d.DecRef()
	buf := make([]byte, 6)
	s := usermem.OfBytes(buf)
	d.Read(c, &s)
	if rest := w.ReadAll(c, d); string(buf)+rest != "pass 1 of this file\n" {
		t.Errorf("one pass read %q", string(buf)+rest)
	}
	if _, err := d.SeekTo(0, linux.SEEK_SET); err != nil {
		t.Fatal(err)
	}
	if got := w.ReadAll(c, d); got != "pass 2 of this file\n" {
		t.Errorf("the second pass read %q", got)
	}
	w.Write(c, "/switch", "on")
	if *taken != "on" {
		t.Errorf("took %q", *taken)
	}
	w.OpenErr(w.User, "/switch", linux.O_WRONLY, linux.EACCES)
	w.OpenErr(c, "/new", linux.O_WRONLY|linux.O_CREAT, linux.EPERM)
	w.Want(w.Unlink(c, "/count"), linux.EPERM)
}

func TestNames(t *testing.T) {
	w, exists, _ := newWorld(t)
	c := w.Root
	if n := w.Names(c, "/now"); len(n) != 2 || n["7"].Ino != 107 {
		t.Errorf("listed %v", n)
	}
	if got := w.Read(c, "/now/7"); got != "7\n" {
		t.Errorf("read %q", got)
	}
	w.OpenErr(c, "/now/3", linux.O_RDONLY, linux.ENOENT)
	exists["3"] = true
	delete(exists, "7")
	if got := w.Read(c, "/now/3"); got != "3\n" {
		t.Errorf("a name that came is read as %q", got)
	}
	w.OpenErr(c, "/now/7", linux.O_RDONLY, linux.ENOENT)
	if n := w.Names(c, "/"); len(n) != 4 || n["sub"].Type != uint8(linux.DT_DIR) {
		t.Errorf("listed %v", n)
	}
	if st := w.Stat(c, "/"); st.Nlink != 3 {
		t.Errorf("nlink %d", st.Nlink)
	}
}
