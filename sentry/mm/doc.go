// Package mm is a guest's address space: what mmap(2) and its relatives do,
// page faults, and copies between guest memory and the Sentry.
//
// # Objects
//
// A MemoryManager is one address space. New makes an empty one (exec), Fork a
// copy. Two segment sets describe it. VMAs say what the guest asked for, as
// /proc/pid/maps shows it. PMAs say where the bytes are: each gives a range of
// addresses a place in a backing file (the memory file, or a host file that
// was donated), what may be done with it, and what the platform's address
// space has mapped for it now. A private anonymous mapping has its PMA, and one
// host mapping, from the moment of its mmap: first touches are host page
// faults. File mappings get PMAs at mmap or at a fault, as their Mappable
// translates. A PMA of private memory that fork shared with another space is
// marked cow: it is never mapped writable, and a store, the guest's or ours,
// copies a chunk first or, for the last owner, takes the pages as they are.
//
// Fork copies at once what is certain to be stored to soon (a little of each
// mapping, the stack first) where the space has one user, and shares the rest. The
// child's first batch maps its copies, its text, and what earlier children of the
// same parent had to fault for. exec translates all segments and maps them in one
// batch. The calls by which a dynamic linker maps a library wait for one another.
// Where a new program may have the stub of the one before it (TakeOver), the same
// batch empties it.
//
// A platform may patch a program's text (PatchText) and have memory of its own near
// it (TextArena). The program does not notice: system calls, debuggers and
// checkpoints see the text as it was, and no mapping shows the arena. The text of a
// file is patched for all spaces that map it (SharedText, one of Texts): they have
// copies of parts of the file as its translation, and an arena at a fixed distance,
// which is a sharing. A space has all of a copy mapped or none of it.
//
// The end of a heap that shrank keeps its pages, and their place in the stub without
// access to them, for the heap to grow again: it gets them back as zeroes (spare). So
// does what a small munmap takes away, for the next mapping at its place (vacancy).
//
// The platform's address space is made by the first Activate. Until then
// nothing is applied anywhere, so a vfork child that execs costs none.
//
// # Locking
//
//	mapping (lock.MM, read-write): the VMAs and all that mmap changes.
//	active  (lock.MMActive, read-write):  the PMAs and the platform's mappings.
//
// mapping comes before active. Copies and futex words take only active, for
// reading, when the PMAs suffice. Mappables are called with both held, so their
// locks rank after these; Invalidate takes active only. Platform changes
// are applied under active: when it is released, the stub's mappings are what
// the PMAs say, or less: what a dynamic linker mapped last may be held back. Neither lock is held while a guest sleeps or while a Blocks
// callback runs.
//
// # Lifetimes
//
// Users (tasks, /proc files, ptrace) hold counted references: IncUsers and
// DecUsers. The last DecUsers releases the platform's address space and then
// every page, file and Mappable reference. Memory given up by munmap goes back
// to its backing only after the platform has unmapped it and no Blocks
// callback can still see it.
//
// # Checkpoint
//
// Saved: VMAs, PMAs of private memory, layout, the number of users. Rebuilt: the
// platform's address space, accounting, and PMAs that a Mappable gives again:
// restored mappings call AddMapping. The pages are memfile's.
//
// # Differences
//
// A growing stack grows by up to 128 KiB at a time, not by a page. There are no
// huge page pools: MAP_HUGETLB is ENOMEM. MADV_FREE frees at once, and
// MADV_COLD and MADV_PAGEOUT do nothing: there is no swap. MADV_COLLAPSE,
// MADV_HWPOISON and MADV_SOFT_OFFLINE are EINVAL, as in a kernel without them.
// The resident size counts host files by what is mapped, and its maximum is
// that of the moments when somebody asked.
package mm
