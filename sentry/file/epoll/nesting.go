package epoll

import (
	"maps"
	"slices"

	"cordon/internal/linux"
)

// loops reports whether in must not watch other: other reaches in, or the chain
// of instances would become too long. Called under Shared.nesting, so that no
// chain grows meanwhile.
func (in *Instance) loops(other *Instance) bool {
	down, found := other.depth(in, 0)
	return found || down+in.height(0) > linux.EPOLL_MAX_NESTS
}

// watched returns the instances that in watches.
func (in *Instance) watched() []*Instance {
	in.mu.Lock()
	defer in.mu.Unlock()
	var list []*Instance
	for k := range in.items {
		if o, ok := k.d.File().(*Instance); ok {
			list = append(list, o)
		}
	}
	return list
}

// depth returns how many instances hang below in, itself included, and whether
// target is one of them.
func (in *Instance) depth(target *Instance, level int) (n int, found bool) {
	if in == target {
		return 1, true
	}
	if level > linux.EPOLL_MAX_NESTS {
		return 1, false
	}
	for _, o := range in.watched() {
		d, f := o.depth(target, level+1)
		n, found = max(n, d), found || f
	}
	return n + 1, found
}

// height returns how many instances stand in a row above in.
func (in *Instance) height(level int) int {
	if level > linux.EPOLL_MAX_NESTS {
		return 0
	}
	in.readyMu.Lock()
	above := slices.Collect(maps.Keys(in.watchers))
	in.readyMu.Unlock()
	n := 0
	for _, w := range above {
		n = max(n, 1+w.height(level+1))
	}
	return n
}

// watchedBy counts the items of w that watch in.
func (in *Instance) watchedBy(w *Instance, change int) {
	in.readyMu.Lock()
	defer in.readyMu.Unlock()
	if in.watchers == nil {
		in.watchers = make(map[*Instance]int)
	}
	if in.watchers[w] += change; in.watchers[w] == 0 {
		delete(in.watchers, w)
	}
	in.nested.Store(len(in.watchers) > 0)
}
