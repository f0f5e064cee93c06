// Package container keeps containers: their directories, their locks and the
// life cycle that the OCI runtime specification gives them.
//
// # Objects
//
// A Store is the directory given by --root. Each container has a directory in
// it, named by its identifier, with
//
//	state.json     what is known about it (State), replaced atomically
//	control.sock   the sandbox's control socket
//
// A container appears whole: its directory is made under another name, locked,
// and renamed into place. Whoever creates a container holds the lock until the
// sandbox stands; whoever deletes one takes it first.
//
// # Locking
//
// The lock is flock(2) on the container's directory. It ends with the process
// that holds it, so a crash leaves no lock behind. A directory that can be
// locked and says "creating" was left by a crash: Delete clears it, and so does
// a Create of the same identifier. Readers take no lock: state.json is always
// one whole version.
//
// # Lifetimes
//
// Everything outside the directory is written down before it is made: the
// cgroups, and the processes with their start times, so that a recycled pid is
// not mistaken for ours. A crash between two steps leaves at most what
// state.json names; processes not yet named there end by themselves when their
// parent is gone (see package sandbox).
package container
