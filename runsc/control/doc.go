// Package control is the small remote procedure call between `runsc` commands
// and the boot process of a sandbox.
//
// # Objects
//
// A unix stream socket carries frames: four bytes of length (little endian)
// and that much JSON. A request names an operation and may carry descriptors,
// attached to its first byte; each request is answered by one reply, in order.
// A Client is one connection; Serve runs the other side.
//
// # Trust
//
// The socket lies in the container's state directory, which only its owner can
// enter, and the server asks the kernel for each peer's user besides. Guests
// cannot reach it: it is not in their tree, and the Sentry never connects.
// The client treats what the Sentry answers as hostile: frames are bounded, and
// descriptors are never received from it.
//
// # Locking
//
// A Client is for one goroutine. Handlers run concurrently, one per
// connection.
package control
