// Package procfs is /proc: processes and the kernel as files.
//
// # Objects
//
// A FileSystem is one mount's instance; the instances of a sandbox share what
// has to agree between them (the boot id, the numbers of namespaces, sysctl
// values). Directories are dirInodes over a names (a fixed table, the living
// processes, a process's threads, descriptors); files are fileInodes over an
// entry of a table, which says how to make the text. A proc says whose a file
// is: a thread group and an id in it, looked up anew at every use, so nothing
// here keeps a process from going away. What has gone answers ESRCH, and a walk
// finds ENOENT (FileSystem.Revalidate).
//
// Text is made when a description is read at its start, and kept: a file read
// in pieces is of one moment, and one read anew from the start is of another.
//
// # Locking
//
// Text is made with the description's offset lock and the text file's own lock
// held. It takes the locks of tasks, address spaces and mounts one at a time.
//
// # Checkpoint
//
// Saved: the boot id and the numbers that were given to namespaces. Inodes are
// rebuilt by lookups; the text that an open file was in the middle of is a
// TextImage. Sysctls have their values where these have their effect.
//
// # Differences
//
// What Linux counts by hardware or by devices that are not there is zero or
// absent: kmsg, kallsyms, config.gz, crypto, sysrq-trigger, attr, stack, io,
// loginuid, sessionid, timers and map_files do not exist, as in a kernel built
// without them. A sysctl that has no effect here can be read, and written only
// with the value it has (EINVAL otherwise).
package procfs
