// Package ipc is System V shared memory, semaphores and message queues
// (sysvipc(7)).
//
// # Objects
//
// A Namespace has three tables, of Segments, SemSets and MsgQueues, found by
// identifier or key. An identifier is an index and a sequence number, as in
// Linux, so that a stale one is noticed. A Segment is what memory managers map
// and, for them, the file behind the mapping; an Undo is a process's SEM_UNDO
// adjustments.
//
// Nothing here waits. What would is EAGAIN, and the object's queue says when to
// try again; once an object is removed, those who wait for it get EIDRM.
//
// # Locking
//
// A table's lock (rank IPCTable) guards its index; each object has its own (rank
// IPC). Both may be held together, and a process's list of sets (rank IPCUndo)
// below them. A Segment's pages never move, so mapping it
// takes no lock of this package.
//
// # Lifetimes
//
// A removed Segment lives until the last mapping has gone (SHM_DEST); each of a
// memory manager's references to it is an attachment. Sets and queues go at
// once.
//
// # Checkpoint
//
// Saved: all objects with their contents, and undo adjustments by process.
//
// # Differences
//
// A message has a megabyte at most, whatever kernel.msgmax says, and a set as many
// semaphores as by default. Waiting semaphore operations are tried
// again in no particular order when a set changes, where Linux serves the
// longest waiting first.
package ipc
