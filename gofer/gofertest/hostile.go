package gofertest

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cordon/gofer/client"
	"cordon/gofer/hostfs"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// RunHostile checks that nothing a guest names, and nothing a host process
// does to the tree meanwhile, leads out of it.
func RunHostile(t *testing.T, dial Dialer) {
	t.Run("names", func(t *testing.T) { badNames(start(t, dial, hostfs.Mount{})) })
	t.Run("symbolic links are not followed", func(t *testing.T) { symlinks(start(t, dial, hostfs.Mount{})) })
	t.Run("renamer", func(t *testing.T) { renamer(start(t, dial, hostfs.Mount{})) })
	t.Run("magic links", func(t *testing.T) { magicLinks(start(t, dial, hostfs.Mount{Path: "/proc/self"})) })
	t.Run("FIFOs and devices are not opened", func(t *testing.T) { noStall(start(t, dial, hostfs.Mount{})) })
	t.Run("two mounts stay apart", func(t *testing.T) { twoMounts(t, dial) })
}

func badNames(e *env) {
	e.write("d/f", "")
	d := e.walk("d")
	own := client.Perm{Mode: 0o700, UID: client.NoID, GID: client.NoID}
	long := strings.Repeat("n", 256)
	for name, want := range map[string]linux.Errno{
		"": linux.EINVAL, ".": linux.EINVAL, "..": linux.EINVAL, "/etc": linux.EINVAL,
		"a/b": linux.EINVAL, "../../etc": linux.EINVAL, "x\x00y": linux.EINVAL, "\x001": linux.EINVAL, long: linux.ENAMETOOLONG,
	} {
		_, _, err := d.Walk([]string{name}, client.WalkOption{})
		e.want(err, want)
		_, _, _, err = d.Create(name, linux.O_RDWR, own)
		e.want(err, want)
		_, _, err = d.Mkdir(name, own)
		e.want(err, want)
		e.want(d.Unlink(name, 0), want)
		e.want(d.Rename("f", e.root, name, 0), want)
		e.want(d.Rename(name, e.root, "x", 0), want)
	}
}

// symlinks plants links to the outside and walks through them.
func symlinks(e *env) {
	out := e.TempDir()
	e.must(os.WriteFile(filepath.Join(out, "secret"), []byte("secret"), 0o644))
	e.must(os.Symlink(out, e.host("dir")))
	e.must(os.Symlink(filepath.Join(out, "secret"), e.host("file")))
	steps, fd, err := e.root.Walk([]string{"dir", "secret"}, client.WalkOption{Open: true, Node: true})
	e.must(err)
	if len(steps) != 1 || fd >= 0 || steps[0].Target != out {
		e.Errorf("%+v fd %d", steps, fd)
	}
	steps, fd, err = e.root.Walk([]string{"file"}, client.WalkOption{Open: true, Node: true})
	e.must(err)
	if !steps[0].Attr.Mode.IsSymlink() || fd >= 0 {
		e.Errorf("%+v fd %d", steps, fd)
	}
	_, _, err = steps[0].Node.Open(linux.O_RDONLY)
	e.want(err, linux.EINVAL)
	own := client.Perm{Mode: 0o600, UID: client.NoID, GID: client.NoID}
	_, _, _, err = e.root.Create("file", linux.O_RDWR, own)
	e.want(err, linux.EEXIST)
	if b, _ := os.ReadFile(filepath.Join(out, "secret")); string(b) != "secret" {
		e.Errorf("the file outside is %q", b)
	}
}

// renamer swaps a directory with a link to the outside while the guest walks
// through it and makes files in it.
func renamer(e *env) {
	out := e.TempDir()
	e.must(os.WriteFile(filepath.Join(out, "f"), []byte("outside"), 0o644))
	e.write("d/f", "inside")
	e.must(os.Symlink(out, e.host("l")))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				unix.Renameat2(unix.AT_FDCWD, e.host("d"), unix.AT_FDCWD, e.host("l"), unix.RENAME_EXCHANGE)
			}
		}
	})
	own := client.Perm{Mode: 0o600, UID: client.NoID, GID: client.NoID}
	for range 500 {
		steps, fd, _ := e.root.Walk([]string{"d", "f"}, client.WalkOption{Open: true})
		if fd >= 0 {
			if got := readFD(e, fd); got != "inside" {
				e.Errorf("read %q", got)
			}
			unix.Close(fd)
		}
		if len(steps) > 0 && steps[0].Node != nil {
			if n, _, fd, err := steps[0].Node.Create("new", linux.O_RDWR, own); err == nil {
				unix.Close(fd)
				n.Clunk()
				steps[0].Node.Unlink("new", 0)
			}
			steps[0].Node.Clunk()
		}
	}
	close(stop)
	wg.Wait()
	if ents, _ := os.ReadDir(out); len(ents) != 1 {
		e.Errorf("the directory outside has %d entries", len(ents))
	}
}

// magicLinks serves a proc directory, whose links are no paths.
func magicLinks(e *env) {
	for _, path := range [][]string{{"root", "etc"}, {"cwd", "etc"}, {"fd", "0", "x"}, {"exe"}} {
		steps, fd, err := e.root.Walk(path, client.WalkOption{Open: true, Node: true})
		if fd >= 0 {
			unix.Close(fd)
			e.Errorf("%v was opened", path)
		}
		if err == nil && !steps[len(steps)-1].Attr.Mode.IsSymlink() {
			e.Errorf("%v led to %v", path, steps[len(steps)-1].Attr.Mode)
		}
	}
}

func noStall(e *env) {
	e.must(unix.Mkfifo(e.host("fifo"), 0o600))
	steps, fd, err := e.root.Walk([]string{"fifo"}, client.WalkOption{Open: true, Node: true})
	e.must(err)
	if fd >= 0 {
		e.Error("the FIFO was opened")
	}
	_, _, err = steps[0].Node.Open(linux.O_RDONLY)
	e.want(err, linux.EINVAL)
	e.want(steps[0].Node.Fsync(false), linux.EINVAL)
	_, err = steps[0].Node.SetAttr(client.SetAttr{Mask: client.SetSize})
	e.want(err, linux.EINVAL)
}

func unknownMount(e *env) {
	_, _, err := e.c.Attach("other")
	e.want(err, linux.ENOENT)
}

func twoMounts(t *testing.T, dial Dialer) {
	a, b := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(a, "f"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c, _ := dial(t, hostfs.Config{ProcFD: -1, Mounts: []hostfs.Mount{
		{Name: "a", Root: -1, Path: a, ReadOnly: true}, {Name: "b", Root: -1, Path: b},
	}})
	na, _, err := c.Attach("a")
	if err != nil {
		t.Fatal(err)
	}
	nb, _, err := c.Attach("b")
	if err != nil {
		t.Fatal(err)
	}
	steps, _, err := na.Walk([]string{"f"}, client.WalkOption{Node: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nb.Link("stolen", steps[0].Node); err != error(linux.EXDEV) {
		t.Errorf("link across mounts: %v", err)
	}
	if err := nb.Rename("x", na, "y", 0); err != error(linux.EXDEV) {
		t.Errorf("rename across mounts: %v", err)
	}
	if err := na.Unlink("f", 0); err != error(linux.EROFS) {
		t.Errorf("unlink on a read-only mount over 9P: %v", err)
	}
}
