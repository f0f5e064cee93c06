// Package futex is where threads wait on words of memory (futex(2)).
//
// # Objects
//
// A Table has the waiters of all words, in buckets by a hash of the word's key,
// so that unrelated words seldom share a lock. A Waiter is one thread's stay in
// it; the thread owns it and sleeps by its own means until Woken says true.
//
//	w := &futex.Waiter{Wake: nudge}
//	err := table.Wait(mem, addr, private, val, bitset, w)  // queued if nil
//	... sleep until w.Woken(), a deadline or a signal ...
//	if table.Unqueue(w) { ... it was woken after all ... }
//
// Waiters of PI locks carry the tid that the lock is to have. The owner hands
// the word over when it unlocks or dies: a woken waiter owns the lock. Nobody's
// scheduling changes: there is inheritance of ownership, not of priority.
//
// # Locking
//
// A bucket's lock (rank Futex, before the address space's) is held from the
// comparison of a word to the queueing of its waiter and while words are
// changed on a waiter's behalf. The word is read once before, without the lock,
// so that a page that has to come from a file is there. Two buckets are locked
// by lock.Two. Wake is called with the lock held: it does no more than mark and
// wake a thread.
//
// # Checkpoint
//
// Nothing is saved: waiting calls restart, and a waiter that was woken before
// has returned with that.
package futex
