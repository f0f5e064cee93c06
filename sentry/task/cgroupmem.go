package task

import (
	"cmp"
	"slices"
	"time"

	"cordon/platform/memfile"
	"cordon/sentry/cgroup"
	"cordon/sentry/mm"
)

// CgroupMemory is what a group and those below use, in bytes.
type CgroupMemory struct {
	// Own is private and shared memory of programs, Files the contents of
	// files in memory.
	Own, Files int64
}

// Total is memory.current.
func (u CgroupMemory) Total() int64 { return u.Own + u.Files }

// spacesOf returns the address spaces of the processes that want says, each once.
func (s *System) spacesOf(want func(g *ThreadGroup) bool) []*mm.MemoryManager {
	seen := map[*mm.MemoryManager]bool{}
	var list []*mm.MemoryManager
	s.tree.RLock()
	defer s.tree.RUnlock()
	for _, t := range s.tasks {
		if m := t.MM(); m != nil && !seen[m] && want(t.group) && m.IncUsers() {
			seen[m] = true
			list = append(list, m)
		}
	}
	return list
}

// CgroupMemory counts the memory of cg and the groups below. It takes time for
// each mapping: nothing is charged as it is touched.
func (s *System) CgroupMemory(cg *cgroup.Group) CgroupMemory {
	var own []memfile.Range
	for _, m := range s.spacesOf(func(g *ThreadGroup) bool { return g.cgroup.Load().Within(cg) }) {
		own = m.AppendOwn(own)
		m.DecUsers()
	}
	// What fork shares is counted once.
	slices.SortFunc(own, func(a, b memfile.Range) int { return cmp.Compare(a.Start, b.Start) })
	u := CgroupMemory{Files: cg.Files()}
	done := uint64(0)
	for _, r := range own {
		r.Start = max(r.Start, done)
		if r.Start < r.End {
			u.Own += int64(s.Memory.Committed(r))
			done = r.End
		}
	}
	cg.NotePeak(u.Total())
	return u
}

// onlyGroup reports whether every process is in cg or below, so that all memory
// is its.
func (s *System) onlyGroup(cg *cgroup.Group) bool {
	return cg.Parent() == nil || s.Cgroups.Root().Processes() == cg.Processes()
}

// usedBy is the fast form of CgroupMemory for those who watch a limit.
func (s *System) usedBy(cg *cgroup.Group) int64 {
	if !s.onlyGroup(cg) {
		return s.CgroupMemory(cg).Total()
	}
	n := int64(s.Memory.Total()) - int64(s.Memory.Kept())
	cg.NotePeak(n)
	return n
}

// A Reserve is memory that a sandbox takes beside what its guest has: the
// Sentry's own, its gofer's and its stubs'. The host's limit is for both.
type Reserve interface {
	// Bytes returns how much it is now without tasks, TaskBytes what each of
	// them adds.
	Bytes() int64
	TaskBytes() int64
}

// overLimit returns by how much cg has exceeded a limit of memory; less than
// zero is room. Of the outermost limit, which is the host's too, the sandbox's
// own memory is a part.
func (s *System) overLimit(cg *cgroup.Group, k cgroup.MemoryLimit) int64 {
	limit := cg.MemoryLimit(k)
	if limit == cgroup.NoLimit {
		return -cgroup.NoLimit
	}
	if cg.QuotaOutside() {
		limit = min(limit, s.usable())
	}
	return s.usedBy(cg) - limit
}

// usable is how much memory guests can have: the host's limit but for what the
// sandbox needs, and a little less than the memory file can have, so that
// somebody is chosen to go before whoever asks first gets none.
func (s *System) usable() int64 {
	const leastSlack, mostSlack = 1 << 20, 8 << 20
	n := int64(cgroup.NoLimit)
	if limit := s.HostMemory.Load(); limit > 0 && s.Reserve != nil {
		s.tree.RLock()
		tasks := int64(len(s.tasks))
		s.tree.RUnlock()
		own := s.Reserve.Bytes()
		s.watch.own.Store(own)
		n = max(limit/4, limit-own-tasks*s.Reserve.TaskBytes())
	}
	if most := s.watch.guest.Load(); most > 0 {
		n = min(n, most-min(mostSlack, max(leastSlack, most/16)))
	}
	return n
}

// oomNever is the oom_score_adj of processes that are never chosen.
const oomNever = -1000

// oomVictim chooses who goes, as Linux does: the largest, with what
// oom_score_adj says of it (Linux: mm/oom_kill.c oom_badness).
func (s *System) oomVictim(cg *cgroup.Group) (victim *ThreadGroup) {
	total := cg.MemoryLimit(cgroup.MemoryMax) / pageSize
	if total <= 0 || total == cgroup.NoLimit/pageSize {
		total = int64(s.MemoryTotal()) / pageSize
	}
	most := int64(0)
	for _, g := range s.CgroupProcesses(cg, true) {
		adj := int64(g.OOMScoreAdj().Load())
		if adj == oomNever || g.dying() {
			continue
		}
		points := int64(0)
		for _, m := range s.spacesOf(func(o *ThreadGroup) bool { return o == g }) {
			z := m.Sizes()
			points = int64((z.Pages.RSS() + z.PageTables) / pageSize)
			m.DecUsers()
		}
		points += g.kernelPages() + adj*total/-oomNever
		if victim == nil || points > most {
			victim, most = g, points
		}
	}
	return victim
}

const pageSize = 4096

// dying reports whether the process is on its way out.
func (g *ThreadGroup) dying() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.exiting
}

// An OOMEvent says that a process was killed for memory.
type OOMEvent struct {
	// Container is the label of the process's container, nil for none.
	Container *Container
	PID       int32
	Name      string
}

// How long whoever was killed for memory is waited for at most.
const (
	oomEndTime  = 2 * time.Second        // until it has gone
	oomFreeTime = 300 * time.Millisecond // from then on, until its memory has
)

// outOfMemory ends a process of cg, or all of its memory.oom.group. It reports
// false if there was nobody. While the memory of the last one is not free yet,
// nobody else goes.
func (s *System) outOfMemory(cg *cgroup.Group) bool {
	w := &s.watch
	if !w.oom.TryLock() {
		time.Sleep(time.Millisecond) // somebody else is at it
		return true
	}
	defer w.oom.Unlock()
	if s.overLimit(cg, cgroup.MemoryMax) <= 0 && !s.memoryFull() && !s.kernel.full.Load() {
		w.victim = nil
		return true // somebody has just gone
	}
	if g := w.victim; g != nil {
		wait := oomEndTime
		if g.Exited() {
			wait = oomFreeTime
			if !w.gone {
				w.gone, w.killed = true, time.Now()
			}
		}
		if time.Since(w.killed) < wait {
			time.Sleep(time.Millisecond)
			return true
		}
	}
	cg.CountMemory(cgroup.EventOOM)
	g := s.oomVictim(cg)
	if g == nil {
		return false
	}
	whole := (*cgroup.Group)(nil)
	for up := g.Cgroup(); up != nil; up = up.Parent() {
		if up.OOMGroup() {
			whole = up
		}
		if up == cg {
			break
		}
	}
	list := []*ThreadGroup{g}
	if whole != nil {
		whole.CountMemory(cgroup.EventOOMGroupKill)
		list = s.CgroupProcesses(whole, true)
	} else {
		list = append(list, s.sharers(g)...)
	}
	for _, v := range list {
		if v != g && v.OOMScoreAdj().Load() == oomNever {
			continue
		}
		v.Cgroup().CountMemory(cgroup.EventOOMKill)
		e := OOMEvent{v.container, v.ID(), v.Leader().Name()}
		s.tree.Lock()
		v.killTreeLocked()
		m := v.leader.MM()
		s.tree.Unlock()
		if m != nil {
			m.Dying()
		}
		if s.OnOOM != nil {
			s.OnOOM(e)
		}
	}
	w.victim, w.gone, w.killed = g, false, time.Now()
	return true
}

// sharers are the other processes with g's address space: it is free only when
// they have gone too.
func (s *System) sharers(g *ThreadGroup) (list []*ThreadGroup) {
	m := g.Leader().MM()
	if m == nil {
		return nil
	}
	for _, o := range s.Processes() {
		if o != g && o.Leader().MM() == m {
			list = append(list, o)
		}
	}
	return list
}

// fullShare is the part of the memory file's bound, one in so many, that may be
// left when the host has no more: a huge page, say.
const fullShare = 32

// memoryFull reports whether the memory file is as large as it can be.
func (s *System) memoryFull() bool {
	most := uint64(s.watch.guest.Load())
	return most > 0 && s.Memory.Total() >= most-max(most/fullShare, 2<<20)
}

// A refusal is an access to addr that the host had no memory for.
type refusal struct {
	addr  uint64
	tries int
	last  time.Time
}

// How often an access is tried again though memory is not full any more, and after
// how long it is another one.
const (
	refusalTries = 4
	refusalTime  = 20 * time.Millisecond
)

// again reports whether an access that was refused just now is worth another try. What was full when the
// host was asked need not be now: others end, and what was kept is given up. A file
// that somebody else has cut short refuses each time.
func (r *refusal) again(addr uint64, now time.Time) bool {
	if r.addr != addr || now.Sub(r.last) > refusalTime {
		*r = refusal{addr: addr}
	}
	r.last = now
	if r.tries == refusalTries {
		return false
	}
	r.tries++
	return true
}

// makeRoom is called by a task whose access to addr the host had no memory for. It
// reports whether the access is worth another try.
func (t *Task) makeRoom(addr uint64) bool {
	s := t.sys
	if s.watch.guest.Load() == 0 {
		return false
	}
	t.wantsMemory.Store(true)
	defer t.wantsMemory.Store(false)
	if !s.memoryFull() {
		if !t.refused.again(addr, time.Now()) {
			return false
		}
		time.Sleep(time.Millisecond)
		return true
	}
	if s.reclaim() && !s.memoryFull() {
		return true
	}
	for cg := t.group.Cgroup(); cg != nil; cg = cg.Parent() {
		if cg.QuotaOutside() || cg.Parent() == nil {
			cg.CountMemory(cgroup.EventMax)
			return s.outOfMemory(cg)
		}
	}
	return false
}

// SetGuestMemory says how large the memory file can become, in bytes; 0 is no
// bound.
func (s *System) SetGuestMemory(n int64) {
	s.watch.guest.Store(n)
	s.Memory.OnRefused(s.awaitRoom)
	s.Memory.OnRoom(s.hasRoomFor)
}

// awaitRoom holds a copy of the Sentry's own that found the memory file full. Locks may
// be held: who is to go is the watch's to say, and it is waited for a little only.
func (s *System) awaitRoom() {
	const looks = 10
	for range looks {
		if !s.memoryFull() {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// roomTreeLocked reports whether the host's limit has room for another task.
func (s *System) roomTreeLocked() bool { return s.hasRoomTreeLocked(0) }

// hasRoomTreeLocked reports whether the host's limit has room for another task
// and for more beside those that there are: their threads and stubs are memory
// too.
func (s *System) hasRoomTreeLocked(more int) bool {
	limit := s.HostMemory.Load()
	if limit == 0 || s.Reserve == nil {
		return true
	}
	const slack = 16 // one part in so many
	need := s.watch.own.Load() + int64(len(s.tasks)+1+more)*s.Reserve.TaskBytes()
	return int64(s.Memory.Total())-int64(s.Memory.Kept())+need <= limit-limit/slack
}

// hasRoomFor answers memfile.File.HasRoom. Locks may be held.
func (s *System) hasRoomFor(n uint64) bool {
	if most := uint64(s.watch.guest.Load()); most > 0 && s.Memory.Total()+n > most-most/fullShare {
		return false
	}
	const slack = 8 // for the tasks too
	limit := s.HostMemory.Load()
	return limit == 0 || int64(s.Memory.Total())-int64(s.Memory.Kept())+s.watch.own.Load()+int64(n) <= limit-limit/slack
}

// Memory is how much memory t's container has, and how much is in use, in bytes:
// the machine's where the container has no limit of its own.
func (t *Task) Memory() (total, used uint64) {
	s := t.sys
	total, used = s.MemoryTotal(), s.MemoryUsed()
	cg := t.group.Cgroup()
	for cg.Parent() != nil && cg.Parent().Parent() != nil {
		cg = cg.Parent()
	}
	if n := cg.MemoryLimit(cgroup.MemoryMax); cg.Parent() != nil && !cg.QuotaOutside() && uint64(n) < total {
		total, used = uint64(n), uint64(max(0, s.usedBy(cg)))
	}
	return total, min(total, used)
}

// dyingStubs is how many stubs there may be of processes that have ended.
const dyingStubs = 48

// WaitForRoom lets the stubs of processes that have ended go before another one
// is made, where the host's limit may have no room for all of them.
func (s *System) WaitForRoom() {
	if s.HostMemory.Load() == 0 {
		return
	}
	s.tree.RLock()
	room := s.hasRoomTreeLocked(dyingStubs)
	s.tree.RUnlock()
	if room {
		return
	}
	if p, ok := s.Platform.(interface{ Settle() }); ok {
		p.Settle()
	}
	s.collectKernel()
}
