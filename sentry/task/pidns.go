package task

import (
	"slices"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/sentry/cred"
)

// A task's id is its number in the first PID namespace, in which every task has
// one: that is what this package and those beside it pass around. Each further
// namespace that a task is in gives the same id a number of its own, which is
// all that its processes see (pid_namespaces(7)). An id is a task's, a process
// group's or a session's, as long as one of them has it; a namespace forgets a
// number when it or the id is given anew, so that what died just now still has
// one.

// A PIDNamespace numbers processes.
type PIDNamespace struct {
	// immutable
	sys    *System
	parent *PIDNamespace // nil: the first
	level  int
	user   *cred.UserNamespace
	plain  bool // its process 1 has no protection from signals
	serial uint64
	apart  bool // a container's: its parent does not see its processes

	// guarded by System.tree
	init    *ThreadGroup    // process 1; nil before it is made
	zapper  *Task           // process 1's last thread, which waits for the end of the others
	dead    bool            // process 1 has ended
	lastPID int32           // the newest number
	numbers map[int32]int32 // by id
	ids     map[int32]int32 // by number
}

// maxPIDLevel bounds the nesting (Linux: MAX_PID_NS_LEVEL).
const maxPIDLevel = 32

// noID is the id of nothing.
const noID = MaxPID + 1

// NewPIDNamespace returns an empty namespace below parent.
func (s *System) NewPIDNamespace(parent *PIDNamespace, user *cred.UserNamespace) (*PIDNamespace, linux.Errno) {
	if parent.level >= maxPIDLevel {
		return nil, linux.ENOSPC
	}
	return &PIDNamespace{
		sys: s, parent: parent, level: parent.level + 1, user: user, serial: s.serials.Add(1),
		numbers: make(map[int32]int32), ids: make(map[int32]int32),
	}, 0
}

// NewContainerPIDs returns an empty namespace beside the first: it is below that,
// where every id is known, but not seen there.
func (s *System) NewContainerPIDs() *PIDNamespace {
	n, _ := s.NewPIDNamespace(s.pids, s.UserNS) // it is not too deep
	n.apart = true
	s.anyApart.Store(true)
	return n
}

// hiddenTreeLocked reports whether an id is of a namespace that n does not see.
func (n *PIDNamespace) hiddenTreeLocked(id int32) bool {
	for in := n.sys.inner[id]; in != nil && in != n; in = in.parent {
		if in.apart {
			return true
		}
	}
	return false
}

// allHere reports whether n's numbers are ids, and all of them are seen.
func (n *PIDNamespace) allHere() bool { return n.level == 0 && !n.sys.anyApart.Load() }

// SetPlainInit makes process 1 an ordinary one for signals. It is called before
// there is one.
func (n *PIDNamespace) SetPlainInit() { n.plain = true }

// FirstPIDs returns the first PID namespace.
func (s *System) FirstPIDs() *PIDNamespace { return s.pids }

// UserNS returns the user namespace that owns n.
func (n *PIDNamespace) UserNS() *cred.UserNamespace { return n.user }

// Parent returns the namespace that n is in, nil for the first.
func (n *PIDNamespace) Parent() *PIDNamespace { return n.parent }

// Within reports whether n is o or below it.
func (n *PIDNamespace) Within(o *PIDNamespace) bool {
	for ; n != nil; n = n.parent {
		if n == o {
			return true
		}
	}
	return false
}

// Init returns process 1, nil before it is made.
func (n *PIDNamespace) Init() *ThreadGroup {
	n.sys.tree.RLock()
	defer n.sys.tree.RUnlock()
	return n.init
}

// FromRoot returns the number of an id, 0 if it has none here. What is no id is
// returned as it is.
func (n *PIDNamespace) FromRoot(id int32) int32 {
	if n.allHere() || id <= 0 {
		return id
	}
	n.sys.tree.RLock()
	defer n.sys.tree.RUnlock()
	return n.fromRootTreeLocked(id)
}

func (n *PIDNamespace) fromRootTreeLocked(id int32) int32 {
	switch {
	case n.allHere():
		return id
	case n.hiddenTreeLocked(id):
		return 0
	case n.level == 0:
		return id
	}
	return n.numbers[id]
}

// ToRoot returns the id that has a number: one of nothing if none has. Numbers
// below 1 are returned as they are.
func (n *PIDNamespace) ToRoot(number int32) int32 {
	if n.allHere() || number <= 0 {
		return number
	}
	n.sys.tree.RLock()
	defer n.sys.tree.RUnlock()
	return n.toRootTreeLocked(number)
}

func (n *PIDNamespace) toRootTreeLocked(number int32) int32 {
	if n.allHere() || number <= 0 {
		return number
	}
	id, ok := number, true
	if n.level > 0 {
		id, ok = n.ids[number]
	}
	if !ok || n.hiddenTreeLocked(id) {
		return noID
	}
	return id
}

// LastPID returns the newest number given.
func (n *PIDNamespace) LastPID() int32 {
	n.sys.tree.RLock()
	defer n.sys.tree.RUnlock()
	return n.lastPIDTreeLocked()
}

func (n *PIDNamespace) lastPIDTreeLocked() int32 {
	if n.level == 0 {
		return n.sys.lastPID
	}
	return n.lastPID
}

// Numbers returns an id's numbers in from and the namespaces down to n, the
// outermost first: 0 where it has none (/proc/pid/status NSpid).
func (n *PIDNamespace) Numbers(from *PIDNamespace, id int32) []int32 {
	s := n.sys
	s.tree.RLock()
	defer s.tree.RUnlock()
	var out []int32
	for in := n; in != nil && in != from.parent; in = in.parent {
		out = append(out, in.fromRootTreeLocked(id))
	}
	slices.Reverse(out)
	return out
}

// Serial tells namespaces apart in a checkpoint: 0 for the first.
func (n *PIDNamespace) Serial() uint64 { return n.serial }

// LoadedPIDs returns the namespace that had a serial in the checkpoint that the
// system was restored from, or nil.
func (s *System) LoadedPIDs(serial uint64) *PIDNamespace { return s.loaded[serial] }

// idTables are System's tables for namespaces below the first.
type idTables struct {
	// immutable
	pids   *PIDNamespace            // the first
	loaded map[uint64]*PIDNamespace // of a restored system, by their serials

	// atomic
	serials  atomic.Uint64 // the last PIDNamespace.serial
	anyApart atomic.Bool   // there may be a namespace that is apart

	// guarded by System.tree
	inner map[int32]*PIDNamespace // the innermost that an id has a number in, unless that is the first
}

func (s *System) makeIDTables() {
	s.pids = &PIDNamespace{sys: s, user: s.UserNS, plain: s.PlainInit}
	s.inner = make(map[int32]*PIDNamespace)
}

func (s *System) usedTreeLocked(id int32) bool {
	return s.tasks[id] != nil || s.groups[id] != nil || s.sessions[id] != nil
}

// newIDTreeLocked finds a free id for a task in n, and gives it a number there
// and in all namespaces that n is in. want asks for numbers in particular, n's
// first (clone3's set_tid).
func (s *System) newIDTreeLocked(n *PIDNamespace, want []int32) (int32, linux.Errno) {
	if n.dead {
		return 0, linux.ENOMEM
	}
	first := int32(0)
	if len(want) > n.level {
		first = want[n.level]
	}
	id, e := s.newRootIDTreeLocked(first)
	if e != 0 || n.level == 0 {
		return id, e
	}
	i := 0
	for in := n; in.level > 0; in, i = in.parent, i+1 {
		number := int32(0)
		if i < len(want) {
			number = want[i]
		}
		if e := in.numberTreeLocked(id, number); e != 0 {
			s.forgetTreeLocked(id)
			return 0, e
		}
		if i == 0 {
			s.inner[id] = n
		}
	}
	return id, 0
}

// newRootIDTreeLocked finds a free id.
func (s *System) newRootIDTreeLocked(want int32) (int32, linux.Errno) {
	if want != 0 {
		if s.usedTreeLocked(want) {
			return 0, linux.EEXIST
		}
		s.forgetTreeLocked(want)
		return want, 0
	}
	if len(s.tasks) >= s.MaxTasks() {
		return 0, linux.EAGAIN
	}
	id := s.lastPID
	for range MaxPID {
		if id = nextPID(id); !s.usedTreeLocked(id) {
			s.lastPID = id
			s.forgetTreeLocked(id)
			return id, 0
		}
	}
	return 0, linux.EAGAIN
}

func nextPID(n int32) int32 {
	if n++; n >= MaxPID {
		return 300 // Linux: RESERVED_PIDS
	}
	return n
}

// forgetTreeLocked takes the numbers of an id that is nobody's.
func (s *System) forgetTreeLocked(id int32) {
	if len(s.inner) == 0 {
		return
	}
	for in := s.inner[id]; in != nil && in.level > 0; in = in.parent {
		if number, ok := in.numbers[id]; ok {
			delete(in.numbers, id)
			delete(in.ids, number)
		}
	}
	delete(s.inner, id)
}

// numberTreeLocked gives id a number in n: want, or the next that is free.
func (n *PIDNamespace) numberTreeLocked(id, want int32) linux.Errno {
	taken := func(number int32) bool {
		old, ok := n.ids[number]
		if ok && n.sys.usedTreeLocked(old) {
			return true
		}
		if ok {
			n.sys.forgetTreeLocked(old)
		}
		return false
	}
	number := want
	if want != 0 {
		if want != 1 && n.init == nil {
			return linux.EINVAL // as in Linux, the first is process 1
		}
		if taken(want) {
			return linux.EEXIST
		}
	} else {
		number = n.lastPID
		for range MaxPID {
			if number = nextPID(number); !taken(number) {
				break
			}
		}
		n.lastPID = number
	}
	n.numbers[id], n.ids[number] = number, id
	return 0
}

// adoptTreeLocked makes g process 1 of its namespace if there is none.
func (g *ThreadGroup) adoptTreeLocked() {
	if g.pids.init == nil {
		g.pids.init = g
	}
}

// reaperTreeLocked is who gets the children of processes in n that nobody else
// takes: nil if it has ended.
func (n *PIDNamespace) reaperTreeLocked() *ThreadGroup {
	if n.init == nil || n.init.zombieNow {
		return nil
	}
	return n.init
}

// PIDs returns the PID namespace that the process is in.
func (g *ThreadGroup) PIDs() *PIDNamespace { return g.pids }

// FromRootPID returns the number by which t knows an id, 0 if it does not.
func (t *Task) FromRootPID(id int32) int32 { return t.group.pids.FromRoot(id) }

// ToRootPID returns the id that t knows by a number.
func (t *Task) ToRootPID(number int32) int32 { return t.group.pids.ToRoot(number) }

// Find returns the thread that t knows by a number, a zombie too, or nil.
func (t *Task) Find(number int32) *Task {
	if number <= 0 {
		return nil
	}
	return t.sys.Task(t.ToRootPID(number))
}

// FindProcess returns the process that t knows by a number, or nil.
func (t *Task) FindProcess(number int32) *ThreadGroup {
	if number <= 0 {
		return nil
	}
	return t.sys.Process(t.ToRootPID(number))
}

// OwnTID and OwnPID are gettid(2) and getpid(2).
func (t *Task) OwnTID() int32 { return t.FromRootPID(t.TID()) }

// OwnPID is getpid(2).
func (t *Task) OwnPID() int32 { return t.FromRootPID(t.PID()) }

// In returns the processes of a PID namespace and those below it, in order of
// id.
func (s *System) In(n *PIDNamespace) []*ThreadGroup {
	all := s.Processes()
	if n.allHere() {
		return all
	}
	return keep(all, func(g *ThreadGroup) bool { return g.pids.seenFrom(n) })
}

// seenFrom reports whether n is o or below it with nothing apart between.
func (n *PIDNamespace) seenFrom(o *PIDNamespace) bool {
	for ; n != nil && n != o; n = n.parent {
		if n.apart {
			return false
		}
	}
	return n != nil
}

// Reboot ends process 1 of t's PID namespace as if s had, and t.
func (t *Task) Reboot(s linux.Signal) {
	init := t.group.pids.Init()
	init.mu.Lock()
	init.exitLocked(linux.WaitSignaled(s, false), nil)
	init.mu.Unlock()
	t.ExitGroup(0)
}

// endNamespace ends all other processes of the namespace whose process 1 ends
// with t, and waits until they have (Linux: kernel/pid_namespace.c
// zap_pid_ns_processes). In the first namespace endTreeLocked ends them.
func (t *Task) endNamespace() {
	s, g := t.sys, t.group
	n := g.pids
	if n.level == 0 {
		return
	}
	s.tree.Lock()
	if n.init != g {
		s.tree.Unlock()
		return
	}
	n.dead, n.zapper = true, t
	for _, o := range s.tasks {
		if o.group != g && o == o.group.leader && o.group.pids.Within(n) {
			o.group.mu.Lock()
			o.group.exitLocked(linux.WaitSignaled(linux.SIGKILL, false), nil)
			o.group.mu.Unlock()
		}
	}
	s.tree.Unlock()
	for !s.emptyBut(n, g) {
		t.rest()
	}
	s.tree.Lock()
	defer s.tree.Unlock()
	n.zapper = nil
	for _, o := range s.tasks {
		// Those with a parent outside are for it to reap.
		if h := o.group; h != g && h.pids.Within(n) && (h.parent == nil || h.parent.pids.Within(n)) {
			h.reapTreeLocked()
		}
	}
}

// emptyBut reports whether all processes in n but g have ended.
func (s *System) emptyBut(n *PIDNamespace, g *ThreadGroup) bool {
	s.tree.RLock()
	defer s.tree.RUnlock()
	for _, o := range s.tasks {
		if o.group != g && o.group.pids.Within(n) && !o.group.zombieNow {
			return false
		}
	}
	return true
}

// tellZappersTreeLocked wakes who waits for the end of namespaces that g was in.
func (g *ThreadGroup) tellZappersTreeLocked() {
	for n := g.pids; n.level > 0; n = n.parent {
		if z := n.zapper; z != nil && z.group != g {
			z.Nudge()
		}
	}
}
