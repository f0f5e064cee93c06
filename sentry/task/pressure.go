package task

import (
	"fmt"
	"math"
	"strings"
	"time"

	"cordon/internal/linux"
	"cordon/sentry/cgroup"
	"cordon/sentry/vfs"
)

// Pressure is sampled from the first look at it on: what each task waits for, in
// steps of pressureStep while any is awake. Nobody on a task's way counts.

// pressureStep is the time between two samples, hostCallTime how long a task must
// have been in a call on files, without sleeping in it, to be waiting for the host.
const (
	pressureStep = 25 * time.Millisecond
	hostCallTime = 5 * time.Millisecond
)

// A stallKind is what a task waits for.
type stallKind uint8

const (
	asleep     stallKind = iota
	runnable             // it runs, or waits for a processor that others have
	notItsTurn           // it would run, and is held
	noMemory
	onHost
)

// stallCounts counts tasks of a group and of those below.
type stallCounts [onHost + 1]int

// stallTreeLocked says what t waits for.
func (t *Task) stallTreeLocked(now int64) stallKind {
	switch {
	case t.exitState != alive || t.sleeps.Load() || t.vforkPending.Load() || t.work.Load()&workStop != 0:
		return asleep
	case t.wantsMemory.Load():
		return noMemory
	case t.waitsTurn.Load():
		return notItsTurn
	}
	cg := t.group.Cgroup()
	for up := cg; up != nil; up = up.Parent() {
		switch {
		case up.Slowed():
			return noMemory
		case up.Throttled():
			return notItsTurn
		}
	}
	switch {
	case cg.Frozen() || t.parked.Load():
		return asleep
	case !t.inGuest.Load() && now-t.switched.Load() > int64(hostCallTime) && t.sys.onFiles(t.CurrentCall()):
		return onHost
	}
	return runnable
}

// onFiles reports whether a call may wait for files of the host.
func (s *System) onFiles(nr int64) bool {
	c, ok := s.Calls.(interface{ Name(nr uintptr) string })
	if !ok || nr < 0 {
		return false
	}
	switch c.Name(uintptr(nr)) {
	case "read", "write", "pread64", "pwrite64", "readv", "writev", "preadv", "pwritev", "preadv2", "pwritev2", "open", "openat", "openat2",
		"fsync", "fdatasync", "sync", "syncfs", "msync", "sync_file_range", "fallocate", "sendfile", "copy_file_range":
		return true
	}
	return false
}

// watchPressure samples until all have gone.
func (s *System) watchPressure() {
	last := s.Clocks.Monotonic.Now()
	for !s.watchEnded() {
		time.Sleep(pressureStep)
		now := s.Clocks.Monotonic.Now()
		s.samplePressure(now-last, now)
		s.awaitWake()
		last = max(now, s.Clocks.Monotonic.Now()-int64(pressureStep)) // all slept
	}
}

func (s *System) samplePressure(elapsed, now int64) {
	counts := map[*cgroup.Group]*stallCounts{}
	all := 0
	s.tree.RLock()
	for _, t := range s.tasks {
		k := t.stallTreeLocked(now)
		if k == asleep {
			continue
		}
		if k == runnable {
			all++
		}
		for cg := t.group.Cgroup(); cg != nil; cg = cg.Parent() {
			if counts[cg] == nil {
				counts[cg] = new(stallCounts)
			}
			counts[cg][k]++
		}
	}
	s.tree.RUnlock()
	// Of those that may run as many wait as there are too few processors.
	waiting := 0.0
	if n := s.CPUs(); all > n {
		waiting = float64(all-n) / float64(all)
	}
	for _, cg := range s.Cgroups.Root().Descendants() {
		stall := cgroup.Stall{}
		if c := counts[cg]; c != nil {
			stall = c.stall(waiting)
		}
		cg.AddStall(&stall, elapsed, now)
	}
}

// stall says which part of a time was lost, where each task that may run waits for
// a processor for some part of it.
func (c *stallCounts) stall(waiting float64) (s cgroup.Stall) {
	run := float64(c[runnable])
	idle := math.Pow(waiting, run) // that none of them ran
	cpu := &s[cgroup.CPUPressure]
	cpu.Some = min(1, run*waiting)
	if c[notItsTurn] > 0 {
		cpu.Some = 1
	}
	if cpu.Some > 0 && c[noMemory]+c[onHost] == 0 {
		cpu.Full = idle
	}
	for r, n := range map[cgroup.Resource]int{cgroup.MemoryPressure: c[noMemory], cgroup.IOPressure: c[onHost]} {
		if n > 0 {
			s[r].Some = 1
			if c[runnable]+c[notItsTurn] == 0 {
				s[r].Full = 1
			}
		}
	}
	return s
}

// PressureText is what a file of cg's pressure shows.
func (s *System) PressureText(cg *cgroup.Group, r cgroup.Resource) []byte {
	s.countPressure()
	var out []byte
	some, full := cg.Pressure(r, s.Clocks.Monotonic.Now())
	for i, l := range [...]cgroup.PressureLine{some, full} {
		out = fmt.Appendf(out, "%s avg10=%.2f avg60=%.2f avg300=%.2f total=%d\n", [...]string{"some", "full"}[i], l.Averages[0], l.Averages[1], l.Averages[2], l.TotalUS)
	}
	return out
}

// countPressure begins to sample, if nobody has.
func (s *System) countPressure() {
	w := &s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.Turn == nil && !w.pressure && !w.ended {
		w.pressure = true
		go s.watchPressure()
	}
}

// PressureTrigger makes a trigger of what was written to a file of cg's pressure:
// "some|full THRESHOLD WINDOW", in microseconds.
func (s *System) PressureTrigger(cg *cgroup.Group, r cgroup.Resource, c *vfs.Caller, text []byte, fire func()) (end func(), err error) {
	var kind string
	var threshold, window int64
	n, _ := fmt.Sscanf(strings.TrimRight(string(text), "\n\x00"), "%s %d %d", &kind, &threshold, &window)
	if n < 3 || kind != "some" && kind != "full" {
		return nil, linux.EINVAL
	}
	s.countPressure()
	end, e := cg.AddTrigger(r, kind == "full", threshold, window, s.Clocks.Monotonic.Now(), c.Cred.HasRoot(linux.CAP_SYS_RESOURCE), fire)
	if e != 0 {
		return nil, e
	}
	return end, nil
}
