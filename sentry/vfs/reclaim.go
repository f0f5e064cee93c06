package vfs

import (
	"sync/atomic"
	"time"
)

const (
	// checkEvery is after how many cached names it is looked whether memory is
	// short.
	checkEvery = 1024
	// worthWatching is how many cached names make it looked at by the clock too.
	worthWatching = 8 * checkEvery
	// watchPeriod is how often.
	watchPeriod = 10 * time.Second
	// sweepAtOnce is how many dentries are given up without letting others at the
	// cache.
	sweepAtOnce = 256
)

// A Shrinker is a file system that keeps what it can do without. Shrink gives it up.
type Shrinker interface{ Shrink() }

// A watch looks after the memory that caches take: when they grow, and by the clock
// as long as they are large.
type watch struct {
	// set before the first guest runs, then immutable
	short func() bool // nil: memory is never short
	after func()      // what to do when caches have given up

	// atomic
	grown   atomic.Int64 // names cached in all
	last    atomic.Int64 // when caches gave up last
	ticking atomic.Bool
}

// WatchMemory makes caches give up what nobody uses when short says that there is
// little memory, and calls after when they have. Before the first guest runs.
func (v *VFS) WatchMemory(short func() bool, after func()) {
	v.memory.short, v.memory.after = short, after
}

// cached notes that a name has been cached.
func (v *VFS) cached() {
	w := &v.memory
	if w.short == nil || w.grown.Add(1)%checkEvery != 0 {
		return
	}
	go v.relieve()
	if v.cache.size() >= worthWatching && !w.ticking.Swap(true) {
		time.AfterFunc(watchPeriod, v.tick)
	}
}

func (v *VFS) tick() {
	v.relieve()
	if v.cache.size() >= worthWatching {
		time.AfterFunc(watchPeriod, v.tick)
		return
	}
	v.memory.ticking.Store(false)
}

// relieve reclaims if memory is short, once in a period: who is short of memory has
// no processor to spare either.
func (v *VFS) relieve() {
	w := &v.memory
	now, last := v.clock(), w.last.Load()
	if now-last < int64(watchPeriod) && now >= last && last != 0 || !w.short() || !w.last.CompareAndSwap(last, now) {
		return
	}
	v.Reclaim()
	w.after()
}

// CachedNames returns how many names are cached.
func (v *VFS) CachedNames() int { return v.cache.size() }

// Reclaim gives up every cached name that nothing uses, and what file systems can do
// without.
func (v *VFS) Reclaim() {
	for left := v.cache.size(); left > 0; left -= sweepAtOnce {
		v.cache.sweep(min(left, sweepAtOnce))
	}
	v.mountMu.RLock()
	var all []Shrinker
	for fs := range v.supers {
		if s, ok := fs.(Shrinker); ok {
			all = append(all, s)
		}
	}
	v.mountMu.RUnlock()
	for _, s := range all {
		s.Shrink()
	}
}
