package netstack

// Settle waits until the stack has dealt with all packets that were sent to
// itself: what goes on in goroutines of its own is over then, but for its timers.
// seen is the result of the last Settle, and 0 at first.
func (s *Stack) Settle(seen uint64) uint64 {
	for {
		n := s.s.Stats().IP.PacketsReceived.Value()
		s.mu.Lock()
		closed := s.closed
		s.mu.Unlock()
		if n == seen || closed {
			return n
		}
		seen = n
		s.s.Pause() // ends when the queues are empty
		s.s.Resume()
	}
}
