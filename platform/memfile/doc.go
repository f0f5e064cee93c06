// Package memfile keeps guest memory: one sparse host file that the Sentry and
// the application's address spaces map.
//
// # Objects
//
// A File hands out ranges of offsets (Alloc), each page with one reference.
// Offsets cost nothing until the page is touched. The Sentry reaches pages by
// Window, a slice of its own mapping of the file, made in large pieces at first
// use and kept. At a page's last DecRef, a range of up to 1 MiB whose pages are
// all committed goes to a list by size for reuse, and is zeroed then; the rest
// is punched out of the file in batches by a worker and the offsets are free
// again.
//
// # Locking
//
// One lock (rank MemoryFile), a leaf, held for bookkeeping only: never
// for zeroing, copying or punching. Window takes none.
//
// # Lifetimes
//
// Whoever calls the last DecRef promises that no address space maps the pages
// any more and that no I/O of the Sentry's is in flight on them.
//
// # Checkpoint
//
// The allocated ranges with their reference counts are saved, and the committed
// pages of them as a page file.
package memfile
