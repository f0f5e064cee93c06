// Package ebpf checks and runs eBPF programs: those that say which devices the processes of a control group may use
// (bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE), which container runtimes load.
//
// # Objects
//
// A Program is made by Programs.Load from what the guest gave, does not change, and runs in bounded time: the check
// lets it jump forward only. It is the vfs.File of its descriptors, and has a number by which it is found as long as a
// descriptor or a control group refers to it.
//
// # Locking
//
// Programs.mu is a leaf and guards the numbers. Running a program takes no lock.
//
// # Checkpoint
//
// Programs are saved with their numbers and references.
//
// # Differences
//
// There is one more type of programs, BPF_PROG_TYPE_CGROUP_SKB, which can be loaded when they do not look at packets, and
// are attached nowhere: those who want to know whether bpf(2) is there load one. There are no maps, no functions to call, no stack and no loops; a program may have 4096
// instructions, those of the instruction set's version 3.
package ebpf
