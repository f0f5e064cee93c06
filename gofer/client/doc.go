// Package client is the Sentry's side of the gofer: inodes of the host as
// Nodes, over a Transport that the two channels of packages p9 and donate make.
//
// # Objects
//
// A Client is one connection. A Node is an inode of the host that the gofer
// holds for us; whoever has it clunks it. Walk returns what it saw of every
// component in one round trip, and Nodes for directories only unless the last
// is asked for: a Node costs the gofer a descriptor, attributes cost nothing.
// Descriptors that operations return are the caller's.
//
// Which channel carries an operation is the transport's business (see package
// donate): 9P the attach, statfs and unlink, the side channel the rest.
//
// # Locking
//
// No lock is held across a call. A caller that waits for its reply receives
// for the others too, who sleep in the host, each on a word of its own: there is no
// goroutine between a call and its answer, and no turn of Go's scheduler. What
// is asked for ahead (a Scan, an Opening) is waited for later, by who needs it;
// until somebody receives, its answer stays in the socket, whose size bounds how
// far ahead a gofer works.
//
// # Lifetimes
//
// The connection ends when the gofer dies, when it breaks the protocol, or by
// Close. From then on every call, also those that wait, fails with EIO; Dead is
// closed. Clunks are gathered and sent in batches; Flush sends what there is.
//
// # Trust
//
// What the gofer sends is checked before anybody sees it: names, types,
// lengths, and of each descriptor that it is of the kind and access mode asked
// for. A gofer that fails a check has broken the protocol.
package client
