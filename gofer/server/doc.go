// Package server is the gofer's end of the two channels: it runs the 9P
// session and the side channel's calls, and ends both when either ends.
//
// # Objects
//
// Serve takes the two sockets and a Backend, which does the work (package
// hostfs). The side channel is served by workers that all receive on the one
// socket; the kernel hands each packet to one of them. There is always one
// waiting while there are fewer than maxWorkers, so a call that takes long (an
// fsync, a slow disk) delays nobody.
//
// # Locking
//
// The server itself has no lock. A Backend is called concurrently.
//
// # Lifetimes
//
// Serve returns after the Sentry closed either channel or sent what does not
// parse. Nothing of a session survives it: one gofer process, one Sentry.
package server
