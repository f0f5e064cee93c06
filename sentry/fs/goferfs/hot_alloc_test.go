//go:build !lockcheck

package goferfs

import (
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

func TestReadsDoNotAllocate(t *testing.T) {
	e := mount(t, false)
	e.write("f", string(make([]byte, 8192)))
	r := e.open(e.lookup("f"), linux.O_RDONLY).(vfs.ReaderAt)
	seq := new(usermem.Seq)
	for _, size := range []int{64, 8192} {
		buf := make([]byte, size)
		if n := testing.AllocsPerRun(100, func() {
			*seq = usermem.OfBytes(buf)
			_, _ = r.ReadAt(seq, 0)
		}); n > 1 { // usermem's own, of bytes that are not a guest's
			t.Errorf("%v allocations per read of %d", n, size)
		}
	}
}
