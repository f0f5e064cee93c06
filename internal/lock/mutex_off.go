//go:build !lockcheck

package lock

import "sync"

// Checking reports whether the order is checked in this build.
const Checking = false

// A Mutex is a sync.Mutex with a rank.
type Mutex[R Rank] struct{ mu sync.Mutex }

func (m *Mutex[R]) Lock()         { m.mu.Lock() }
func (m *Mutex[R]) TryLock() bool { return m.mu.TryLock() }
func (m *Mutex[R]) Unlock()       { m.mu.Unlock() }

// LockNested takes m while another lock of the same rank is held; the caller
// says beside the call which order the two objects have.
func (m *Mutex[R]) LockNested() { m.mu.Lock() }

// LockBelow takes m, of an object that lies in a layer below others of its kind, while
// locks of those above are held, whatever their ranks: the layers are the order.
func (m *Mutex[R]) LockBelow() { m.mu.Lock() }

// AssertHeld panics, with lockcheck, unless the goroutine holds m.
func (m *Mutex[R]) AssertHeld() {}

// An RWMutex is a sync.RWMutex with a rank.
type RWMutex[R Rank] struct{ mu sync.RWMutex }

func (m *RWMutex[R]) Lock()          { m.mu.Lock() }
func (m *RWMutex[R]) TryLock() bool  { return m.mu.TryLock() }
func (m *RWMutex[R]) Unlock()        { m.mu.Unlock() }
func (m *RWMutex[R]) RLock()         { m.mu.RLock() }
func (m *RWMutex[R]) TryRLock() bool { return m.mu.TryRLock() }
func (m *RWMutex[R]) RUnlock()       { m.mu.RUnlock() }

// LockNested is Mutex.LockNested, for writing.
func (m *RWMutex[R]) LockNested() { m.mu.Lock() }

// RLockNested is Mutex.LockNested, for reading.
func (m *RWMutex[R]) RLockNested() { m.mu.RLock() }

// AssertHeld panics, with lockcheck, unless the goroutine holds m for writing.
func (m *RWMutex[R]) AssertHeld() {}

// AssertRHeld panics, with lockcheck, unless the goroutine holds m for reading
// or writing.
func (m *RWMutex[R]) AssertRHeld() {}
