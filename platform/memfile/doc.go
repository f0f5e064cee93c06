// Package memfile keeps guest memory: one sparse host file that the Sentry and
// the application's address spaces map.
//
// # Objects
//
// A File hands out ranges of offsets (Alloc), each page with one reference.
// Offsets cost nothing until the page is touched. The Sentry reaches pages by
// Window, a slice of its own mapping of the file, made in large pieces at first
// use and kept. At a page's last DecRef, a range of up to 1 MiB whose pages are
// all committed goes to a list by size for reuse, and is zeroed then (what nobody
// reuses for some seconds is given up); the rest is punched out of the file in
// batches by a worker and the offsets are free again.
//
// The host is asked (mincore) which pages have memory only where the File does not
// know: it knows of what was reused, copied or filled, and of spares that nobody had
// mapped. An image has other bytes than the pages where HideInImage says so, and no
// memory of the kind Hidden.
//
// # Locking
//
// One lock (rank MemFile), a leaf, held for bookkeeping only: never
// for zeroing, copying or punching. Window takes none.
//
// # Lifetimes
//
// Whoever calls the last DecRef promises that no address space maps the pages
// any more and that no I/O of the Sentry's is in flight on them.
//
// # Checkpoint
//
// Saved: the shape of the file and which pages are committed; the pages as a
// stream of their own. References are not: each owner claims its ranges again
// between Restore and Restored, and what nobody claims is free.
package memfile
