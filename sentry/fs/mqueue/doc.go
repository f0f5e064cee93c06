// Package mqueue is POSIX message queues and the file system that names them
// (mq_overview(7)).
//
// # Objects
//
// An FS is the queues of one IPC namespace, made with it: mq_open(2) finds them
// through a mount of the FS that nobody sees, and whoever mounts mqueue in that
// namespace gets the same FS. A Queue is an inode and the messages in it; a File is
// one open description of it. Users counts what each user's queues may come to
// take, for the whole sandbox.
//
// Nothing here sleeps. Who finds a queue full or empty stands in it as a Waiter:
// as in Linux the one who sends next hands the message to the first that receives,
// without putting it into the queue, and the one who receives puts the first
// sender's message into it.
//
// # Locking
//
// FS.mu guards names (rank Inode: directories' dentry locks come before it). A
// Queue's mu, of the same rank, guards messages, waiters and attributes; the two are
// never held together. Notifications are sent and sleepers woken without either.
//
// # Lifetimes
//
// A queue goes when it has neither a name nor a holder (vfs.Evicter), and its
// messages with it. The namespace's last reference takes the unseen mount away: all
// queues that nobody has open go, unless mqueue is mounted somewhere still; nothing
// can be made there then (EACCES).
//
// # Checkpoint
//
// Saved: queues with messages, attributes and registrations. Waiters are not: their
// calls are made again.
//
// # Differences
//
// Queues of a user count for the user wherever he is, where Linux counts for each
// user namespace on the way as well. A socket that has no room for the cookie of
// SIGEV_THREAD does not make mq_notify(2) wait.
package mqueue
