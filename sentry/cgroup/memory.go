package cgroup

import "sync/atomic"

// MemoryLimit names one of the limits of memory, in bytes.
type MemoryLimit uint8

// The limits.
const (
	MemoryMax MemoryLimit = iota
	MemoryHigh
	MemoryLow
	MemoryMin
	SwapMax
	SwapHigh

	memoryLimits
)

// MemoryEvent names a counter of memory.events.
type MemoryEvent uint8

// The counters.
const (
	EventLow MemoryEvent = iota
	EventHigh
	EventMax
	EventOOM
	EventOOMKill
	EventOOMGroupKill

	MemoryEvents
)

// memory is the memory controller's. What is used is counted when it is asked
// for (package task): only the memory of files is charged as it comes.
type memory struct {
	// atomic
	limits [memoryLimits]atomic.Int64
	whole  atomic.Bool // memory.oom.group
	files  atomic.Int64
	peak   atomic.Int64
	events [MemoryEvents]atomic.Uint64 // here and below
	local  [MemoryEvents]atomic.Uint64
}

func (m *memory) reset() {
	m.limits[MemoryMax].Store(NoLimit)
	m.limits[MemoryHigh].Store(NoLimit)
	m.limits[SwapMax].Store(NoLimit)
	m.limits[SwapHigh].Store(NoLimit)
}

// MemoryLimit returns a limit, NoLimit where there is none.
func (g *Group) MemoryLimit(k MemoryLimit) int64 { return g.memory.limits[k].Load() }

// SetMemoryLimit sets it.
func (g *Group) SetMemoryLimit(k MemoryLimit, n int64) { g.memory.limits[k].Store(n) }

// OOMGroup is memory.oom.group: out of memory, all processes go.
func (g *Group) OOMGroup() bool { return g.memory.whole.Load() }

// SetOOMGroup sets it.
func (g *Group) SetOOMGroup(on bool) { g.memory.whole.Store(on) }

// ChargeFiles counts memory of files that g's processes made; the bytes may be
// negative. What is charged to a group that is gone is its parent's.
func (g *Group) ChargeFiles(bytes int64) {
	for g.removed.Load() && g.parent != nil {
		g = g.parent
	}
	g.memory.files.Add(bytes)
}

// Files returns what is charged for files to g and the groups below.
func (g *Group) Files() int64 {
	n := int64(0)
	for _, d := range g.Descendants() {
		n += d.memory.files.Load()
	}
	return max(0, n)
}

// NotePeak keeps the largest use that was seen, and returns it. A peak of less
// than zero begins anew.
func (g *Group) NotePeak(n int64) int64 {
	for peak := g.memory.peak.Load(); n > peak; peak = g.memory.peak.Load() {
		if g.memory.peak.CompareAndSwap(peak, n) {
			return n
		}
	}
	return g.memory.peak.Load()
}

// CountMemory counts an event of g.
func (g *Group) CountMemory(e MemoryEvent) {
	g.memory.local[e].Add(1)
	g.tell(MemoryLocalFile)
	for p := g; p != nil; p = p.parent {
		p.memory.events[e].Add(1)
		p.tell(MemoryEventsFile)
	}
}

// MemoryCounts returns the counters, of g and those below, or g's own.
func (g *Group) MemoryCounts(own bool) (out [MemoryEvents]uint64) {
	from := &g.memory.events
	if own {
		from = &g.memory.local
	}
	for i := range out {
		out[i] = from[i].Load()
	}
	return out
}

// BoundsMemory reports whether g has a limit that has to be watched.
func (g *Group) BoundsMemory() bool {
	return g.MemoryLimit(MemoryMax) != NoLimit || g.MemoryLimit(MemoryHigh) != NoLimit
}
