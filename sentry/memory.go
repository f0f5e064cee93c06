package sentry

import (
	"runtime/debug"

	"cordon/sentry/vfs"
)

// scarce is which part of memory being left makes it short: one in so many.
const scarce = 20

// memoryShort reports whether the sandbox comes near its limit, or the host to its
// end: then what caches keep is better given up.
func (k *Kernel) memoryShort() bool {
	limit, used := k.sys.MemoryTotal(), k.sys.MemoryUsed()
	if limit > 0 && used > limit-limit/scarce {
		return true
	}
	if k.cfg.HostMemory == nil {
		return false
	}
	available, total := k.cfg.HostMemory()
	return total > 0 && available < total/scarce
}

// watchMemory has caches give up what they can when memory is short.
func (k *Kernel) watchMemory() {
	shrink := func() {
		if s, ok := k.sys.Loader.(vfs.Shrinker); ok {
			s.Shrink()
		}
		debug.FreeOSMemory()
	}
	k.sys.VFS.WatchMemory(k.memoryShort, shrink)
	k.sys.Reserve, k.sys.Reclaim = reserve{}, shrink
	k.boundObjects()
}
