// Package futex is the table of futex(2) waiters.
//
// # Objects
//
// A Table holds the waiters of a sandbox in buckets by Key, so that unrelated
// words share no lock. A Waiter is one sleep on one word: Prepare queues it
// atomically with the check of the word, a wake takes it off and calls its
// owner, and Cancel takes it off otherwise.
//
// # Locking
//
// A bucket's lock (rank Futex) is held across the check of the word, which
// reads guest memory: the memory manager's locks rank after it. Two buckets are
// locked in order of address, by requeue and wake-op only.
//
// # Checkpoint
//
// Nothing is saved: a sleeping task restarts its call and queues itself anew.
//
// # Differences
//
// Priority inheritance does not change scheduling, since cordon schedules
// nothing: PI futexes have their states and hand-over, in arrival order.
package futex
