package vfs_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// TestFDTableGivesTheLowest compares a table with an array, at sizes where its
// bitmaps have more than a word.
func TestFDTableGivesTheLowest(t *testing.T) {
	const size = 64*64 + 200
	w := newWorld(t)
	w.Write(w.Root, "/f", "x")
	d := w.Open(w.Root, "/f", linux.O_RDONLY, 0)
	tab := vfs.NewFDTable()
	taken := make([]bool, size)
	lowest := func(least int) int {
		if i := slices.Index(taken[least:], false); i >= 0 {
			return least + i
		}
		return size
	}
	install := func(least int) {
		want := lowest(least)
		d.IncRef()
		fd, err := tab.Install(d, linux.FD(least), size, 0)
		if want == size {
			d.DecRef()
			w.Want(err, linux.EMFILE)
			return
		}
		if int(fd) != want || err != nil {
			t.Fatalf("from %d on: %d, %v, want %d", least, fd, err, want)
		}
		taken[fd] = true
	}
	for range size + 1 {
		install(0)
	}
	const seed = 1
	rnd := rand.New(rand.NewPCG(seed, 1))
	for range 5000 {
		if fd := rnd.IntN(size); taken[fd] {
			w.Want(tab.Close(linux.FD(fd)), nil)
			taken[fd] = false
		}
		switch rnd.IntN(3) {
		case 0:
			install(0)
		case 1:
			install(rnd.IntN(size))
		}
	}
	fork := tab.Fork()
	if got, want := fork.Count(), tab.Count(); got != want {
		t.Errorf("the copy has %d descriptors of %d", got, want)
	}
	tab.DecRef()
	if n := tab.Count(); n != 0 || tab.Get(linux.FD(slices.Index(taken, true))) != nil || tab.Next(0) != -1 {
		t.Errorf("a table that nobody has holds %d descriptors", n)
	}
	tab = fork
	install(0)
	install(size / 2)
	tab.DecRef()
	d.DecRef()
}

// TestBorrow: who shares a table holds what it uses, who is alone need not.
func TestBorrow(t *testing.T) {
	w := newWorld(t)
	w.Write(w.Root, "/f", "x")
	tab := vfs.NewFDTable()
	fd, err := tab.Install(w.Open(w.Root, "/f", linux.O_RDONLY, 0), 0, 10, 0)
	w.Want(err, nil)
	if tab.Borrow(fd+1).Description != nil || tab.Borrow(-1).Description != nil {
		t.Error("a description of no descriptor")
	}
	alone := tab.Borrow(fd)
	tab.IncRef()
	shared := tab.Borrow(fd)
	if alone.Description == nil || alone.Description != shared.Description {
		t.Fatal("not the description that was installed")
	}
	w.Want(tab.Close(fd), nil) // by another task
	if !shared.TryIncRef() {
		t.Fatal("gone though it is in use")
	}
	shared.Description.DecRef()
	alone.DecRef()
	shared.DecRef()
	if shared.TryIncRef() {
		t.Error("alive after its last use")
	}
}
