package stub

import (
	"bytes"
	"math/bits"
	"strconv"

	"golang.org/x/sys/unix"
)

// Other programs of the host. An owner that looks for its guests all the time pays off while
// its CPU has nothing better to do. Where others, sandboxes or not, want to run as well, the
// host's scheduler takes the CPU from whom it is dear to, for milliseconds, and a guest
// whose owner has lost it waits. The host's load average says how many threads are
// runnable; when for a while it is more than the groups account for, groups end, and
// form again later to see whether that has passed.

const (
	// loadLimit is the sum over consecutive looks of how many threads are too many (two
	// of a look count at most) at which groups end.
	loadLimit = 6

	// Of a context two threads may be runnable, the guest's and its owner's, and of the
	// Sentry's others slack.
	slack = 1

	// At a look at which the Sentry's threads that are no owners have had a processor for
	// ownTime nanoseconds since the one before, what is too much is taken for theirs, at most
	// maxOwn times in a row. The collector runs on every processor that it finds, for less
	// than that.
	ownTime = int64(lookPeriod / 8)
	maxOwn  = 8

	// maxLate bounds of how many members of a group that rest the stubs may not sleep yet.
	maxLate = 30

	// Groups end for loadPause nanoseconds, and for twice as long each time that the
	// load is there again when they are, at most for maxLoadPause. A part of the pause
	// without a thread too many ends it.
	loadPause    = 50_000_000
	maxLoadPause = 1600_000_000
	pausePart    = 4
)

// A hostLoad is what a Placer knows of the rest of the host.
type hostLoad struct {
	// immutable: /proc/loadavg of the host, or -1
	fd int

	// guarded by Placer.mu
	score int
	again bool  // at the last look there was too much too
	spent int64 // the process's CPU time then, in nanoseconds
	own   int   // looks in a row at which it was the Sentry's
	free  int64 // for how long nothing else was to be done, nanoseconds
	pause int64 // nanoseconds
	ended int64 // when groups were ended last
}

// runnable returns how many threads of the host run or want to, but for the caller.
func (l *hostLoad) runnable() (int, bool) {
	if l.fd < 0 {
		return 0, false
	}
	var b [64]byte
	n, err := unix.Pread(l.fd, b[:], 0)
	if err != nil {
		return 0, false
	}
	return parseRunnable(b[:n])
}

// parseRunnable reads the fourth field of loadavg, running/all (proc_loadavg(5)).
func parseRunnable(line []byte) (int, bool) {
	fields := bytes.Fields(line)
	if len(fields) < 4 {
		return 0, false
	}
	running, _, _ := bytes.Cut(fields[3], []byte("/"))
	n, err := strconv.Atoi(string(running))
	return n - 1, err == nil && n > 0
}

// loadLocked ends the groups when the host has had too much to do for some looks, and lets
// them form again when it has not. Awake is how many contexts do not sleep.
func (p *Placer) loadLocked(awake int) {
	l := &p.load
	now := p.now()
	if p.live.Load() == 0 && now >= p.until.Load() {
		return
	}
	n, ok := l.runnable()
	if !ok {
		return
	}
	if p.live.Load() == 0 {
		if l.free += lookPeriod.Nanoseconds(); n > 2*awake+slack {
			l.free = 0
		}
		if l.free >= l.pause/pausePart {
			p.until.Store(0)
		}
		return
	}
	l.free = 0
	for _, g := range p.groups {
		n -= 2 * min(g.members, bits.OnesCount64(g.taken.Load())+maxLate)
	}
	if n -= int(p.out.Load()) + slack; n <= 0 {
		l.score, l.again, l.own = 0, false, 0
		return
	}
	if !p.ownLocked() {
		l.own = 0
	} else if l.own < maxOwn {
		l.own++
		return
	}
	if l.score += min(n, 2); l.score < loadLimit {
		return
	}
	l.score, l.again = 0, false
	if l.pause *= 2; now-l.ended > 2*l.pause {
		l.pause = loadPause
	}
	l.pause = min(l.pause, maxLoadPause)
	l.ended = now
	p.until.Store(now + l.pause)
	for len(p.groups) > 0 {
		p.endLocked(p.groups[0])
	}
}

// ownLocked says, at a look at which there is too much to do, whether threads of the
// Sentry that are no owners of guests in groups are to blame.
func (p *Placer) ownLocked() bool {
	l := &p.load
	all, _ := ProcessTime(0)
	known := l.again
	own := all - l.spent
	l.spent, l.again = all, true
	for _, g := range p.groups {
		for m := range g.seated(nil) {
			spent, timed := m.owner.spentLocked()
			own -= spent
			known = known && timed
		}
	}
	return known && own > ownTime
}
