package vfs_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

const (
	lentOpen  = 1 << 30
	lentFlags = 1 << 31
	flagBits  = 1<<23 - 1
)

// What the guest says in a word is what everybody sees, and stays when the descriptor
// goes; nothing but O_NONBLOCK is believed.
func TestLentFlags(t *testing.T) {
	w := newWorld(t)
	w.Write(w.Root, "/f", "x")
	d := w.Open(w.Root, "/f", linux.O_RDONLY, 0)
	tab, words := vfs.NewFDTable(), make([]uint32, 8)
	put := func(tab *vfs.FDTable, d *vfs.Description) linux.FD {
		t.Helper()
		d.IncRef()
		fd, err := tab.Install(d, 0, 100, 0)
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	flags := func(want linux.OpenFlags) {
		t.Helper()
		if got := d.Flags() &^ linux.O_LARGEFILE; got != want {
			t.Errorf("flags %#x, want %#x", got, want)
		}
	}
	word := func(fd linux.FD, want uint32) {
		t.Helper()
		const large = uint32(linux.O_LARGEFILE)
		if got := words[fd] & (lentOpen | lentFlags | flagBits) &^ large; got != want {
			t.Errorf("word %d is %#x, want %#x", fd, got, want)
		}
	}
	a := put(tab, d)
	if !tab.LendFlags(words) || !tab.LendFlags(words) || tab.LendFlags(make([]uint32, 8)) {
		t.Error("a table is lent to one, as often as it asks")
	}
	b := put(tab, d)
	word(a, lentFlags|lentOpen)
	word(b, lentOpen)
	words[a] |= uint32(linux.O_NONBLOCK | linux.O_APPEND)
	flags(linux.O_NONBLOCK)
	w.Want(d.SetFlags(nil, linux.O_APPEND), nil)
	flags(linux.O_APPEND)
	word(a, lentFlags|lentOpen|uint32(linux.O_APPEND))
	words[a] |= uint32(linux.O_NONBLOCK)
	w.Want(tab.Close(a), nil)
	flags(linux.O_APPEND | linux.O_NONBLOCK)
	word(a, 0)
	w.Want(tab.Close(b), nil)
	word(b, 0)

	// Another table may have it now, and what a guest writes where nothing is lent
	// changes nothing.
	words[a] = ^uint32(0)
	other, theirs := vfs.NewFDTable(), make([]uint32, 8)
	put(other, d)
	other.LendFlags(theirs)
	theirs[0] &^= uint32(linux.O_NONBLOCK)
	flags(linux.O_APPEND)
	theirs[0] = uint32(linux.O_NONBLOCK)
	flags(linux.O_APPEND | linux.O_NONBLOCK)
	theirs[0] = lentFlags
	other.RecallFlags(words) // not whose it is
	flags(linux.O_APPEND)
	other.RecallFlags(theirs)
	theirs[0] = lentFlags | uint32(linux.O_NONBLOCK)
	flags(linux.O_APPEND)
	other.LendFlags(words)
	other.DecRef()
	words[0] = lentFlags | uint32(linux.O_NONBLOCK)
	flags(linux.O_APPEND)
	tab.DecRef()

	p := w.Open(w.Root, "/f", linux.O_PATH, 0)
	tab = vfs.NewFDTable()
	tab.LendFlags(words[:1])
	words[0] = 0
	put(tab, p)
	word(0, 0)
	put(tab, d) // beyond the words
	flags(linux.O_APPEND)
	tab.DecRef()
	p.DecRef()
	d.DecRef()
}

// A description that goes from word to word while its flags are set and read, as a guest
// writes where it likes, keeps all flags that are not the guest's to say.
func TestLentFlagsMove(t *testing.T) {
	w := newWorld(t)
	w.Write(w.Root, "/f", "x")
	d := w.Open(w.Root, "/f", linux.O_RDONLY, 0)
	other := w.Open(w.Root, "/f", linux.O_RDWR, 0)
	tab, words := vfs.NewFDTable(), make([]uint32, 2)
	tab.LendFlags(words)
	var wg sync.WaitGroup
	var done atomic.Bool
	defer d.DecRef()
	defer other.DecRef()
	run := func(f func(i int)) {
		wg.Go(func() {
			for i := 0; !done.Load(); i++ {
				f(i)
			}
		})
	}
	run(func(i int) { atomic.StoreUint32(&words[i&1], uint32(i)*0x9e3779b9) })
	run(func(int) {
		if d.Flags()&linux.O_ACCMODE != linux.O_RDONLY || other.Flags()&linux.O_ACCMODE != linux.O_RDWR {
			t.Error("one has the other's flags")
			done.Store(true)
		}
	})
	run(func(i int) { d.SetFlags(nil, linux.OpenFlags(i)&linux.O_APPEND) })
	for i := range 3000 {
		x := d
		if i%2 == 1 {
			x = other
		}
		x.IncRef()
		if err := tab.Replace(linux.FD(i/2%2), x, 10, 0); err != nil {
			t.Fatal(err)
		}
	}
	done.Store(true)
	wg.Wait()
	tab.DecRef()
}
