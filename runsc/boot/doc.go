// Package boot is the Sentry's process as the runtime sees it: the plain data
// it is started with (Spec), the calls the runtime makes on the kernel inside
// it (Kernel), and the process itself (Main).
//
// # Objects
//
// The parent (`runsc create`, `run` or `do`) writes a Spec into a sealed memory
// file and starts `runsc boot` in namespaces of its own with the descriptors
// that Spec.FDs names. A C constructor runs before the Go runtime has threads:
// it mounts the private file system for guest memory, makes an empty directory
// the root, and gives up every capability. Main then builds the Kernel,
// installs the system call filter, and serves the control socket until the
// first processes of all containers have ended.
//
// Further containers join by OpCreate. Each container has a keeper, a host process
// whose socket ends with it (join.go); the first of `do`, and of a user without
// rights, has none, and then the sandbox ends with it.
//
// # Lifetimes
//
// Everything in the sandbox hangs off this process: it is process 1 of its PID
// namespace, so the stubs end with it, and the gofer ends when its sockets
// close. The process exits with the status of the first container's first process.
//
// # Checkpoint
//
// Nothing here is saved: a restored sandbox gets a new Spec whose descriptors
// fill the slots that the image names.
package boot
