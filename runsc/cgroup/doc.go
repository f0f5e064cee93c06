// Package cgroup puts a sandbox's processes into control groups of the host and
// sets their limits: version 1 hierarchies, version 2, or both side by side.
//
// # Objects
//
// A Group is the plan for one container: the directories to make and the values
// to write. Remove undoes it from the directories' names alone, which the
// container's state records before they are made.
//
// # Differences
//
// From runc: a limit that the host has no controller for is refused, with the
// field's name, instead of being dropped. Device rules are not set on the host,
// because no guest ever opens a device of the host.
package cgroup
