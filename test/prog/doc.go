// Package prog is a small language of system calls, its compiler, and the
// reader of what its programs saw. One program, one image; the image runs
// natively and in a sandbox by interp/vm.c, and on platform/sim by the machine
// of test/prog/simvm, and each run leaves the same kind of records, which this
// package alone turns into text. So a trace is what the guest saw, whatever
// ran it.
//
// # The language
//
// A program is lines; the first is a comment that says which behaviour it
// shows. Every system call is a statement, its trace line is its source text
// and its result:
//
//	buf b 64                      64 zeroed bytes; b is their address
//	data iov u64 b, u64 8         bytes filled when the line is reached
//	fd = openat(AT_FDCWD, "a", O_CREAT|O_RDWR, 0644)
//	n = read(fd, b, 10)           a variable is 8 bytes; &n is its address
//	show n, u32(b+4), str(b, n)   also hex oct pid addr err status cstr bytes
//	pid = fork { ... }            a block of its own ends with exit(0);
//	                              also vfork, thread, clone(flags[, ptid, ctid]),
//	                              clone3(args, size)
//	handler SIGUSR1, SA_RESTART, mask { ... }
//	                              rt_sigaction; sig, info, uctx are set inside;
//	                              skip: go on after the access that faulted
//	if e { } else { }   while e { }   repeat n { }   break
//	put8 put16 put32 put64 addr, value
//	wait pid                      wait4, and shows the status
//	settle tid                    until that thread sleeps, stops or ends
//	exit n   texit n              of the group, of the thread
//	quiet CALL                    no trace line
//	image name { ... }            a block that runs after execve of vm with
//	                              argv {"exec", entry(name)}; argc, argv are set
//
// Expressions have C's operators on 64-bit integers, loads (u8 u16 u32 s32 u64
// be16 be32), len(buffer), strings (their address) and the constants of
// consts.txt. Variables are memory: threads share them, processes copy them.
//
// # Traces
//
// A task is named by its birth: 0 is the first, 0.2 its second child. Lines are
// grouped by task, so the schedule does not matter. Process ids and addresses
// are named by first appearance.
package prog
