package vfs

import (
	"weak"

	"cordon/internal/lock"
)

// A dcache bounds how many dentries are kept that nothing but the cache needs.
// All cached dentries stand on a ring; a hand goes round, passes over those
// used since its last visit and gives up the others (the clock algorithm: a
// hit costs one store at most, no lock).
type dcache struct {
	mu lock.Mutex[lock.DentryCache]
	// guarded by mu
	ring  []*Dentry
	hand  int
	limit int
}

// add puts d on the ring, giving up others if it is full.
func (k *dcache) add(d *Dentry) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if d.slot != 0 {
		return
	}
	if len(k.ring) >= k.limit {
		k.sweepLocked()
	}
	k.ring = append(k.ring, d)
	d.slot = len(k.ring)
}

// replace puts d, which is new, on the ring where old is.
func (k *dcache) replace(old, d *Dentry) {
	k.mu.Lock()
	if old.slot != 0 {
		d.slot, old.slot = old.slot, 0
		k.ring[d.slot-1] = d
		k.mu.Unlock()
		return
	}
	k.mu.Unlock()
	k.add(d) // the hand has passed over old meanwhile
}

// sweepLocked gives up one cold dentry. If everything is in use as a parent or
// a mount point, the ring grows instead.
func (k *dcache) sweepLocked() {
	for range 2 * len(k.ring) {
		k.hand = (k.hand + 1) % len(k.ring)
		d := k.ring[k.hand]
		if !d.used.Swap(false) && d.giveUp() {
			k.removeLocked(d)
			return
		}
	}
}

// size returns how many dentries are cached.
func (k *dcache) size() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.ring)
}

// sweep gives up those of the next n dentries that nothing uses, used lately or not.
// Those in use as a parent go when their children have gone.
func (k *dcache) sweep(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	// From the end, so that what removeLocked moves has been looked at.
	for ; n > 0 && len(k.ring) > 0; n-- {
		k.hand--
		if k.hand < 0 || k.hand >= len(k.ring) {
			k.hand = len(k.ring) - 1
		}
		if d := k.ring[k.hand]; d.giveUp() {
			k.removeLocked(d)
		}
	}
}

// remove takes d off the ring.
func (k *dcache) remove(d *Dentry) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.removeLocked(d)
}

func (k *dcache) removeLocked(d *Dentry) {
	if d.slot == 0 {
		return
	}
	last := k.ring[len(k.ring)-1]
	k.ring[d.slot-1] = last
	last.slot = d.slot
	d.slot = 0
	k.ring[len(k.ring)-1] = nil
	k.ring = k.ring[:len(k.ring)-1]
}

// dropSuper forgets the dentries of a file system that has gone.
func (k *dcache) dropSuper(sb *superblock) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := len(k.ring) - 1; i >= 0; i-- {
		if k.ring[i].sb == sb {
			k.removeLocked(k.ring[i])
		}
	}
}

// giveUp takes a cold dentry out of its parent, leaving a weak pointer to it.
// Directories with cached children and mount points stay. It is called under
// the cache's lock, which ranks after dentries' locks: it only tries those.
func (d *Dentry) giveUp() bool {
	p := d.place.Load()
	if p.deleted || p.parent == d {
		return true
	}
	if d.mounted.Load() > 0 {
		return false
	}
	if k := d.kids; k != nil {
		if !k.mu.TryRLock() {
			return false
		}
		busy := len(k.all) > 0
		k.mu.RUnlock()
		if busy {
			return false
		}
	}
	k := p.parent.kids
	if !k.mu.TryLock() {
		return false
	}
	defer k.mu.Unlock()
	if k.all[p.name] != d {
		return true // renamed or removed meanwhile: it is on the ring no more
	}
	k.setLocked(p.name, nil)
	if d.inode == nil {
		return true
	}
	if k.ghosts == nil {
		k.ghosts = make(map[string]weak.Pointer[Dentry])
	}
	if len(k.ghosts) > 2*len(k.all)+64 {
		for n, w := range k.ghosts {
			if w.Value() == nil {
				delete(k.ghosts, n)
			}
		}
	}
	k.ghosts[p.name] = weak.Make(d)
	d.armLocked()
	return true
}
