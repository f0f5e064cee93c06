// Package netlink is AF_NETLINK: questions and orders to the kernel about its network (netlink(7), rtnetlink(7)).
//
// # Objects
//
// A Socket of NETLINK_ROUTE answers while it is sent to: its replies wait in its own queue. NETLINK_KOBJECT_UEVENT can be
// listened to, and nothing ever comes. Other protocols are not there (EPROTONOSUPPORT).
//
// # Locking
//
// Socket.mu (rank Socket) guards ports, groups and the queue. It is not held while the stack is asked.
//
// # Checkpoint
//
// Saved: port, groups, options and unread replies.
//
// # Differences
//
// A dump is made at once instead of while it is read, and fails with ENOBUFS when it does not fit the receive buffer. Links
// cannot be made or removed. Messages go to and come from the kernel only.
package netlink
