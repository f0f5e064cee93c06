package vfs_test

import (
	"fmt"
	"testing"
	"unsafe"

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
