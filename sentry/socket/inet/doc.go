// Package inet is AF_INET and AF_INET6 on a TCP/IP stack of our own: TCP, UDP, ping and raw sockets (ip(7), ipv6(7),
// tcp(7), udp(7), raw(7), icmp(7)).
//
// # Objects
//
// A Socket wraps one netstack.Endpoint and adds what Linux's sockets have beyond it: addresses in either family's form,
// options, errors that are told once, halves that are shut down.
//
// # Locking
//
// Socket.mu (rank Socket) guards little and is not held during calls of the endpoint. Errors that ICMP tells of wait in an
// errorQueue (rank PacketQueue), which the stack fills. Data moves between guest memory and
// the stack's buffers without a copy between, inside calls of the endpoint.
//
// # Lifetimes
//
// Release closes the endpoint; the stack sends what is queued and ends the connection on its own.
//
// # Checkpoint
//
// Sockets save their options and the number of their endpoint; endpoints and stacks are netstack's blob.
//
// # Differences
//
// TCP cannot be disconnected by AF_UNSPEC. There is no urgent data, no data in a SYN (TCP_FASTOPEN is as between hosts without
// cookies; MSG_FASTOPEN is refused), no MSG_ZEROCOPY; MSG_MORE of TCP is a hint that is not taken. close(2) never lingers.
// IP_PKTINFO cannot choose an IPv4 source address other than the route's. IP options cannot be set. A filter
// (SO_ATTACH_FILTER) is refused, but for packet and netlink sockets.
package inet
