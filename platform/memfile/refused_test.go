package memfile

import (
	"testing"

	"golang.org/x/sys/unix"
)

// refuse has the host refuse the file's pages from r.Start on: they lie beyond its end.
func refuse(t *testing.T, f *File, r Range) {
	t.Helper()
	if err := unix.Ftruncate(int(f.fd), int64(r.Start)); err != nil {
		t.Fatal(err)
	}
}

func TestRefusedPagesAreNoFault(t *testing.T) {
	f := newFile(t)
	r := mustAlloc(t, f, 4*pageSize, Options{})
	f.WriteAt([]byte{1}, r.Start)
	refuse(t, f, Range{Start: r.Start + pageSize})
	b := f.Window(r)
	if Copy(b, make([]byte, len(b))) || Copy(make([]byte, len(b)), b) || Clear(b) {
		t.Error("a copy of refused pages succeeded")
	}
	if _, ok := IndexByte(b[pageSize:], 1); ok {
		t.Error("a search of refused pages succeeded")
	}
	b[0] = 7
	f.Zero(r)
	if b[0] != 0 {
		t.Error("Zero left what is before a refused page")
	}
	b[1] = 7
	got := []byte{0, 0, 9, 9}
	if f.ReadAt(got[:2], r.Start); got[1] != 7 {
		t.Errorf("read %v", got[:2])
	}
	if f.ReadAt(got[2:], r.Start+pageSize-1); got[2] != 0 || got[3] != 0 {
		t.Errorf("read %v of a refused page", got[2:])
	}
	if n := f.WriteAt(got, r.Start+pageSize); n != 0 {
		t.Errorf("wrote %d bytes to a refused page", n)
	}
}
