package task

import (
	"sync/atomic"

	"cordon/internal/host"
)

// A token is what a sleeping task waits for: put makes it there, take waits until
// it is there and takes it. Its worker has an OS thread of its own, so it sleeps in the
// host's kernel: through Go's scheduler a wake-up takes two more threads.
type token struct {
	word uint32 // atomic
}

// States of a token.
const (
	tokenGone = iota
	tokenThere
	tokenAwaited
	tokenLooked  // take's caller looks whether it is there
	tokenOnWatch // takeOnWatch waits for it
	tokenAside   // nobody waits: whoever puts it passes the task on
)

// put is called by anyone. It returns how the task waited.
func (k *token) put() (was uint32) {
	was = atomic.SwapUint32(&k.word, tokenThere)
	if was == tokenAwaited {
		_, _ = host.FutexWake(&k.word, 1) // fails for no word of ours
	}
	return was
}

// look says that the task looks whether the token is there: it needs no waking. take
// ends that.
func (k *token) look() { atomic.CompareAndSwapUint32(&k.word, tokenGone, tokenLooked) }

// leave says that nobody waits any more. It is false, and somebody still does, if the token
// is there.
func (k *token) leave() bool { return atomic.CompareAndSwapUint32(&k.word, tokenGone, tokenAside) }

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

// takeOnWatch is take for a task that waits for the world outside as well. What comes from there may put the token.
func (k *token) takeOnWatch(l Lookout) {
	for !atomic.CompareAndSwapUint32(&k.word, tokenThere, tokenGone) {
		was := atomic.LoadUint32(&k.word)
		if was == tokenThere || !atomic.CompareAndSwapUint32(&k.word, was, tokenOnWatch) {
			continue
		}
		frames := l.Wait()
		atomic.CompareAndSwapUint32(&k.word, tokenOnWatch, tokenGone) // it needs no bell
		if frames {
			l.HandOn()
		}
	}
}
