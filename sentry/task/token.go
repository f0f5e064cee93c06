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
	tokenLooked // take's caller looks whether it is there
)

// put is called by anyone. It returns whether the task waited.
func (k *token) put() bool {
	was := atomic.SwapUint32(&k.word, tokenThere)
	if was == tokenAwaited {
		_, _ = host.FutexWake(&k.word, 1) // fails for no word of ours
	}
	return was == tokenAwaited || was == tokenLooked
}

// look says that the task looks whether the token is there: it needs no waking. take
// ends that.
func (k *token) look() { atomic.CompareAndSwapUint32(&k.word, tokenGone, tokenLooked) }

// there says whether take would not wait.
func (k *token) there() bool { return atomic.LoadUint32(&k.word) == tokenThere }

// take is called by the task.
func (k *token) take() {
	for !atomic.CompareAndSwapUint32(&k.word, tokenThere, tokenGone) {
		if atomic.LoadUint32(&k.word) == tokenAwaited || atomic.CompareAndSwapUint32(&k.word, tokenGone, tokenAwaited) ||
			atomic.CompareAndSwapUint32(&k.word, tokenLooked, tokenAwaited) {
			_ = host.FutexWait(&k.word, tokenAwaited) // the loop looks again
		}
	}
}
