package task

import (
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"cordon/internal/linux"
	"cordon/sentry/cgroup"
)

// Where the host bounds the sandbox, what the Sentry keeps for its guests is memory
// like theirs: descriptors, names of files, what lies in pipes and sockets, mounts,
// locks. Linux charges such things one by one (memory.kmem); here calls that may keep
// some are counted roughly, and every now and then the Sentry looks how much it has.
// Too much of it, when the garbage is gone, is what a full memory is: calls of those who
// took more than others are ENOMEM, and after a while a process ends, of which most of
// the calls were.
type kernelMemory struct {
	// atomic
	full  atomic.Bool
	taken atomic.Int64 // by all processes: the sum of ThreadGroup.taken
	room  atomic.Int64 // what calls may take before somebody looks again
	ends  atomic.Int64 // processes that have ended

	mu sync.Mutex
	// guarded by mu
	since     time.Time // when it became full
	collected time.Time // when garbage was last looked for
	gone      int64     // ends by then
	halved    time.Time // when what was taken last counted half
}

const (
	// takenLook is how much a task may take before it says so.
	takenLook = 128 << 10
	// roomShare is the part of what there is, one in so many, that calls may take
	// before somebody looks: to look costs 5 us, and calls are reckoned roughly.
	roomShare = 4
	// kernelShare is the part of the host's limit, one in so many, that the Sentry
	// can have beside its threads and stubs, and kernelSlack what is left of the limit at least.
	kernelShare = 2
	kernelSlack = 32
	// kernelMore is the part of the limit by which those may exceed the Sentry's
	// who took little: one that prints why it ends, a shell, a command to help.
	kernelMore = 16
	// littleBytes is a call that is not refused before twice that.
	littleBytes = 4 << 10
	// collectPause is the time between two looks for garbage while memory is full,
	// and killAfter that until somebody ends.
	collectPause = 100 * time.Millisecond
	killAfter    = 200 * time.Millisecond
	// forgetAfter is how long what a process took counts whole.
	forgetAfter = time.Second
)

// TakeKernelMemory is called before a call that may keep so many bytes of the
// Sentry's memory. It is ENOMEM when there is none.
func (t *Task) TakeKernelMemory(bytes int) linux.Errno {
	s := t.sys
	if s.HostMemory.Load() == 0 || s.Reserve == nil {
		return 0
	}
	t.taken += bytes
	if t.taken < takenLook && !s.kernel.full.Load() {
		return 0
	}
	t.group.taken.Add(int64(t.taken))
	s.kernel.taken.Add(int64(t.taken))
	room := s.kernel.room.Add(-int64(t.taken))
	t.taken = 0
	if !s.kernel.full.Load() {
		if room > 0 {
			return 0
		}
		if over := s.kernelOver(); over <= 0 {
			s.kernel.room.Store(-over / roomShare)
			return 0
		}
	}
	if s.kernelFull(t.group, bytes) {
		return linux.ENOMEM
	}
	return 0
}

// kernelOver is by how many bytes the Sentry has more than it may, less than zero
// if it may have more.
func (s *System) kernelOver() int64 {
	limit := s.HostMemory.Load()
	own := s.Reserve.Bytes()
	s.watch.own.Store(own)
	s.tree.RLock()
	all := own + int64(len(s.tasks))*s.Reserve.TaskBytes()
	s.tree.RUnlock()
	all += int64(s.Memory.Total()) - int64(s.Memory.Kept())
	return max(own-max(limit/kernelShare, limit-s.watch.guest.Load()), all-(limit-limit/kernelSlack))
}

// kernelFull reports whether a call of g that may keep so many bytes is to be
// refused. Whoever finds the memory full first looks for garbage, and the others wait
// for that.
func (s *System) kernelFull(g *ThreadGroup, bytes int) bool {
	k := &s.kernel
	k.mu.Lock()
	defer k.mu.Unlock()
	over := s.kernelOver()
	if over > 0 && s.collectLocked() {
		// A little room would be garbage's in no time.
		over = s.kernelOver() + s.HostMemory.Load()/kernelSlack
	}
	now := time.Now()
	if now.Sub(k.halved) > forgetAfter {
		k.halved = now
		s.forgetTaken()
	}
	if over <= 0 {
		k.full.Store(false)
		return false
	}
	if !k.full.Swap(true) {
		k.since = now
	}
	if now.Sub(k.since) > killAfter {
		s.kernelKill()
		k.since = now
	}
	more := s.HostMemory.Load() / kernelMore
	if bytes < littleBytes {
		return over > 2*more
	}
	return over > more || s.tookMuch(g)
}

// collectLocked has garbage collected, if somebody may have left some since the last
// time. It reports whether it did so.
func (s *System) collectLocked() bool {
	k := &s.kernel
	gone := k.ends.Load()
	if gone == k.gone && time.Since(k.collected) <= collectPause {
		return false
	}
	s.reclaim()
	debug.FreeOSMemory()
	k.collected, k.gone = time.Now(), gone
	return true
}

// collectKernel looks for garbage and sees how much is left.
func (s *System) collectKernel() {
	if s.Reserve == nil {
		return
	}
	s.kernel.mu.Lock()
	defer s.kernel.mu.Unlock()
	if s.collectLocked() {
		s.kernelOver()
	}
}

// tookMuch reports whether g took more than half of what processes did on average.
func (s *System) tookMuch(g *ThreadGroup) bool {
	s.tree.RLock()
	tasks := int64(len(s.tasks))
	s.tree.RUnlock()
	return 2*g.taken.Load()*tasks >= s.kernel.taken.Load()
}

// kernelKill ends a process of the sandbox for what it has the Sentry keep.
func (s *System) kernelKill() {
	for _, cg := range s.Cgroups.Root().Descendants() {
		if cg.QuotaOutside() {
			cg.CountMemory(cgroup.EventMax)
			s.outOfMemory(cg)
			return
		}
	}
}

// forgetTaken has what processes took count half.
func (s *System) forgetTaken() {
	sum := int64(0)
	for _, g := range s.Processes() {
		n := g.taken.Load() / 2
		g.taken.Store(n)
		sum += n
	}
	s.kernel.taken.Store(sum)
}

// kernelPages is a process's part of what the Sentry keeps, in pages, while there is
// too much of it.
func (g *ThreadGroup) kernelPages() int64 {
	s := g.sys
	sum := s.kernel.taken.Load()
	if sum <= 0 || !s.kernel.full.Load() {
		return 0
	}
	return int64(float64(s.watch.own.Load()) / pageSize * (float64(g.taken.Load()) / float64(sum)))
}
