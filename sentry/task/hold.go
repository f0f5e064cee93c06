package task

// A system ends with its last task, unless somebody holds it for one that is to come.

// end lets go of what the system has while there are tasks.
func (s *System) end() {
	s.endWorkers()
	close(s.allGone)
}

// overTreeLocked reports whether no task is left, and none is to come.
func (s *System) overTreeLocked() bool {
	if s.live > 0 || s.holds > 0 {
		return false
	}
	s.over = true
	return true
}

// Hold keeps the system from ending with its last task, for one that is to come. It
// returns false where it has ended.
func (s *System) Hold() bool {
	s.tree.Lock()
	defer s.tree.Unlock()
	if s.over {
		return false
	}
	s.holds++
	return true
}

// Release undoes Hold.
func (s *System) Release() {
	s.tree.Lock()
	s.holds--
	over := s.overTreeLocked()
	s.tree.Unlock()
	if over {
		s.end()
	}
}
