package netstack

import "cordon/internal/host"

// AtEnd has f called when the stack is disposed of, at once if it has been.
func (s *Stack) AtEnd(f func()) {
	s.mu.Lock()
	disposed := s.disposed
	if !disposed {
		s.atEnd = append(s.atEnd, f)
	}
	s.mu.Unlock()
	if disposed {
		f()
	}
}

// Dispose is Close for a stack that nobody has a socket of, nor will: it lets go of what the host gave the stack as well, so
// that the host's network namespace can end.
func (s *Stack) Dispose() {
	s.Close()
	s.mu.Lock()
	all := s.atEnd
	s.atEnd, s.disposed = nil, true
	s.mu.Unlock()
	for _, f := range all {
		f()
	}
}

// dispose closes the descriptors of a link that neither receives nor sends any more.
func (f *frameLink) dispose() {
	f.file.Close() // only waited for
	for _, fd := range []int{f.lookout.sleepers, f.lookout.bell, f.fd} {
		if fd >= 0 {
			_ = host.Close(fd) // nothing is written behind the caller's back
		}
	}
}
