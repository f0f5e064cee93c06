// Package epoll is interest lists of files (epoll(7)).
//
// # Objects
//
// An Instance is an interest list and a ready list, and the file at once. An
// item is one entry of the interest list, known by descriptor number and
// description, as in Linux: a descriptor that is closed while a copy of it lives
// keeps its item. Shared is what all instances of a sandbox have in common.
//
// An item's wait.Entry sits in its file's queue. When it is called it puts the
// item on the ready list, no more. Collect takes items off the ready list, asks
// each file what really holds, and puts level-triggered ones back at the end, so
// that everybody gets a turn.
//
// # Locking
//
// mu (rank Epoll) guards the interest list and is held while files are asked.
// An instance that watches another takes the other's nested, outer first; Shared
// keeps instances from watching one another in a circle. The ready list has a
// lock of its own (rank EpollReady), since callbacks run under their queue's.
//
// # Lifetimes
//
// Items hold no reference to what they watch. An item whose description has
// gone is dropped when Collect meets it, or when the list has doubled since it
// was last cleaned.
//
// # Checkpoint
//
// Saved: the interest list, with which items were ready.
//
// # Differences
//
// EPOLLWAKEUP has no effect: nothing here suspends. Busy polling
// (EPIOCSPARAMS) is refused with EOPNOTSUPP, as by a Linux built without it.
package epoll
