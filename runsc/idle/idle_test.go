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

// mapped is how many mappings the program's segments of a kind have, and how much of them
// is mapped, in bytes.
func mapped(t *testing.T, prot string) (mappings, resident int) {
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
			ours = f[1] == prot && strings.HasSuffix(strings.TrimSpace(line), program)
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

// The program goes on without its pages, it is in pieces, and fewer of them are mapped
// afterwards than were. Code is put together again.
func TestSettle(t *testing.T) {
	kinds := []string{"r--p", "r-xp"}
	var pieces, before [2]int
	for i, k := range kinds {
		pieces[i], before[i] = mapped(t, k)
	}
	settle()
	if got := fmt.Sprint(bytes.Repeat([]byte{1}, 3)); got != "[1 1 1]" {
		t.Errorf("got %s", got)
	}
	for i, k := range kinds {
		cut, after := mapped(t, k)
		if cut < 8 {
			t.Errorf("%s: %d mappings before and %d after", k, pieces[i], cut)
		}
		if after > before[i] {
			t.Errorf("%s: %d bytes were mapped before and %d are after", k, before[i], after)
		}
	}
	joinCode()
	if joined, _ := mapped(t, "r-xp"); joined != pieces[1] {
		t.Errorf("code is in %d mappings, and was in %d", joined, pieces[1])
	}
}

// Who has run for more than a sixteenth of the time is busy.
func TestUse(t *testing.T) {
	start := use{time.Unix(0, 0), time.Second}
	for spent, want := range map[time.Duration]bool{0: false, time.Second: false, 2 * time.Second: true} {
		if got := start.busy(use{time.Unix(17, 0), time.Second + spent}); got != want {
			t.Errorf("%v in 17 seconds: busy is %v", spent, got)
		}
	}
	done := make(chan struct{})
	watchUse(use{time.Now(), cpuTime() - time.Hour}, func() { close(done) })
	runtime.GC()
	<-done
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
