// Package limit holds resource limits (getrlimit(2)).
package limit

import (
	"sync"
	"sync/atomic"

	"cordon/internal/linux"
)

// Infinity is RLIM_INFINITY.
const Infinity = ^uint64(0)

// A Set is the limits of a thread group. The zero Set allows nothing.
type Set struct {
	mu sync.Mutex
	// guarded by mu
	limits [linux.RLIM_NLIMITS]linux.Rlimit

	// atomic: the soft ones again, for those who look at every call
	soft [linux.RLIM_NLIMITS]atomic.Uint64
}

// NewSet returns a Set with these limits.
func NewSet(limits [linux.RLIM_NLIMITS]linux.Rlimit) *Set {
	s := new(Set)
	s.fill(limits)
	return s
}

// fill sets all limits of a Set that nobody else has.
func (s *Set) fill(limits [linux.RLIM_NLIMITS]linux.Rlimit) {
	s.limits = limits
	for i := range limits {
		s.soft[i].Store(limits[i].Cur)
	}
}

// Get returns both limits of resource r.
func (s *Set) Get(r linux.Resource) linux.Rlimit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limits[r]
}

// Soft returns the limit in force for resource r.
func (s *Set) Soft(r linux.Resource) uint64 { return s.soft[r].Load() }

// Swap sets the limits of r if allowed returns nil for the old ones, and
// returns the old ones.
func (s *Set) Swap(r linux.Resource, to linux.Rlimit, allowed func(old linux.Rlimit) error) (linux.Rlimit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.limits[r]
	if err := allowed(old); err != nil {
		return old, err
	}
	s.limits[r] = to
	s.soft[r].Store(to.Cur)
	return old, nil
}

// All returns a copy of every limit.
func (s *Set) All() [linux.RLIM_NLIMITS]linux.Rlimit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limits
}
