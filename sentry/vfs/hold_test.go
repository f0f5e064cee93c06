package vfs

import (
	"runtime"
	"testing"
	"time"

	"cordon/internal/linux"
)

// tracked is an inode that tells when it is evicted.
type tracked struct {
	Inode
	state InodeState
	gone  chan struct{}
}

func (i *tracked) VFSState() *InodeState { return &i.state }
func (i *tracked) Kind() linux.FileMode  { return linux.S_IFREG }
func (i *tracked) Evict()                { close(i.gone) }

// TestInodeGoesWithItsLastDentry: one that the cache has given up, one that was removed.
func TestInodeGoesWithItsLastDentry(t *testing.T) {
	v := New(func() int64 { return 0 }, nil)
	d := &Dentry{sb: &superblock{vfs: v}, kids: &children{}}
	d.putAt(d, "")
	put := func(name string) (*Dentry, *tracked) {
		i := &tracked{gone: make(chan struct{})}
		c, err := newDentry(d.sb, d, name, i)
		if err != nil {
			t.Fatal(err)
		}
		d.insertLocked(name, c)
		return c, i
	}
	c, removed := put("removed")
	d.removeLocked(c)
	select {
	case <-removed.gone:
	default:
		t.Error("an inode without names is kept")
	}
	_, given := put("given up")
	runtime.GC()
	if !given.state.Held() {
		t.Error("an inode is not held by a name in the cache")
	}
	v.cache.sweep(10)
	for range 100 {
		runtime.GC()
		select {
		case <-given.gone:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Error("an inode is kept without a name in the cache")
}
