package sim

import (
	"math/rand/v2"
	"sync"
)

// A turn lets one guest run at a time, the next drawn from those that wait.
type turn struct {
	mu sync.Mutex
	// guarded by mu
	random  *rand.Rand
	taken   bool
	waiting []chan struct{}
}

func newTurn(seed uint64) *turn {
	return &turn{random: rand.New(rand.NewPCG(seed, seed))}
}

// take waits for the turn, and returns how many instructions it is for.
func (t *turn) take() int {
	t.mu.Lock()
	n := 16 + t.random.IntN(512)
	if !t.taken {
		t.taken = true
		t.mu.Unlock()
		return n
	}
	c := make(chan struct{})
	t.waiting = append(t.waiting, c)
	t.mu.Unlock()
	<-c
	return n
}

// give hands the turn on.
func (t *turn) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		t.taken = false
		return
	}
	k := t.random.IntN(len(t.waiting))
	c := t.waiting[k]
	last := len(t.waiting) - 1
	t.waiting[k] = t.waiting[last]
	t.waiting = t.waiting[:last]
	close(c)
}
