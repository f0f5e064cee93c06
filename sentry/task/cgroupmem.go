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
	// Bytes returns how much it is now, given how many tasks there are.
	Bytes(tasks int) int64
}

// overLimit returns by how much cg has exceeded a limit of memory; less than
// zero is room. Of the outermost limit, which is the host's too, the sandbox's
// own memory is a part.
func (s *System) overLimit(cg *cgroup.Group, k cgroup.MemoryLimit) int64 {
	limit := cg.MemoryLimit(k)
	if limit == cgroup.NoLimit {
		return -cgroup.NoLimit
	}
	if s.Reserve != nil && cg.QuotaOutside() {
		s.tree.RLock()
		tasks := len(s.tasks)
		s.tree.RUnlock()
		limit = max(limit/4, limit-s.Reserve.Bytes(tasks))
	}
	return s.usedBy(cg) - limit
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
		points += adj * total / -oomNever
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

// Times that an out-of-memory kill takes at most.
const (
	oomEndTime  = 2 * time.Second        // until the victim has gone
	oomFreeTime = 300 * time.Millisecond // from then on, until its memory has
)

// outOfMemory ends a process of cg, or all of its memory.oom.group, and returns
// when its memory is free. It reports false if there was nobody.
func (s *System) outOfMemory(cg *cgroup.Group) bool {
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
		s.tree.Unlock()
		if s.OnOOM != nil {
			s.OnOOM(e)
		}
	}
	for end := time.Now().Add(oomEndTime); !g.Exited() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	for end := time.Now().Add(oomFreeTime); s.overLimit(cg, cgroup.MemoryMax) > 0 && time.Now().Before(end); {
		time.Sleep(2 * time.Millisecond)
	}
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
