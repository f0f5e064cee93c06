package ipc

import (
	"cmp"
	"maps"
	"slices"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/wait"
)

// An Undo is what a process has to give back at its end. Tasks made with
// CLONE_SYSVSEM share one.
type Undo struct {
	mu lock.Mutex[lock.IPCUndo]
	// guarded by mu
	refs int
	sets []*SemSet // that have adjustments of it
}

// adjustments are what one Undo adds to the semaphores of one set. Guarded by
// the set's lock.
type adjustments struct {
	by  []int16
	seq uint64 // order of making, for a checkpoint
}

// NewUndo returns an empty Undo with one reference.
func NewUndo() *Undo { return &Undo{refs: 1} }

// IncRef adds a task.
func (u *Undo) IncRef() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.refs++
}

// DecRef takes a task away; with the last one the adjustments are made, in its
// name.
func (u *Undo) DecRef(c *Caller) {
	u.mu.Lock()
	u.refs--
	var sets []*SemSet
	if u.refs == 0 {
		sets, u.sets = u.sets, nil
	}
	u.mu.Unlock()
	for _, s := range sets {
		s.applyUndo(c, u)
	}
}

// forget is about a set that is removed.
func (u *Undo) forget(s *SemSet) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if i := slices.Index(u.sets, s); i >= 0 {
		u.sets = slices.Delete(u.sets, i, i+1)
	}
}

// adjustmentsLocked returns u's adjustments of s, made if there are none.
func (s *SemSet) adjustmentsLocked(u *Undo) []int16 {
	if adj := s.undos[u]; adj != nil {
		return adj.by
	}
	if s.undos == nil {
		s.undos = map[*Undo]*adjustments{}
	}
	s.undosMade++
	adj := &adjustments{make([]int16, len(s.sems)), s.undosMade}
	s.undos[u] = adj
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sets = append(u.sets, s)
	return adj.by
}

// undosLocked returns who has adjustments of s, the oldest first.
func (s *SemSet) undosLocked() []*Undo {
	return slices.SortedFunc(maps.Keys(s.undos), func(a, b *Undo) int { return cmp.Compare(s.undos[a].seq, s.undos[b].seq) })
}

func (s *SemSet) applyUndo(c *Caller, u *Undo) {
	s.mu.Lock()
	adj := s.undos[u]
	if adj == nil { // the set was removed meanwhile
		s.mu.Unlock()
		return
	}
	delete(s.undos, u)
	for i, a := range adj.by {
		if a != 0 {
			s.sems[i].value = min(max(s.sems[i].value+int32(a), 0), linux.SEMVMX)
			s.sems[i].pid = c.PID
		}
	}
	s.otime = c.Now
	s.mu.Unlock()
	s.queue.Notify(wait.Internal)
}
