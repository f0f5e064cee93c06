package idle

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// tables is how many mappings the program's read-only data has, and how much of it
// is mapped, in bytes.
func tables(t *testing.T) (mappings, resident int) {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Skip(err)
	}
	data, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip(err)
	}
	ours := false
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		switch {
		case len(f) > 1 && len(f[1]) == 4 && strings.Contains(f[0], "-"):
			ours = f[1] == "r--p" && strings.HasSuffix(strings.TrimSpace(line), program)
			if ours {
				mappings++
			}
		case ours && f[0] == "Rss:":
			n, _ := strconv.Atoi(f[1])
			resident += n << 10
		}
	}
	return mappings, resident
}

// The program goes on without its pages, its tables are in pieces, and fewer of
// them are mapped afterwards than were.
func TestSettle(t *testing.T) {
	pieces, before := tables(t)
	settle()
	runtime.GC()
	if got := fmt.Sprint(bytes.Repeat([]byte{1}, 3)); got != "[1 1 1]" {
		t.Errorf("got %s", got)
	}
	cut, after := tables(t)
	if cut <= pieces {
		t.Errorf("%d mappings before and %d after", pieces, cut)
	}
	if after > before {
		t.Errorf("%d bytes were mapped before and %d are after", before, after)
	}
}

// A process that is busy is asked again, later each time, and settles in the end.
func TestSettleWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var quietAt time.Duration
		spent := func() time.Duration { // busy until then
			if at := time.Since(start); at < quietAt {
				return at
			}
			return quietAt
		}
		for _, c := range []struct{ quiet, want time.Duration }{
			{0, settleAfter},
			{500 * time.Millisecond, 2 * settleAfter},
			{time.Second, 4 * settleAfter},
			{time.Hour, 128 * settleAfter},
		} {
			start, quietAt = time.Now(), c.quiet
			done := make(chan time.Duration)
			settleIn(settleAfter, settleAfter, spent, func() { done <- time.Since(start) })
			if got := <-done; got != c.want {
				t.Errorf("busy for %v: settles after %v, want %v", c.quiet, got, c.want)
			}
		}
	})
}
