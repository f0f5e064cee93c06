// Package tun is /dev/net/tun: network interfaces whose other side is a program (tun(4)).
//
// # Objects
//
// A File is one opening of the device, in the network namespace of who opened it. TUNSETIFF makes it the other side of an
// interface of that namespace, which it makes if there is none; what the stack sends there is read from it, and what is
// written to it comes in. A packet may be preceded by struct tun_pi and by struct virtio_net_hdr.
//
// # Locking
//
// File.mu (rank File) guards which interface it is of. It is not held while packets move.
//
// # Lifetimes
//
// The last reference to a File takes its interface away, unless that is persistent.
//
// # Checkpoint
//
// Saved: the interface by its number, and packets that nobody has read. The interface is the stack's.
//
// # Differences
//
// An interface has one queue: IFF_MULTI_QUEUE, IFF_NAPI and IFF_NO_CARRIER are EINVAL. What is read is never cut by the
// reader (TUNSETOFFLOAD allows it, and it is not made use of); what is written may be. Filters, TUNSETSNDBUF and the order
// of bytes of headers cannot be set (EINVAL).
package tun
