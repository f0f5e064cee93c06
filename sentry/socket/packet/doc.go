// Package packet is AF_PACKET: frames as they are on a link (packet(7)).
//
// # Objects
//
// A Socket has a tap on one interface or on all, made by bind(2) or by a protocol at socket(2). What the tap brings waits in
// a queue, or is written to a ring that the guest has mapped (PACKET_RX_RING, all three versions). A ring lives in guest
// memory; it ends with its socket or when the guest gives it up.
//
// # Locking
//
// Socket.mu (rank Socket) guards what is bound and is held while the tap changes. Socket.in (rank PacketQueue) guards the
// queue and the ring: the stack takes it to deliver, whatever the stack's user holds. No call into the stack is made with it.
//
// # Lifetimes
//
// A mapping of a ring keeps the socket's description, so that the pages of the ring outlive every mapping.
//
// # Checkpoint
//
// Saved: what is bound, options, memberships, frames not read yet, and the ring's place in guest memory. Taps are made again.
//
// # Differences
//
// Loopback frames have an Ethernet header of zeros and the protocol, in both directions. There are no rings to send from, no
// fanout and no virtio headers. Every frame on a link is seen without promiscuous mode, which is only counted. TCP
// connections within the sandbox that were there before the first packet socket are not seen.
package packet
