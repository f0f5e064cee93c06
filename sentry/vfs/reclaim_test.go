package vfs_test

import (
	"fmt"
	"testing"
	"time"
)

func TestNamesAreGivenUpWhenMemoryIsShort(t *testing.T) {
	const files = 3000 // looked at twice while they are made
	for _, short := range []bool{false, true} {
		t.Run(fmt.Sprint(short), func(t *testing.T) {
			w := newWorld(t)
			looked, after := make(chan bool, files), make(chan int, files)
			w.VFS.WatchMemory(func() bool { looked <- true; return short }, func() { after <- w.VFS.CachedNames() })
			mkdirs(w, "/d", "/d/held")
			held := w.Path(w.Root, "/d/held")
			for i := range files {
				mkdirs(w, fmt.Sprintf("/d/%d", i))
			}
			wait := func(c <-chan bool) {
				select {
				case <-c:
				case <-time.After(10 * time.Second):
					t.Fatal("nobody looked")
				}
			}
			wait(looked)
			if short {
				// Names are being made meanwhile, but the first thousand go.
				if left := <-after; left > files-500 {
					t.Errorf("%d names are left", left)
				}
			}
			w.VFS.Reclaim()
			if n := w.VFS.CachedNames(); n > 10 {
				t.Errorf("%d names are cached", n)
			}
			if w.Path(w.Root, "/d/held") != held {
				t.Error("a place that is held is another")
			}
			if w.Stat(w.Root, "/d/7").Ino == 0 {
				t.Error("a name is gone")
			}
		})
	}
}
