// Package network gives sandboxes a network: it takes over the interfaces of a prepared network namespace, opens the host's
// sockets for network "user", and is the switch between sandboxes.
//
// # Objects
//
// A boot.Network is the description that the Sentry's stack is made of, with descriptors. TakeOver makes one of a network
// namespace's interfaces before the Sentry has read its first program: each interface becomes a packet socket, and the
// host's stack, which would answer beside ours, is muted by routing rules; without these, its addresses leave it. Attach, in the
// boot process, puts the description into the stack, and a follower carries over what is done to the namespace later.
//
// # Lifetimes
//
// What TakeOver takes is written to a record in the container's directory first; GiveBack puts it back when the container
// goes. A namespace that was made for the container goes with it.
//
// # Differences
//
// Interfaces that do not carry Ethernet frames (tunnels) are not seen in the sandbox, nor later changes of neighbours and of routes
// with several next hops, of which each is a route of its own in the beginning and the first that leads anywhere counts. Where the
// namespace has no interface in the beginning, and where its stack was not muted, nothing is followed.
// Unreachable, blackhole and prohibit routes are left out.
package network
