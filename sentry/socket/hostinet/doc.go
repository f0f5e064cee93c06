// Package hostinet is AF_INET and AF_INET6 on the host's own network (--network=host): every socket of the guest is a
// socket of the host that the Sentry made, TCP, UDP or ping.
//
// # Objects
//
// A Socket holds one host descriptor, which never blocks. A Network asks the host about its interfaces by netlink. The
// sandbox's hostfd.Notifier tells sockets of the host's events; readiness itself is asked of the host each time.
//
// Streams move between guest memory and the host without a copy between; datagrams and peeks go through a buffer, since each
// has to be one call of the host, whatever guest memory looks like.
//
// # Containment
//
// The guest says what family, type and protocol a socket has, within what Provider knows; the system call filter allows no
// others. Options are those of a table, which the filter is made from too; their values are copied and bounded in size.
// Control messages are of known levels and types, so that no descriptor can come or go. Addresses are the host's to check.
//
// A socket that whoever started the sandbox passes on (Pass) is used as it is: not bound, not connected, without descriptors or
// credentials in either direction, and it is not in the sandbox's lists of sockets.
//
// # Locking
//
// Socket.mu (rank Socket) guards the address of a connect under way. No lock is held during a call of the host.
//
// # Lifetimes
//
// Release closes the descriptor. The host sends what is queued.
//
// # Checkpoint
//
// Refused: a connection of the host cannot be taken elsewhere.
//
// # Differences
//
// The Sentry has no capabilities over the host's network, so that neither has the guest's root: ports below the host's
// ip_unprivileged_port_start are EACCES, raw sockets, SO_MARK and SO_SNDBUFFORCE EPERM. A lingering close does not wait; a time
// of 0 resets. There is no TCP_FASTOPEN_CONNECT, no MSG_ZEROCOPY, no upper layer protocol of TCP. A process that runs out of
// the Sentry's descriptors gets ENFILE. /proc/net lists the sandbox's own sockets only.
package hostinet
