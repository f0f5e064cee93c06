package goferfs

import (
	"os"
	"strings"
	"testing"

	"cordon/internal/linux"
)

func TestHotFile(t *testing.T) {
	e := mount(t, false)
	e.write("f", strings.Repeat("0123456789", 1000))
	f := e.open(e.lookup("f"), linux.O_RDONLY)
	for i := range 2 * hotAfter {
		if got := e.read(f, int64(i), 10); got != "0123456789012345678901234567890123456789"[i%10:i%10+10] {
			t.Fatalf("read %d: %q", i, got)
		}
	}
	t.Run("ends where the file does", func(t *testing.T) {
		if got := e.read(f, 9995, 10); got != "56789" {
			t.Errorf("%q at the end", got)
		}
	})
	t.Run("may be cut off on the host", func(t *testing.T) {
		e.must(os.Truncate(e.host("f"), 0))
		if got := e.read(f, 4096, 10); got != "" {
			t.Errorf("read %q of an empty file", got)
		}
	})
}
