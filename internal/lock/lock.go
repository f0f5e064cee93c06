// Package lock has mutexes that carry their place in cordon's lock order in
// their type:
//
//	mu lock.Mutex[lock.Pipe]
//
// order.go is the order. Without build tags a Mutex is a sync.Mutex and costs
// what that costs. With the tag lockcheck every Lock first looks at what the
// goroutine holds and panics on a wrong order, before it can block, so that one
// run in the wrong order is enough to find a deadlock that needs two threads.
//
// # Locking
//
// Two locks of one rank are taken only by Two, which orders them by address, or
// by LockNested where the objects themselves have an order (parent before
// child). A function that needs a lock ends in Locked and begins with
// AssertHeld.
package lock

import (
	"fmt"
	"strings"
)

// A Rank is a place in the order: one of the types in order.go.
type Rank interface{ rank() }

type ranked struct{}

func (ranked) rank() {}

// An orderLine is one line of the order.
type orderLine struct {
	ranks []string
	what  string
}

func parseOrder(text string) ([]orderLine, error) {
	var lines []orderLine
	seen := map[string]bool{}
	for l := range strings.Lines(strings.TrimSpace(text)) {
		words, what, ok := strings.Cut(l, " - ")
		if !ok {
			return nil, fmt.Errorf("line %q does not say what the locks guard", l)
		}
		ol := orderLine{ranks: strings.Fields(words), what: strings.TrimSpace(what)}
		for _, r := range ol.ranks {
			if seen[r] {
				return nil, fmt.Errorf("rank %s stands twice in the order", r)
			}
			seen[r] = true
		}
		lines = append(lines, ol)
	}
	return lines, nil
}

// A locker is either kind of mutex, for Two.
type locker interface {
	Lock()
	Unlock()
	LockNested()
}

// lockTwo takes the locks in the order that first says, one lock only once.
func lockTwo(a, b locker, aFirst, same bool) {
	switch {
	case same:
		a.Lock()
	case aFirst:
		a.Lock()
		b.LockNested()
	default:
		b.Lock()
		a.LockNested()
	}
}
