package shim

import "sync"

// kills tells of what is killed for memory, once. The sandbox has the host's memory
// cgroup see what it has killed itself, at once or at the container's end, so that of
// two counts the larger one counts.
type kills struct {
	// immutable
	tell func()

	mu sync.Mutex
	// guarded by mu
	told uint64
}

// note is given a count: how often the cgroup was out of memory, or how many processes
// the sandbox has killed.
func (k *kills) note(n uint64) {
	k.mu.Lock()
	more := n > k.told
	k.told = max(k.told, n)
	k.mu.Unlock()
	if more {
		k.tell()
	}
}
