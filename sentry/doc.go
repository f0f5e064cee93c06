// Package sentry assembles the kernel: it makes the platform, memory, clocks,
// file systems, network and first process of a sandbox from a Config, and
// offers the few operations that the world outside has on it.
//
// # Objects
//
// A Kernel is one sandbox. New makes it with its mounts and its first process
// loaded, Start lets that process run, Exec adds processes, Stop ends all.
//
// # Order
//
// Everything that needs host calls beyond the sandbox's filter happens in New:
// the platform's zygote, the clocks' calibration, the first descriptors of
// memory. Nothing below this package can reach "everything"; a part is given
// what it needs when it is made here.
package sentry
