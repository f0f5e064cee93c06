// Package shim is containerd-shim-runsc-v1: it stands between containerd and
// the containers of one pod, or one container that is in none, and speaks the
// task API v2 over ttrpc, which containerd has had since 1.3.
//
// # Objects
//
// containerd executes the binary three times, each in the bundle's directory:
//
//	start    finds or starts the pod's shim and prints its address
//	(none)   the shim itself, which serves until it is shut down
//	delete   clears up what a shim left that is gone
//
// A container has its first process and those of exec. The shim drives the
// runsc binary by its command line (package driver) and knows nothing of the
// sandbox: containers share one because runsc reads the pod from their
// annotations. Each process has a host process, whose pid runsc writes to a
// file and whose end, seen because the shim is the subreaper, is the process's.
//
// runsc.json in a bundle says how runsc is called for it, so that delete can
// do it without the shim.
//
// # Locking
//
// The server's lock guards the table of containers, a container's its processes
// and mounts, a process's its state. They are taken in this order. No command
// runs with the server's lock held. Commands on one process run with its
// command lock, which is taken first of all; a process's end is told to
// containerd with it, too, so that no end comes before its start.
//
// # Lifetimes
//
// A container is in the table from Create until Delete. The shim ends by
// Shutdown when the table is empty. It holds nothing that a container needs:
// output goes into the client's FIFOs directly, and a shim that is killed takes
// down terminals and unread events only.
//
// # Differences
//
// From runc's shim: io_uid and io_gid are given the client's FIFOs, where runc's has
// pipes of its own between, and of rootfs mounts only overlays and bind mounts have ids
// mapped.
package shim
