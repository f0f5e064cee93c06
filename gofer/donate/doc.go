// Package donate is the side channel between the Sentry and a gofer: a
// SEQPACKET socket that carries descriptors and a small remote procedure call.
// 9P2000.L (package gofer/p9) runs beside it on a stream of its own.
//
// # Objects
//
// A Conn is one end of the socket; a packet is one message and a few
// descriptors. A Request names an operation and fills the fields that
// requestFields lists for it; a Reply answers it under the same tag. A
// handle is the gofer's name for an inode it keeps an O_PATH descriptor of; it
// is valid on both channels until it is clunked.
//
// # What goes where
//
// 9P carries what is whole in 9P: the session itself, attach, statfs, unlink
// and rmdir. The side channel carries three kinds of things: what passes a
// descriptor (open, create, connect), what 9P lacks or cannot express (extended
// attributes, locks, fallocate, rename flags, set-id bits, O_TMPFILE, whiteouts,
// the device and mount of an inode), and what is combined so that it costs one
// round trip (a walk with the attributes of every component, a directory
// with or without the attributes of its entries, a whole tree of them piece by
// piece, the attributes of many names, several files opened at once, a creation
// with what it created).
//
// A 9P server that opens a regular file sends the descriptor here first, in an
// OpDonation message, and names it in the IoUnit field of Rlopen, which
// 9P2000.L leaves unused. The descriptor is there before the reply is.
//
// # Trust
//
// Both ends decode what the other sent as hostile input: a message that does
// not parse ends the connection, counts and lengths are bounded before memory
// is allocated, and descriptors nobody asked for are closed.
package donate
