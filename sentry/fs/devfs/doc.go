// Package devfs has the devices that every container sees, and fills /dev: a
// tmpfs with their nodes and the usual links.
//
// # Objects
//
// Register makes the devices openable through any inode with their number;
// Populate makes nodes for them. Terminals register themselves (devpts,
// hostfd); /dev/tty asks the caller's session for its own.
//
// # Checkpoint
//
// Open devices have no state but their kind; the nodes are the tmpfs's.
//
// # Differences
//
// The random devices are the host's generator; what is written to them is
// dropped, as an unprivileged writer's is by Linux as far as entropy goes.
package devfs
