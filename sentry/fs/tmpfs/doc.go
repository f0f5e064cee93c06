// Package tmpfs is the file system in memory: tmpfs mounts, the writable layer
// of overlays, memfd_create(2), and the tree that devfs fills.
//
// # Objects
//
// An FS is one instance with its limits. Its inodes are of four types, one for
// each way of behaving: dir, file, link and special (devices, FIFOs, sockets).
// A file's contents are pages of the memory file, found by their offset; pages
// that were never written are holes.
//
// # Locking
//
// file.io is held for writing across whatever changes the contents or the size,
// and for reading across reads: pages do not go while somebody copies them. It
// ranks before the memory manager, so it may be held across copies of user
// memory. node.mu guards attributes, names and the index of pages; it ranks
// after the memory manager, which asks for pages (Translate) with its own locks
// held, and is never held across a copy.
//
// # Lifetimes
//
// An inode's pages and its place in the limits go when it has neither names nor
// holders (vfs.Evicter). Pages that are mapped have the memory manager's
// reference too.
//
// # Checkpoint
//
// Inodes are saved with their attributes, names and page indexes; the pages are
// the memory file's.
//
// # Differences
//
// Quotas and the huge= option's effect are absent: quota options are refused,
// huge= is accepted, as by a kernel that has no huge pages to give.
package tmpfs
