// Package cgroup puts a sandbox's processes into control groups of the host,
// sets their limits, reads what they use and freezes them: version 1
// hierarchies, version 2, or both side by side, by the file system or through
// systemd. The work on files and on the D-Bus is that of
// github.com/opencontainers/cgroups, which runc is built on.
//
// # Objects
//
// A Group is the control groups of one container. New plans them, Create makes
// them, Load finds them again by the Record that the container's state keeps.
// Remove undoes Create from the directories' names alone, which the state
// records before they are made.
//
// # Differences
//
// From runc: a limit that the host has no controller for, or that its version
// has no file for, is refused with the field's name instead of being dropped.
// Device rules are not set on the host, because no guest ever opens a device of
// the host.
//
// A guest's processes are not the host's: each thread of a guest is some threads
// of the Sentry and of its stubs. So the number of processes is bounded inside;
// the host's bound on the sandbox is a multiple of it (hostTasks). On version 1
// the container's own group of the pids hierarchy has the exact value, and the
// sandbox is in a group beside it.
package cgroup
