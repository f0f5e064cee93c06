package task

import (
	"sync/atomic"

	"cordon/internal/host"
)

// A token is what a sleeping task waits for: put makes it there, take waits until
// it is there and takes it. A task has an OS thread of its own, so it sleeps in the
// host's kernel: through Go's scheduler a wake-up takes two more threads.
type token struct {
	word uint32 // atomic
}

// States of a token.
const (
	tokenGone = iota
	tokenThere
	tokenAwaited
)

// put is called by anyone. It returns whether the task slept.
func (k *token) put() bool {
	if atomic.SwapUint32(&k.word, tokenThere) != tokenAwaited {
		return false
	}
	_, _ = host.FutexWake(&k.word, 1) // fails for no word of ours
	return true
}

// there says whether take would not wait.
func (k *token) there() bool { return atomic.LoadUint32(&k.word) == tokenThere }

// take is called by the task.
func (k *token) take() {
	for !atomic.CompareAndSwapUint32(&k.word, tokenThere, tokenGone) {
		if atomic.LoadUint32(&k.word) == tokenAwaited || atomic.CompareAndSwapUint32(&k.word, tokenGone, tokenAwaited) {
			_ = host.FutexWait(&k.word, tokenAwaited) // the loop looks again
		}
	}
}
