// Package driver runs the commands of an OCI runtime on behalf of a shim, and
// collects the processes that they leave.
//
// # Objects
//
// A Runtime is the runtime's binary with the flags that one namespace of
// containers is kept under. Every method is one command, whose error is the
// runtime's own message.
//
// A Reaper collects every child of this process, which is the subreaper of all
// that its commands start: a container's first process becomes our child when
// the command that made it ends.
//
// # Locking
//
// A child is started with the Reaper's lock held, so that its end cannot be
// seen before it is known whose it is.
package driver
