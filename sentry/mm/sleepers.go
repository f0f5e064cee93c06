package mm

import (
	"cordon/internal/lock"
	"cordon/platform"
)

// sleepers counts who sleeps on a futex of an address space, or is about to. While nobody
// does, a platform that can answers the guest's wake-ups of private words itself.
type sleepers struct {
	mu lock.Mutex[lock.MMSleepers]
	// guarded by mu
	n  int
	as platform.WakeAnswerer // or nil
}

// Sleeping adds n to how many sleep on futexes of the space. Who is about to look whether
// to sleep counts from before the look: a guest that stores to the word and then asks
// whether anybody sleeps learns of them, or they see what it stored.
func (m *MemoryManager) Sleeping(n int) {
	s := &m.sleepers
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.n
	s.n += n
	if s.as != nil && (was == 0) != (s.n == 0) {
		s.as.AnswerWakes(s.n == 0)
	}
}

// answerIn says in which space of the platform wakes are answered.
func (s *sleepers) answerIn(as platform.AddressSpace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.as != nil {
		s.as.AnswerWakes(false)
	}
	s.as, _ = as.(platform.WakeAnswerer)
	if s.as != nil {
		s.as.AnswerWakes(s.n == 0)
	}
}
