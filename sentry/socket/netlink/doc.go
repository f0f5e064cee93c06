// Package netlink is AF_NETLINK: questions and orders to the kernel about its network (netlink(7), rtnetlink(7)).
//
// # Objects
//
// A Socket answers while it is sent to: its replies wait in its own queue. NETLINK_ROUTE reads and changes the namespace's
// links, addresses, routes and neighbours, and tells its groups of changes; NETLINK_SOCK_DIAG lists sockets; NETLINK_NETFILTER
// is nf_tables. NETLINK_KOBJECT_UEVENT can be listened to, and nothing ever comes. Other protocols are not there
// (EPROTONOSUPPORT).
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
// that can be made are dummy, veth and bridge. There is one routing table beside "local", whose routes
// have one next hop and no type but unicast; there are no rules to add, no addresses whose lives end, and no types of
// neighbours but permanent ones. Messages go to and come from the kernel only.
package netlink
