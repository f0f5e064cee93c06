package mqueue

import (
	"cordon/internal/linux"
	"cordon/internal/lock"
)

// Users is how many bytes the queues of each user may come to take
// (RLIMIT_MSGQUEUE), for the whole sandbox.
type Users struct {
	mu lock.Mutex[lock.Inode]
	// guarded by mu
	bytes map[uint32]uint64 // by real user id
}

// A Limited has resource limits: task.Task.
type Limited interface {
	SoftLimit(r linux.Resource) uint64
}

// take counts n more bytes for a user, if they are within limit.
func (u *Users) take(uid uint32, n, limit uint64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if all := u.bytes[uid] + n; all < n || all > limit {
		return false
	}
	u.addLocked(uid, n)
	return true
}

// again counts what a restored queue takes.
func (u *Users) again(uid uint32, n uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.addLocked(uid, n)
}

func (u *Users) addLocked(uid uint32, n uint64) {
	if u.bytes == nil {
		u.bytes = make(map[uint32]uint64)
	}
	u.bytes[uid] += n
}

func (u *Users) give(uid uint32, n uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bytes[uid] -= n; u.bytes[uid] == 0 {
		delete(u.bytes, uid)
	}
}
