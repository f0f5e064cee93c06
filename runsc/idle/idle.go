package idle

import (
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// settleAfter is long after a start, and after the end of what runs shortly.
	settleAfter = 400 * time.Millisecond

	// A process is quiet that has had the processor for less than a sixteenth of quietTime.
	quietTime  = 50 * time.Millisecond
	quietShare = 16

	// maxWait bounds how long a process that is never quiet is waited for.
	maxWait = 30 * time.Second
)

// Settle gives memory back a while after the call, at a moment when the process has
// little to do: it takes a processor for some milliseconds. It wakes twice, and more
// and more rarely in a process that is busy.
func Settle() { settleIn(settleAfter, settleAfter, cpuTime, settle) }

// settleIn calls do in wait's time, or later if the process is busy then.
func settleIn(wait, waited time.Duration, spent func() time.Duration, do func()) {
	time.AfterFunc(wait-quietTime, func() {
		before := spent()
		time.AfterFunc(quietTime, func() {
			if spent()-before < quietTime/quietShare || waited >= maxWait {
				do()
				return
			}
			settleIn(waited, 2*waited, spent, do)
		})
	})
}

// cpuTime is how long threads of the process have run.
func cpuTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

func settle() {
	debug.FreeOSMemory()
	dropBinary()
	watchUse(use{time.Now(), cpuTime()}, joinCode)
}

// A use is how long the process had run at a time.
type use struct {
	at    time.Time
	spent time.Duration
}

// busy reports whether the process has not been quiet from u to v.
func (u use) busy(v use) bool { return v.spent-u.spent > v.at.Sub(u.at)/quietShare }

// watchUse calls do when the process has been busy between two collections: code that is busy
// is faster in large pieces.
func watchUse(last use, do func()) {
	collected(func() (again bool) {
		now := use{time.Now(), cpuTime()}
		if last.busy(now) {
			do()
			return false
		}
		last = now
		return true
	})
}
