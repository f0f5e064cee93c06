// Package unix is AF_UNIX: stream, datagram and seqpacket sockets (unix(7)).
//
// # Objects
//
// A Provider is made once for a kernel. It knows the sockets bound to paths and which sockets are in flight. A Socket is
// one end; a connection is two Sockets that name each other as peer. Data travels as messages in the receiver's queue,
// copied once from the sender's memory and once to the receiver's, and is charged to the sender until it is received.
//
// # Locking
//
// Socket.mu (rank Socket) guards a socket's state and queue; two are taken by lock.Two only. Socket.reading (rank
// SocketRead) makes readers take turns and is held while bytes are copied to guest memory; writers copy in before they
// lock anything. Provider.mu (rank SocketFlight) guards the tables of the Provider and is taken before Socket.mu.
//
// # Lifetimes
//
// A socket ends with its description: Release. A socket not yet accepted belongs to its listener. A message with
// descriptors holds references to them. Sockets that only messages in each other's queues hold are found by the collector
// whenever a socket is closed while others are in flight, as in Linux, and their messages are dropped.
//
// # Checkpoint
//
// Saved: state, names, peers, queues with descriptors by Ref, options. Rebuilt: the Provider's tables.
//
// # Differences
//
// Small writes to a stream share a buffer and are charged by their bytes alone, so that more of them fit. A user may have
// MaxInFlight descriptors in messages, whatever its RLIMIT_NOFILE. MSG_OOB and SO_PEERPIDFD are not there.
package unix
