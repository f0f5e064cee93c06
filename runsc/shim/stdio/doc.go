// Package stdio connects a process of a container with the files that a client
// of containerd names: FIFOs, a file, or a logging program.
//
// # Objects
//
// Without a terminal the process gets the FIFOs themselves, so nothing is
// copied and a shim that ends breaks nothing. With one, the client's FIFOs are
// copied to and from the master of a terminal that the runtime made.
//
// # Lifetimes
//
// A client that goes away, to come back later, must not end the process: the
// shim keeps a reading end of every output FIFO open for as long as the process
// is known, and a writing end of its input until the client closes the input.
// No writing end of an output stays, so that its reader sees the end of the
// last process that had it.
package stdio
