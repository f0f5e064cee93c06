package vfs_test

import (
	"fmt"
	"testing"
	"unsafe"

	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// TestNamesOutliveThePathsTheyCameIn looks names up by paths in a buffer that is used
// again, as system calls do, when the cache has given them up and somebody has them.
func TestNamesOutliveThePathsTheyCameIn(t *testing.T) {
	const names = 400
	w := newWorld(t)
	mkdirs(w, "/d")
	buf := make([]byte, len("/d/000"))
	path := func(i int) vfs.Path {
		copy(buf, fmt.Sprintf("/d/%03d", i))
		return w.Path(w.Root, unsafe.String(&buf[0], len(buf)))
	}
	var held []vfs.Path
	for i := range names {
		mkdirs(w, fmt.Sprintf("/d/%03d", i))
		held = append(held, path(i))
	}
	w.VFS.Reclaim()
	for round := range 2 {
		for i := range names {
			if got := path(i); got != held[i] {
				t.Fatalf("round %d: %03d is %q", round, i, got.Dentry.Name())
			}
		}
	}
}

// TestNewNamesOutliveThePathsTheyCameIn makes, links, moves and removes names by paths
// in buffers that are written over after each call.
func TestNewNamesOutliveThePathsTheyCameIn(t *testing.T) {
	w := newWorld(t)
	c := w.Root
	mkdirs(w, "/d")
	var used [][]byte
	path := func(s string) string {
		b := []byte(s)
		used = append(used, b)
		return unsafe.String(&b[0], len(b))
	}
	step := func(err error) {
		t.Helper()
		w.Want(err, nil)
		for _, b := range used {
			clear(b)
		}
		used = nil
	}
	step(w.Mkdir(c, path("/d/dir"), 0o755))
	step(vfs.Mknod(c, c.Cwd, path("/d/file"), linux.S_IFREG|0o644, 0))
	step(w.Link(c, path("/d/file"), path("/d/link")))
	step(w.Rename(c, path("/d/file"), path("/d/moved")))
	step(vfs.Rename(c, c.Cwd, path("/d/link"), c.Cwd, path("/d/dir"), linux.RENAME_EXCHANGE))
	step(vfs.Mknod(c, c.Cwd, path("/d/gone"), linux.S_IFREG|0o644, 0))
	step(w.Unlink(c, path("/d/gone")))
	step(w.Link(c, path("/d/moved"), path("/d/gone")))
	for _, reclaimed := range []bool{false, true} {
		if reclaimed {
			w.VFS.Reclaim()
		}
		got := w.Names(c, "/d")
		for _, name := range []string{"dir", "link", "moved", "gone"} {
			if _, ok := got[name]; !ok {
				t.Errorf("reclaimed %v: %s is not listed in %v", reclaimed, name, got)
			}
			w.Stat(c, "/d/"+name)
		}
		_, err := w.TryStat(c, "/d/file")
		w.Want(err, linux.ENOENT)
	}
}
