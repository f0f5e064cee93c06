package task

import (
	"math"
	"math/bits"
	"runtime"

	"cordon/sentry/cgroup"
	"cordon/sentry/mm"
)

// CPU is the processor the task runs on, as far as the guest can tell: its
// threads are spread over what it sees and they may use.
func (t *Task) CPU() uint32 {
	mask := t.Affinity()
	n := 0
	for _, w := range mask {
		n += bits.OnesCount64(w)
	}
	if n == 0 {
		return 0
	}
	skip := int(uint32(t.TID())) % n
	for i := range uint32(MaxCPUs) {
		if mask[i/64]&(1<<(i%64)) == 0 {
			continue
		}
		if skip == 0 {
			return i
		}
		skip--
	}
	return 0
}

// Affinity is which processors the task may run on: those that it has chosen of
// its control group's, or all of these if there is none (Linux:
// kernel/sched/core.c __set_cpus_allowed_ptr_locked).
func (t *Task) Affinity() [MaxCPUs / 64]uint64 {
	t.group.mu.Lock()
	mask := cgroup.CPUs(t.sched.Affinity)
	t.group.mu.Unlock()
	all := t.group.Cgroup().EffectiveCPUs(t.sys.CPUs())
	if both := mask.And(all); both.Count() > 0 {
		return both
	}
	return all
}

// CPUs is how many processors t's container has.
func (t *Task) CPUs() int { return t.CgroupRoot().EffectiveCPUs(t.sys.CPUs()).Count() }

// Yield lets others run (sched_yield(2)).
func (t *Task) Yield() { runtime.Gosched() }

// Barrier returns when every thread of the sandbox, or of m if it is not nil,
// that was in the guest has left it once (membarrier(2)).
func (s *System) Barrier(m *mm.MemoryManager) {
	for _, t := range s.Tasks() {
		if t.inGuest.Load() && (m == nil || t.MM() == m) {
			at := t.switched.Load()
			t.ctx.Interrupt()
			for t.inGuest.Load() && t.switched.Load() == at {
				runtime.Gosched()
			}
		}
	}
}

// MemoryTotal is the memory the guest has, in bytes.
func (s *System) MemoryTotal() uint64 {
	if n := s.watch.total.Load(); n > 0 {
		return n
	}
	return s.MemoryLimit
}

// SetMemoryTotal changes it.
func (s *System) SetMemoryTotal(n uint64) { s.watch.total.Store(n) }

// MemoryUsed is how much of it is in use.
// Where the host's limit is for the sandbox too, what that may need is.
func (s *System) MemoryUsed() uint64 {
	n := s.Memory.Total()
	if limit := s.HostMemory.Load(); limit > 0 {
		n += uint64(max(0, limit-s.usable()))
	}
	return n
}

// loadPeriodNS is how often the load is sampled while somebody asks.
const loadPeriodNS = 5_000_000_000

// LoadAverages returns the 1, 5 and 15 minute averages of runnable tasks. They
// are brought up to date when asked for, so that an idle sandbox does nothing.
func (s *System) LoadAverages() [3]float64 {
	running := 0.0
	for _, t := range s.Tasks() {
		if st := t.State(); st == 'R' || st == 'D' {
			running++
		}
	}
	now := s.Clocks.Monotonic.Now()
	s.load.mu.Lock()
	defer s.load.mu.Unlock()
	if s.load.at == 0 {
		s.load.at = now // the averages of a new system begin at 0
	}
	periods := float64(now-s.load.at) / loadPeriodNS
	s.load.at = now
	for i, minutes := range [3]float64{1, 5, 15} {
		decay := math.Exp(-periods * 5 / (60 * minutes))
		s.load.avg[i] = s.load.avg[i]*decay + running*(1-decay)
	}
	return s.load.avg
}
