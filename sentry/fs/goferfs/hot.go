package goferfs

import (
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
	"cordon/sentry/usermem"
)

const (
	// smallRead is what costs less to copy from a window than to ask the host
	// for.
	smallRead = 4 << 10
	// hotAfter is how many small reads make a window worth its mapping.
	hotAfter = 16
	// hotSize bounds the part of a file that is read so.
	hotSize = 16 * windowSize
)

// hot serves a small read of a file that is read so often from a window of it,
// and reports whether it did. What is cut off the file on the host meanwhile
// is a fault in the copy and no more: pread then says what is there.
func (m *mover) hot(dst *usermem.Seq) (n int, ok bool, err error) {
	f, size := m.f, dst.Len()
	if size > smallRead || size == 0 {
		return 0, false, nil
	}
	if k := f.small.Load(); k < hotAfter {
		f.small.Store(k + 1)
		return 0, false, nil
	}
	start := uint64(m.off)
	if end := start + size; end > hotSize || end > f.in.size.Load() {
		return 0, false, nil
	}
	b := m.buf[:size]
	w := f.Window(memmap.Range{Start: start, End: start + size})
	if uint64(len(w)) < size || !memfile.Copy(b, w) {
		return 0, false, nil
	}
	n, err = dst.CopyOut(b)
	if n > 0 {
		err = nil
	}
	return n, true, err
}
