// Package network gives sandboxes a network: it takes over the interfaces of a prepared network namespace, opens the host's
// sockets for network "user", and is the switch between sandboxes.
//
// # Objects
//
// A boot.Network is the description that the Sentry's stack is made of, with descriptors. TakeOver makes one of a network
// namespace's interfaces before the Sentry has read its first program: each interface becomes a packet socket, and its
// addresses leave the host's stack, which would answer beside ours. Attach, in the boot process, puts it into the stack.
//
// # Lifetimes
//
// What TakeOver takes is written to a record in the container's directory first; GiveBack puts it back when the container
// goes. A namespace that was made for the container goes with it.
//
// # Differences
//
// Interfaces that come later, changes that others make to the namespace meanwhile, and those that do not carry Ethernet
// frames (tunnels) are not seen in the sandbox. Of a route with several next hops each is a route of its own, and the first
// that leads anywhere counts. Unreachable, blackhole and prohibit routes are left out.
package network
