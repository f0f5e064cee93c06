// Package pipe is pipes, named or not (pipe(7), fifo(7)).
//
// # Objects
//
// A Pipe is a ring of slots, each part of a page; an End is what a description
// holds of it. New makes the two ends of pipe(2). A FIFO's Pipe lives as long
// as its inode; its contents go when the last end closes.
//
// As in Linux, what fits is counted in slots, not bytes: a write fills the rest
// of the last page if its odd bytes fit there, and takes a slot per page for
// the rest. Splicing moves slots; tee and splice share pages by a count.
//
// # Locking
//
// One lock per pipe (rank Pipe), held while bytes move between pages and guest
// memory, as Linux does, so that a write is in one piece. Two pipes are locked
// by lock.Two. It is not held while a file is read or written by splice: slots
// are reserved, or the head marked busy, instead. The queue is notified after
// the lock has been let go, only when emptiness, fullness or an end changed, or
// when something polls the pipe.
//
// # Lifetimes
//
// Ends are counted by Open and Release. Pages return to a pool.
//
// # Checkpoint
//
// Saved: bytes slot by slot, limits, which ends are open. Sharing of pages
// between pipes is not kept: nobody can see it.
package pipe
