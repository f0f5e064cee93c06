package netlink

// PutCookie implements mqueue.CookieSocket: the kernel's own message, which no
// filter sees.
func (s *Socket) PutCookie(b []byte) {
	o := s.Options()
	_, room := s.Buffers(&o)
	s.mu.Lock()
	if s.bytes+len(b) > 2*room {
		s.mu.Unlock()
		return
	}
	s.queue = append(s.queue, b)
	s.bytes += len(b)
	s.mu.Unlock()
	s.Queue().Notify(readable)
}
