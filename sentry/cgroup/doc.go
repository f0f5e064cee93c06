// Package cgroup holds the guest's control groups (cgroups(7), version 2): the
// tree, the limits, and the counters. Who is in which group, and what happens
// when a limit is met, is package task's; the files are sentry/fs/cgroupfs's.
//
// # Objects
//
// A Hierarchy is the one tree of a sandbox; its root is the machine's and no
// program sees it. Each container has a group of its own below it, the root of
// its view. A Group lives as long as somebody holds it; Remove takes it out of
// the tree when it is empty, and what is still charged to it is its parent's.
//
// # Locking
//
// Hierarchy.mu (lock.Cgroups), after the tasks' locks, guards the shape of the
// tree and what files change. Counters are atomic: a fork adds to those of a
// group and its ancestors, and nothing else on a hot path does anything here.
//
// # Checkpoint
//
// Everything is saved but the counts of processes, which tasks give again.
//
// # Differences
//
// A group is always a domain: cgroup.type refuses "threaded", and a thread is
// where its process is. The host schedules the guest's threads: what weights say
// is dealt out in turns, by a Dealer.
package cgroup
