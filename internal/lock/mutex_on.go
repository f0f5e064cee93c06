//go:build lockcheck

package lock

import (
	"fmt"
	"reflect"
	"sync"
)

// Checking reports whether the order is checked in this build.
const Checking = true

// lineOf maps a rank to its line, built once and then only read.
var lineOf = sync.OnceValue(func() map[string]int {
	lines, err := parseOrder(order)
	if err != nil {
		panic("lock: " + err.Error())
	}
	m := map[string]int{}
	for i, l := range lines {
		for _, r := range l.ranks {
			m[r] = i
		}
	}
	return m
})

// held maps a goroutine to the locks that it holds, a *[]entry that only that
// goroutine touches.
var held sync.Map

type entry struct {
	m     any
	rank  string
	write bool
}

// getg is the address of the running goroutine's descriptor. It identifies the
// goroutine while it runs.
func getg() uintptr

// taking says which locks that the goroutine holds do not count.
type taking uint8

const (
	ordinary taking = iota
	nested          // those of the same rank
	below           // any: see LockBelow
)

func acquire[R Rank](m any, write bool, how taking) {
	rank := reflect.TypeFor[R]().Name()
	line, ok := lineOf()[rank]
	if !ok {
		panic("lock: rank " + rank + " is not in the order")
	}
	v, _ := held.LoadOrStore(getg(), &[]entry{})
	h := v.(*[]entry)
	for _, e := range *h {
		switch {
		case e.m == m:
			panic("lock: " + rank + " is already held by this goroutine")
		case how == below, how == nested && e.rank == rank:
		case lineOf()[e.rank] >= line:
			panic(fmt.Sprintf("lock: taking %s while holding %s", rank, e.rank))
		}
	}
	*h = append(*h, entry{m, rank, write})
}

func release(m any) {
	id := getg()
	v, ok := held.Load(id)
	if !ok {
		panic("lock: unlock of a lock that this goroutine does not hold")
	}
	h := v.(*[]entry)
	for i, e := range *h {
		if e.m != m {
			continue
		}
		*h = append((*h)[:i], (*h)[i+1:]...)
		if len(*h) == 0 {
			held.Delete(id)
		}
		return
	}
	panic("lock: unlock of a lock that this goroutine does not hold")
}

func assertHeld[R Rank](m any, write bool) {
	if v, ok := held.Load(getg()); ok {
		for _, e := range *v.(*[]entry) {
			if e.m == m && (e.write || !write) {
				return
			}
		}
	}
	panic("lock: " + reflect.TypeFor[R]().Name() + " is not held")
}

// try records a lock that was taken without waiting. The order does not matter
// to it: what cannot block cannot deadlock.
func try[R Rank](m any, write bool) {
	v, _ := held.LoadOrStore(getg(), &[]entry{})
	h := v.(*[]entry)
	*h = append(*h, entry{m, reflect.TypeFor[R]().Name(), write})
}

type Mutex[R Rank] struct{ mu sync.Mutex }

func (m *Mutex[R]) Lock()       { acquire[R](m, true, ordinary); m.mu.Lock() }
func (m *Mutex[R]) LockNested() { acquire[R](m, true, nested); m.mu.Lock() }
func (m *Mutex[R]) LockBelow()  { acquire[R](m, true, below); m.mu.Lock() }
func (m *Mutex[R]) Unlock()     { release(m); m.mu.Unlock() }
func (m *Mutex[R]) AssertHeld() { assertHeld[R](m, true) }
func (m *Mutex[R]) TryLock() bool {
	if !m.mu.TryLock() {
		return false
	}
	try[R](m, true)
	return true
}

type RWMutex[R Rank] struct{ mu sync.RWMutex }

func (m *RWMutex[R]) Lock()        { acquire[R](m, true, ordinary); m.mu.Lock() }
func (m *RWMutex[R]) LockNested()  { acquire[R](m, true, nested); m.mu.Lock() }
func (m *RWMutex[R]) Unlock()      { release(m); m.mu.Unlock() }
func (m *RWMutex[R]) RLock()       { acquire[R](m, false, ordinary); m.mu.RLock() }
func (m *RWMutex[R]) RLockNested() { acquire[R](m, false, nested); m.mu.RLock() }
func (m *RWMutex[R]) RUnlock()     { release(m); m.mu.RUnlock() }
func (m *RWMutex[R]) AssertHeld()  { assertHeld[R](m, true) }
func (m *RWMutex[R]) AssertRHeld() { assertHeld[R](m, false) }
func (m *RWMutex[R]) TryLock() bool {
	if !m.mu.TryLock() {
		return false
	}
	try[R](m, true)
	return true
}
func (m *RWMutex[R]) TryRLock() bool {
	if !m.mu.TryRLock() {
		return false
	}
	try[R](m, false)
	return true
}
