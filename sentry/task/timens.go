package task

import (
	"math"
	"sync"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/ktime"
	"cordon/sentry/mm"
)

// A TimeNamespace shows its tasks CLOCK_MONOTONIC and CLOCK_BOOTTIME shifted
// (time_namespaces(7)). The first one, which shifts nothing, is a nil pointer.
// Its offsets can be set until a task has entered it.
type TimeNamespace struct {
	// immutable
	user *cred.UserNamespace // that owns it; nil: the first

	mu sync.Mutex
	// guarded by mu
	offsets TimeOffsets
	frozen  bool
}

// TimeOffsets are what a time namespace adds, in nanoseconds.
type TimeOffsets struct{ Monotonic, Boottime int64 }

// NewTimeNamespace returns a namespace that the user namespace user owns, or the
// first one if that is nil.
func NewTimeNamespace(user *cred.UserNamespace, o TimeOffsets) *TimeNamespace {
	return &TimeNamespace{user: user, offsets: o}
}

// Offsets returns what n adds.
func (n *TimeNamespace) Offsets() TimeOffsets {
	if n == nil {
		return TimeOffsets{}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.offsets
}

// Freeze returns what n adds, which is not to change from here on.
func (n *TimeNamespace) Freeze() TimeOffsets {
	if n == nil {
		return TimeOffsets{}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.frozen = true
	return n.offsets
}

// A TimeOffset is a clock's offset as it is asked for: CLOCK_BOOTTIME's, or
// CLOCK_MONOTONIC's.
type TimeOffset struct {
	Boottime  bool
	Sec, Nsec int64
}

// maxTimeSeconds is the largest second of a time in the kernel (Linux:
// KTIME_SEC_MAX).
const maxTimeSeconds = 9223372036

// SetTimeOffsets changes what n adds (Linux: kernel/time/namespace.c
// proc_timens_set_offset): EACCES where tasks have seen it, ERANGE for what would
// show a clock no time.
func (s *System) SetTimeOffsets(n *TimeNamespace, list []TimeOffset) linux.Errno {
	for _, l := range list {
		now := s.Clocks.Monotonic.Now()
		if l.Boottime {
			now = s.Clocks.Boottime.Now()
		}
		if l.Sec > maxTimeSeconds || l.Sec < -maxTimeSeconds {
			return linux.ERANGE
		}
		sec := now/1e9 + l.Sec + (now%1e9+l.Nsec)/1e9
		if sec < 0 || sec > maxTimeSeconds/2 {
			return linux.ERANGE
		}
	}
	if n == nil {
		return linux.EACCES
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.frozen {
		return linux.EACCES
	}
	for _, l := range list {
		if at := l.Sec*1e9 + l.Nsec; l.Boottime {
			n.offsets.Boottime = at
		} else {
			n.offsets.Monotonic = at
		}
	}
	return 0
}

// UserNS returns the user namespace that owns n.
func (n *TimeNamespace) UserNS(s *System) *cred.UserNamespace {
	if n == nil || n.user == nil {
		return s.UserNS
	}
	return n.user
}

// A Retimer is a Loader whose programs read clocks in their own memory: it makes m
// show those of n.
type Retimer interface {
	Retime(m *mm.MemoryManager, n *TimeNamespace) error
}

// enterTime makes the memory m, of a task that enters n, show n's clocks.
func (s *System) enterTime(m *mm.MemoryManager, n *TimeNamespace) linux.Errno {
	n.Freeze()
	if r, ok := s.Loader.(Retimer); ok && m != nil {
		if r.Retime(m, n) != nil {
			return linux.ENOMEM
		}
	}
	return 0
}

// ofChild returns the set for a child with memory of its own, which goes into the
// time namespace for children.
func (n *Namespaces) ofChild() *Namespaces {
	if n.Time == n.TimeForChildren {
		return n
	}
	c := *n
	c.Time = c.TimeForChildren
	return &c
}

// TimeAhead is by how much t's time namespace shows the clock ahead of what it
// tells.
func (t *Task) TimeAhead(c ktime.Clock) int64 {
	ns := t.ns.Load()
	if ns == nil || ns.Time == nil {
		return 0
	}
	o := ns.Time.Offsets()
	switch all := t.sys.Clocks; c {
	case all.Monotonic, all.MonotonicRaw, all.MonotonicCoarse:
		return o.Monotonic
	case all.Boottime:
		return o.Boottime
	}
	return 0
}

// FromOwnTime turns a time at which t's program wants to be woken into one of the
// clock (Linux: timens_ktime_to_host). It is above 0: a time of 0 is none.
func (t *Task) FromOwnTime(c ktime.Clock, at int64) int64 {
	ahead := t.TimeAhead(c)
	switch {
	case ahead == 0:
		return at
	case ahead > 0:
		return max(1, at-ahead)
	case at > math.MaxInt64-1+ahead:
		return math.MaxInt64 - 1
	}
	return at - ahead
}

// OwnBoottime returns CLOCK_BOOTTIME as t's program sees it.
func (t *Task) OwnBoottime() int64 {
	c := t.sys.Clocks.Boottime
	return c.Now() + t.TimeAhead(c)
}
