// Package cgroupfs is the file system of the guest's control groups, version 2
// (cgroups(7), Linux: kernel/cgroup).
//
// # Objects
//
// An instance shows the tree below one group, the root of the mounter's
// cgroup namespace; directories and files are made when they are looked up, and
// an instance forgets those of a group that is gone. What the files say and do
// is package cgroup's, for limits, and task's, for processes.
//
// # Permission
//
// A directory's owner may make groups in it. To move a process somebody must be
// allowed to write the cgroup.procs of the group above both, which must be in
// his namespace; and the limits of the namespace's root are not his to change
// (nsdelegate).
//
// # Checkpoint
//
// Nothing is saved: a restore mounts it anew and finds its inodes by name.
//
// # Differences
//
// Pressure is sampled, and triggers are not saved. There are the controllers cpuset, cpu, memory
// and pids; a cpuset bounds how many tasks run at once, not where, and has no partitions. There is no swap: its files say
// so. Memory is counted when a file is read: memory.current of many large
// processes takes time.
package cgroupfs
